// A manager on a simulated disk, with scripted peers that the test connects, and what it sent them.
import { byteCount, epoch, incarnation, type PeerId } from '../../src/base/brands.js'
import { HEARTBEAT_INTERVAL_MS } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import type { Disk } from '../../src/disk/disk.js'
import type { Address, Configuration } from '../../src/layout/configuration.js'
import { patch } from '../../src/layout/delta.js'
import { Manager } from '../../src/manager/manager.js'
import type { AdminCommand, AdminResult } from '../../src/net/admin.js'
import type { ConfigurationUpdate, RegisterReply, RegisterRequest } from '../../src/net/messages.js'
import type { OperationName, Reply, Request } from '../../src/net/operations.js'
import type { OperationHandler, PeerInfo } from '../../src/net/peers.js'
import { ScriptedPeers, testPeer } from '../helpers/scripted-peers.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../simulator/simulated-disk.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

export const CLIENT = testPeer(0xc1)
export const A = testPeer(0xa)
export const B = testPeer(0xb)
export const C = testPeer(0xc)

/** Also carries requests to the handlers of the peer under test. */
export class AskablePeers extends ScriptedPeers {
  readonly #served = new Map<OperationName, unknown>()

  override serve<O extends OperationName>(operation: O, handler: OperationHandler<O>): void {
    this.#served.set(operation, handler)
    super.serve(operation, handler)
  }

  ask<O extends OperationName>(from: PeerId, operation: O, body: Request<O>): Promise<Reply<O>> {
    const peer = this.find(from)
    const handler = this.#served.get(operation) as OperationHandler<O> | undefined
    if (!peer || !handler) throw new Error('nobody to ask')
    return new Promise(resolve => handler(body, peer, resolve))
  }
}

export interface BenchOptions {
  readonly disk?: Disk
  readonly newCluster?: boolean
  readonly addresses?: () => readonly Address[]
  readonly seed?: number
}

export class Bench {
  readonly clock = new VirtualClock()
  readonly peers = new AskablePeers(this.clock)
  readonly disk: Disk
  readonly manager: Manager

  constructor(options: BenchOptions = {}) {
    const random = new SeededRandom(options.seed ?? 1)
    const { clock, peers } = this
    this.disk = options.disk ?? new SimulatedDisk({ clock, random, latency: NO_LATENCY })
    this.manager = new Manager({
      ...{ clock, random, peers, disk: this.disk, log: silentLog },
      addresses: options.addresses ?? (() => []),
      newCluster: options.newCluster ?? true,
    })
    peers.script = ({ operation, answer }) => {
      if (operation === 'storage-vote') answer({ vote: 'approve', policy: false, reason: '' })
      if (operation === 'usage') answer({ used: byteCount(0), layers: [] })
    }
  }

  static async start(options: BenchOptions = {}): Promise<Bench> {
    const bench = new Bench(options)
    await bench.manager.start()
    return bench
  }

  /** Connects a storage server and registers it. */
  async server(id: PeerId, fields: ServerFields = {}): Promise<RegisterReply> {
    this.connectServer(id, fields)
    return this.register(id, fields)
  }

  connectServer(id: PeerId, { start = 1, ...fields }: ServerFields = {}): void {
    const info = { incarnation: incarnation(start), ...fields.info }
    this.#beat(this.peers.connect(id, ['storage'], info))
  }

  /** Heartbeats, until it is disconnected or connected anew. */
  #beat(peer: PeerInfo): void {
    this.clock.after(HEARTBEAT_INTERVAL_MS, () => {
      if (this.peers.find(peer.id) !== peer) return
      const { incarnation: started, epoch: known } = peer
      const heartbeat = { incarnation: started, epoch: known, fenced: epoch(0) }
      this.peers.deliver(peer.id, 'heartbeat', heartbeat)
      this.#beat(peer)
    })
  }

  register(id: PeerId, { start = 1, request = {} }: ServerFields = {}): Promise<RegisterReply> {
    const name = id.slice(-1)
    return this.peers.ask(id, 'register', {
      ...{ name, domain: name, weight: 1, addresses: [{ host: '127.0.0.1', port: 4000 }] },
      capacity: byteCount(2 ** 40),
      incarnation: incarnation(start),
      ...request,
    })
  }

  async admin(command: AdminCommand): Promise<AdminResult> {
    return this.adminText(JSON.stringify(command))
  }

  async adminText(json: string): Promise<AdminResult> {
    if (!this.peers.find(CLIENT)) this.peers.connect(CLIENT, ['client'])
    const reply = await this.peers.ask(CLIENT, 'admin', { json })
    return JSON.parse(reply.json) as AdminResult
  }

  /** Configuration updates sent to one peer so far. */
  pushed(to: PeerId): readonly ConfigurationUpdate[] {
    return this.peers.notified
      .filter(sent => sent.to === to && sent.operation === 'configuration')
      .map(sent => sent.message as ConfigurationUpdate)
  }

  /** Lets everything happen that is due by now. */
  settle(): Promise<void> {
    return this.clock.advance(1000)
  }

  until(what: string, condition: () => boolean): Promise<void> {
    return this.clock.until(what, condition, 10_000)
  }
}

export interface ServerFields {
  readonly start?: number
  readonly info?: Partial<PeerInfo>
  readonly request?: Partial<RegisterRequest>
}

/** What a peer has after these updates, each checked to fit the one before. */
export function follow(updates: readonly ConfigurationUpdate[]): Configuration | null {
  let configuration: Configuration | null = null
  for (const update of updates) {
    if (update.kind === 'full') configuration = update.configuration
    if (update.kind === 'delta') {
      configuration = configuration && patch(configuration, update.delta)
      if (!configuration) throw new Error('a delta did not fit')
    }
  }
  return configuration
}

// The caller knows what its command answers; this is the one place that believes it.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as said
export function resultOf<T>(answer: AdminResult): T {
  if (!answer.ok) throw new Error(`${answer.code}: ${answer.message}`)
  return answer.result as T
}

export const GIB = 2 ** 30
