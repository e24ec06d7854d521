// Storage servers a, b, c with real peers on a simulated network, stores in memory, and a manager
// and a client whose every step is the test's: the manager publishes what it is given.
import { byteCount, byteOffset, epoch, generation, incarnation } from '../../src/base/brands.js'
import type { ByteCount } from '../../src/base/brands.js'
import { HEAD } from '../../src/net/messages.js'
import { requestNumber, shardIndex, type Epoch, type PeerId } from '../../src/base/brands.js'
import type { Clock } from '../../src/base/clock.js'
import { LEASE_MS } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import type {
  Configuration,
  Replica,
  ShardAllocation,
  VolumeRecord,
} from '../../src/layout/configuration.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import type { Change } from '../../src/layout/change.js'
import type { Heartbeat, HeartbeatReply } from '../../src/net/manager-messages.js'
import type { ProposalVoteReply } from '../../src/net/manager-messages.js'
import type * as m from '../../src/net/messages.js'
import { PeerTable } from '../../src/net/peer-table.js'
import { LOST, type Role } from '../../src/net/peers.js'
import { StorageServer } from '../../src/storage/storage-server.js'
import {
  MANAGER,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  testConfiguration,
  testVolume,
} from '../helpers/configurations.js'
import { testPeer } from '../helpers/scripted-peers.js'
import { MortalClock } from '../simulator/mortal-clock.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { SimulatedDisk } from '../simulator/simulated-disk.js'
import { SimulatedSwarm } from '../simulator/simulated-network.js'
import { VirtualClock } from '../simulator/virtual-clock.js'
import { MemoryBlockStore, type MemoryShardStore } from './memory-block-store.js'

export { SERVER_A, SERVER_B, SERVER_C, MANAGER }
export const CLIENT = testPeer(0xc11e)
export const SHARD = { volume: testVolume().id, shard: shardIndex(0) }
const BLOCK = 4096

/** The client is attached from the beginning. */
function clientsVolume(): VolumeRecord {
  const since = '2026-01-01T00:00:00.000Z'
  return testVolume({ attachments: [{ client: CLIENT, host: 'h', mode: 'exclusive', since }] })
}

interface Server {
  readonly clock: MortalClock
  readonly peers: PeerTable
  readonly watch: ConfigurationWatch
  readonly server: StorageServer
}

export const inSync = (server: PeerId, at = 1): Replica => {
  return { server, state: 'in-sync', incarnation: incarnation(at) }
}
export const syncing = (server: PeerId, at = 1): Replica => {
  return { server, state: 'syncing', incarnation: incarnation(at) }
}

export class StorageCluster {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly swarm: SimulatedSwarm
  readonly stores = new Map<PeerId, MemoryBlockStore>()
  readonly servers = new Map<PeerId, Server>()
  readonly #disks = new Map<PeerId, SimulatedDisk>()
  readonly #starts = new Map<PeerId, number>()
  readonly manager: PeerTable
  readonly client: PeerTable
  configuration: Configuration
  readonly registrations: (m.RegisterRequest & { readonly from: PeerId })[] = []
  /** The newest of each. */
  readonly heartbeats = new Map<PeerId, Heartbeat>()
  readonly mismatches: m.MismatchReport[] = []
  readonly proposals: CaughtUp[] = []
  readonly reports = new Map<PeerId, m.StorageReport>()
  readonly refusals: string[] = []
  #request = 1
  /** Of servers that start from now on. */
  maxRecovery: ByteCount | null = null
  registerReply: m.RegisterReply = { kind: 'registered', epoch: epoch(5) }
  /** Null: the manager keeps silent. */
  heartbeatReply: (from: PeerId, heartbeat: Heartbeat) => HeartbeatReply | null = () =>
    this.granted()

  constructor(seed = 1) {
    this.random = new SeededRandom(seed)
    this.swarm = new SimulatedSwarm({ clock: this.clock, random: this.random })
    const volume = clientsVolume()
    this.configuration = testConfiguration({ volumes: new Map([[volume.id, volume]]) })
    this.manager = this.#peers(MANAGER, ['manager'])
    this.client = this.#peers(CLIENT, ['client'])
    this.#manage()
  }

  static async start(servers?: readonly PeerId[], seed = 1): Promise<StorageCluster> {
    const cluster = new StorageCluster(seed)
    await cluster.started(servers)
    return cluster
  }

  async started(servers: readonly PeerId[] = [SERVER_A, SERVER_B, SERVER_C]): Promise<void> {
    await this.manager.start()
    await this.client.start()
    for (const id of servers) await this.startServer(id)
    await this.adopted()
    await this.clock.until('everybody is connected', () =>
      servers.every(id => {
        const peers = this.servers.get(id)?.peers
        return this.client.find(id) && servers.every(x => x === id || peers?.find(x))
      }),
    )
  }

  #peers(self: PeerId, roles: readonly Role[], clock: Clock = this.clock): PeerTable {
    const network = this.swarm.network(self, { server: roles[0] !== 'client' })
    const at = incarnation(this.#starts.get(self) ?? 1)
    const named = { roles, name: self.slice(-2), incarnation: at }
    return new PeerTable({ network, clock, random: this.random, log: silentLog, self: named })
  }

  async startServer(id: PeerId): Promise<void> {
    const starts = (this.#starts.get(id) ?? 0) + 1
    this.#starts.set(id, starts)
    const clock = new MortalClock(this.clock)
    const peers = this.#peers(id, ['storage'], clock)
    const watch = new ConfigurationWatch({ peers, log: silentLog, clock })
    const store = this.stores.get(id) ?? new MemoryBlockStore(clock, this.random)
    this.stores.set(id, store)
    const disk =
      this.#disks.get(id) ?? new SimulatedDisk({ clock: this.clock, random: this.random })
    this.#disks.set(id, disk)
    store.crashed(clock)
    const server = new StorageServer({
      ...{ clock, random: this.random, disk, peers, watch, store, log: silentLog },
      self: {
        ...{ name: id.slice(-1), domain: id.slice(-1), weight: 1 },
        ...{ capacity: byteCount(2 ** 40), incarnation: incarnation(starts), addresses: () => [] },
      },
      ...(this.maxRecovery === null ? {} : { maxRecovery: this.maxRecovery }),
      onRefused: reason => this.refusals.push(reason),
    })
    this.servers.set(id, { clock, peers, watch, server })
    const started = server.start().then(() => peers.start())
    await this.clock.settle('a server starts', started)
  }

  /** The process dies; what it had not flushed is lost in part at the next start. */
  crash(id: PeerId): void {
    this.servers.get(id)?.clock.die()
    this.servers.delete(id)
    this.swarm.crash(id)
  }

  async restart(id: PeerId): Promise<void> {
    this.crash(id)
    await this.startServer(id)
    await this.adopted()
  }

  shard(id: PeerId): MemoryShardStore {
    const store = this.stores.get(id)
    if (!store) throw new Error('no such server')
    return store.shard(SHARD.volume, SHARD.shard)
  }

  get allocation(): ShardAllocation {
    const found = this.configuration.volumes.get(SHARD.volume)?.shards[SHARD.shard]
    if (!found) throw new Error('no allocation')
    return found
  }

  // ---- the manager ----------------------------------------------------------------------------

  #manage(): void {
    const { manager } = this
    manager.serve('register', (request, from, answer) => {
      this.registrations.push({ ...request, from: from.id })
      answer(this.registerReply)
    })
    manager.serve('heartbeat', (heartbeat, from, answer) => {
      this.heartbeats.set(from.id, heartbeat)
      const reply = this.heartbeatReply(from.id, heartbeat)
      if (reply) answer(reply)
    })
    manager.serve('storage-report', (report, from) => void this.reports.set(from.id, report))
    manager.serve('mismatch', report => void this.mismatches.push(report))
    manager.serve('caught-up-proposal', ({ replicas }) => void this.proposals.push(...replicas))
    manager.serve('fetch-configuration', (_request, _from, answer) => {
      answer({ kind: 'full', configuration: this.configuration })
    })
  }

  granted(released = 0): HeartbeatReply {
    const { epoch: at } = this.configuration
    return { kind: 'granted', epoch: at, leader: MANAGER, released: epoch(released) }
  }

  /** All leases run out; reads go on only if the replicas vouch for each other. */
  async endLeases(): Promise<void> {
    this.heartbeatReply = () => null
    await this.clock.advance(LEASE_MS + 1)
  }

  /** Asks a server to vote on a change of the newest configuration. */
  async vote(
    id: PeerId,
    change: Change,
    base: Epoch = this.configuration.epoch,
  ): Promise<ProposalVoteReply> {
    const reply = await this.done(
      'a vote',
      this.manager.request(id, 'storage-vote', { base, change }),
    )
    if (reply === LOST) throw new Error('the vote was lost')
    return reply
  }

  /** The next epoch, with this allocation of the shard; pushed only to those named. */
  reallocate(
    replicas: readonly Replica[],
    options: { readonly tell?: readonly PeerId[]; readonly stale?: readonly PeerId[] } = {},
  ): void {
    const next = epoch(this.configuration.epoch + 1)
    const allocation = { epoch: next, generation: generation(0), replicas, stale: [] }
    const volume = this.configuration.volumes.get(SHARD.volume) ?? clientsVolume()
    const shards = [...(this.configuration.volumes.get(volume.id)?.shards ?? [])]
    shards[SHARD.shard] = { ...allocation, stale: options.stale ?? [] }
    const volumes = new Map(this.configuration.volumes).set(volume.id, { ...volume, shards })
    this.publish({ ...this.configuration, epoch: next, volumes }, options.tell)
  }

  publish(configuration: Configuration, tell: readonly PeerId[] = [...this.servers.keys()]): void {
    this.configuration = configuration
    for (const id of tell) this.manager.notify(id, 'configuration', { kind: 'full', configuration })
  }

  /** Every running server has the newest configuration, as its answers say. */
  async adopted(): Promise<void> {
    for (const id of this.servers.keys()) {
      await this.clock.until(`${id.slice(-1)} has epoch ${this.configuration.epoch}`, () => {
        return this.reports.get(id)?.epoch === this.configuration.epoch && this.isCurrent(id)
      })
    }
  }

  private isCurrent(id: PeerId): boolean {
    return this.reports.get(id)?.incarnation === this.#starts.get(id)
  }

  async caughtUp(id: PeerId): Promise<void> {
    await this.clock.until(`${id.slice(-1)} is proposed`, () =>
      this.proposals.some(p => p.server === id && p.allocation === this.configuration.epoch),
    )
  }

  // ---- the client -----------------------------------------------------------------------------

  write(
    block: number,
    fill: number,
    more: Partial<WriteOptions> = {},
  ): Promise<m.DataReply | 'lost'> {
    const request = more.request ?? this.#request++
    const message: m.WriteRequest = {
      ...SHARD,
      epoch: more.epoch ?? this.configuration.epoch,
      offset: byteOffset(more.offset ?? block * BLOCK),
      request: requestNumber(request),
      completeBelow: requestNumber(more.completeBelow ?? 0),
      durable: more.durable ?? false,
      payload: new Uint8Array(more.length ?? BLOCK).fill(fill),
    }
    return this.client
      .request(more.to ?? SERVER_A, 'write', message)
      .then(reply => (reply === LOST ? 'lost' : reply))
  }

  read(to: PeerId, block: number, at: Epoch = this.configuration.epoch): Promise<Read> {
    const place = { offset: byteOffset(block * BLOCK), length: byteCount(BLOCK) }
    const range = { layer: HEAD, ...place }
    return this.client.request(to, 'read', { ...SHARD, epoch: at, ...range }).then(reply => {
      if (reply === LOST) return { status: 'lost', first: -1, payload: new Uint8Array(0) }
      return { status: reply.status, first: reply.payload[0] ?? -1, payload: reply.payload }
    })
  }

  flush(to: PeerId = SERVER_A): Promise<string> {
    return this.client
      .request(to, 'flush', { ...SHARD, epoch: this.configuration.epoch })
      .then(reply => (reply === LOST ? 'lost' : reply.status))
  }

  async done<T>(what: string, promise: Promise<T>): Promise<T> {
    return this.clock.settle(what, promise)
  }

  /** Writes and expects success. */
  async wrote(block: number, fill: number, more: Partial<WriteOptions> = {}): Promise<string> {
    const reply = await this.done(`write ${fill}`, this.write(block, fill, more))
    return reply === 'lost' ? reply : reply.status
  }
}

type CaughtUp = m.CaughtUpProposal['replicas'][number]

interface Read {
  readonly status: string
  readonly first: number
  readonly payload: Uint8Array
}

interface WriteOptions {
  readonly epoch: Epoch
  readonly offset: number
  readonly length: number
  readonly request: number
  readonly completeBelow: number
  readonly durable: boolean
  readonly to: PeerId
}
