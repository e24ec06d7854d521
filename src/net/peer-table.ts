// The peers of this process, on any Network: who is connected in which role, requests and
// notifications between them, and the dialling that keeps members connected (contract: peers.ts).
// What a link carries is in wire/channel.ts, which link carries what in wire/remote-peer.ts.
import { assert } from '../base/assert.js'
import {
  EPOCH_LIMIT,
  type ClusterId,
  type Epoch,
  type Incarnation,
  type PeerId,
} from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import {
  COMPLAINTS_MAX,
  PEERS_MAX,
  REDIAL_INTERVAL_MAX_MS,
  REDIAL_INTERVAL_MS,
} from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Random } from '../base/random.js'
import type { Address } from '../layout/configuration.js'
import type { Link, Network } from './link.js'
import { operations, type OperationName, type Reply, type Request } from './operations.js'
import {
  LOST,
  type Answer,
  type Lost,
  type OperationHandler,
  type PeerEvents,
  type PeerInfo,
  type Peers,
  type RequestOptions,
  type Role,
} from './peers.js'
import { Call } from './wire/call.js'
import { Channel, type ChannelOwner } from './wire/channel.js'
import { messageParcel } from './wire/entry.js'
import { SESSION_LIMIT, type Hello } from './wire/hello.js'
import { Redial } from './wire/redial.js'
import { RemotePeer } from './wire/remote-peer.js'

export interface PeerTableOptions {
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly self: {
    readonly roles: readonly Role[]
    readonly name: string
    readonly incarnation: Incarnation
  }
  /** Addresses of peers whose identity is not known (`--peer`): dialled until they answer. */
  readonly seeds?: readonly Address[]
}

interface Member {
  addresses: readonly Address[]
  redial: Redial | null
}

type Handlers = { [O in OperationName]?: OperationHandler<O> }

export class PeerTable implements Peers {
  readonly self: PeerId
  /** What peers sent that was not taken: for `status` and for tests. */
  readonly counters = { ignored: 0, malformed: 0 }
  readonly #options: PeerTableOptions
  readonly #session: number
  readonly #owner: ChannelOwner = {
    greeted: (channel, hello) => this.#greeted(channel, hello),
    announced: (channel, path) => this.#peerOf(channel)?.announced(channel, path),
    accepts: (channel, operation) => this.#accepts(channel, operation),
    deliver: (channel, operation, message) => this.#deliver(channel, operation, message),
    closed: (channel, why) => this.#closed(channel, why),
  }
  readonly #handlers: Handlers = {}
  readonly #peers = new Map<PeerId, RemotePeer>()
  readonly #channels = new Set<Channel>()
  readonly #known = new WeakSet<Link>()
  readonly #subscribers = new Set<PeerEvents>()
  readonly #seeds: readonly Redial[]
  /** What was logged about peers already. */
  readonly #complaints = new Set<string>()
  #members = new Map<PeerId, Member>()
  #cluster: ClusterId | null = null
  #epoch: Epoch = 0 as Epoch
  #paths = 0
  #connections = 0
  #state: 'new' | 'running' | 'stopped' = 'new'

  constructor(options: PeerTableOptions) {
    this.#options = options
    this.self = options.network.self
    this.#session = options.random.below(SESSION_LIMIT)
    this.#seeds = (options.seeds ?? []).map(address => this.#redialSeed(address))
  }

  list(): readonly PeerInfo[] {
    return [...this.#peers.values()].map(peer => peer.info)
  }

  find(id: PeerId): PeerInfo | undefined {
    return this.#peers.get(id)?.info
  }

  subscribe(events: PeerEvents): () => void {
    this.#subscribers.add(events)
    return () => this.#subscribers.delete(events)
  }

  serve<O extends OperationName>(operation: O, handler: OperationHandler<O>): void {
    assert(this.#state === 'new', 'operations are served before the start')
    assert(!this.#handlers[operation], `one handler for each operation: ${operation}`)
    Object.assign(this.#handlers, { [operation]: handler })
  }

  request<O extends OperationName>(
    to: PeerId,
    operation: O,
    request: Request<O>,
    options: RequestOptions = {},
  ): Promise<Reply<O> | Lost> {
    this.#assertMaySend(operation)
    assert(operations[operation].reply !== null, `a notification has no answer: ${operation}`)
    const peer = this.#peers.get(to)
    if (!peer) return Promise.resolve(LOST)
    const call = new Call(operation, request, {
      clock: this.#options.clock,
      deadline: options.deadline,
    })
    peer.send(call)
    return call.result
  }

  notify<O extends OperationName>(to: PeerId, operation: O, message: Request<O>): boolean {
    this.#assertMaySend(operation)
    const { number, request, reply, path, patient = false } = operations[operation]
    assert(reply === null, `a request wants an answer: ${operation}`)
    const peer = this.#peers.get(to)
    if (!peer) return false
    const entry = { kind: 'notice', lane: path, patient, numbers: [number] } as const
    peer.notify(messageParcel(entry, request, message))
    return true
  }

  remember(
    members: readonly { readonly id: PeerId; readonly addresses: readonly Address[] }[],
  ): void {
    if (this.#state === 'stopped') return
    const old = this.#members
    this.#members = new Map()
    for (const { id, addresses } of members) {
      if (id === this.self) continue
      const member = old.get(id) ?? { addresses, redial: null }
      member.addresses = addresses
      this.#members.set(id, member)
      if (this.#state === 'running') this.#keepDialling(id, member)
    }
    for (const [id, member] of old) if (!this.#members.has(id)) member.redial?.stop()
  }

  describe(self: { readonly cluster: ClusterId | null; readonly epoch: Epoch }): void {
    assert(self.epoch < EPOCH_LIMIT, 'an epoch')
    this.#cluster = self.cluster
    this.#epoch = self.epoch
  }

  async start(): Promise<void> {
    assert(this.#state === 'new', 'a peer table starts once')
    this.#state = 'running'
    await this.#options.network.start({ link: link => this.#accept(link) })
    if (!this.#running()) return
    for (const [id, member] of this.#members) this.#keepDialling(id, member)
    for (const redial of this.#seeds) redial.start(null)
  }

  async stop(): Promise<void> {
    this.#state = 'stopped'
    for (const { redial } of this.#members.values()) redial?.stop()
    for (const redial of this.#seeds) redial.stop()
    for (const channel of [...this.#channels]) channel.close('this process stops')
    await this.#options.network.stop()
  }

  // ---- called by the channels ------------------------------------------------------------------

  #greeted(channel: Channel, hello: Hello): void {
    const known = this.#peers.get(channel.remote)
    if (known && known.hello.session !== hello.session) {
      if (hello.incarnation < known.hello.incarnation) return channel.close('of an earlier start')
      // The peer has restarted; its old links are dead, whether we have noticed or not.
      known.closeAll('the peer has restarted')
    }
    const peer = this.#peers.get(channel.remote)
    if (peer) return peer.add(channel, hello)
    if (this.#peers.size >= PEERS_MAX) return channel.close('too many peers')
    const created = this.#remotePeer(channel.remote, hello)
    this.#peers.set(channel.remote, created)
    created.add(channel, hello)
    for (const events of [...this.#subscribers]) events.connected?.(created.info)
  }

  #accepts(channel: Channel, operation: OperationName): boolean {
    const peer = this.#peerOf(channel)
    if (!peer) return false
    const { from, to, path } = operations[operation]
    // Sent before the sender chose another path; it ended with LOST there.
    if (path === 'data' && !peer.takesDataFrom(channel)) return false
    const allowed =
      peer.info.roles.some(role => from.includes(role)) &&
      this.#options.self.roles.some(role => to.includes(role)) &&
      this.#handlers[operation] !== undefined
    if (!allowed) this.#ignore(peer.info, operation)
    return allowed
  }

  #deliver<O extends OperationName>(
    channel: Channel,
    operation: O,
    message: { readonly request: Request<O>; readonly answer: Answer<O> },
  ): void {
    const handler = this.#handlers[operation]
    const peer = this.#peerOf(channel)
    assert(handler && peer, 'only what was accepted is delivered')
    handler(message.request, peer.info, message.answer)
  }

  #closed(channel: Channel, why: { readonly reason: string; readonly malformed: boolean }): void {
    const { log } = this.#options
    this.#channels.delete(channel)
    const fields = { peer: channel.remote, kind: channel.kind, reason: why.reason }
    if (why.malformed) {
      this.counters.malformed++
      if (this.#isNews(`${channel.remote} ${why.reason}`)) {
        log.warn('closed a link because of what the peer sent', fields)
      }
    } else log.debug('a link ended', fields)
    const peer = this.#peerOf(channel)
    if (!peer?.remove(channel)) return
    this.#peers.delete(peer.id)
    if (!this.#running()) return
    for (const events of [...this.#subscribers]) events.disconnected?.(peer.info)
  }

  // ---- inside ----------------------------------------------------------------------------------

  #running(): boolean {
    return this.#state === 'running'
  }

  #peerOf(channel: Channel): RemotePeer | undefined {
    const peer = this.#peers.get(channel.remote)
    return peer?.uses(channel) ? peer : undefined
  }

  #assertMaySend(operation: OperationName): void {
    const { from } = operations[operation]
    assert(
      this.#options.self.roles.some(role => from.includes(role)),
      `our roles do not send this operation: ${operation}`,
    )
  }

  #accept(link: Link): void {
    if (this.#known.has(link)) return
    this.#known.add(link)
    if (link.remote === this.self || !this.#running()) return link.close()
    const { clock, network, self } = this.#options
    const hello: Hello = {
      ...self,
      session: this.#session,
      connection: ++this.#connections,
      cluster: this.#cluster,
      epoch: this.#epoch,
      addresses: network.addresses,
    }
    const { memory } = network
    this.#channels.add(new Channel({ link, clock, owner: this.#owner, hello, memory }))
  }

  /** True the first time: a peer that redials, or asks again, does not fill the log. */
  #isNews(complaint: string): boolean {
    if (this.#complaints.has(complaint)) return false
    if (this.#complaints.size >= COMPLAINTS_MAX) this.#complaints.clear()
    this.#complaints.add(complaint)
    return true
  }

  #ignore(from: PeerInfo, operation: OperationName): void {
    this.counters.ignored++
    if (!this.#isNews(`${from.id} ${operation}`)) return
    this.#options.log.warn('ignored an operation that is not served, or not for these roles', {
      operation,
      peer: from.id,
      name: from.name,
      roles: from.roles.join(' '),
    })
  }

  #remotePeer(id: PeerId, hello: Hello): RemotePeer {
    const { clock, random, network, self } = this.#options
    return new RemotePeer({
      clock,
      random,
      id,
      hello,
      self: { id: this.self, roles: self.roles, addresses: network.addresses },
      nextPath: () => ++this.#paths,
      dial: async address => (await this.#dialAddress(address, id)) !== null,
      rerouted: info => {
        if (this.#running()) for (const events of [...this.#subscribers]) events.rerouted?.(info)
      },
    })
  }

  async #dialAddress(address: Address, expected: PeerId | null): Promise<Link | null> {
    const link = await this.#options.network.dialAddress(address, expected)
    // Networks announce every link as an event; if one did not, this is where it comes in.
    if (link) this.#accept(link)
    return link
  }

  #keepDialling(id: PeerId, member: Member): void {
    if (member.redial) return
    const { clock, random, network } = this.#options
    member.redial = new Redial({
      clock,
      random,
      needed: () => !this.#peers.get(id)?.has('swarm'),
      // A peer that is there, but by a direct link only, works: its swarm link is not urgent.
      longest: () => (this.#peers.has(id) ? REDIAL_INTERVAL_MAX_MS : REDIAL_INTERVAL_MS),
      attempt: async () => {
        network.dialPeer(id)
        if (this.#peers.has(id)) return
        for (const address of member.addresses) if (await this.#dialAddress(address, id)) return
      },
    })
    member.redial.start(random.below(Math.floor(REDIAL_INTERVAL_MS / 3)))
  }

  #redialSeed(address: Address): Redial {
    let found: PeerId | null = null
    return new Redial({
      clock: this.#options.clock,
      random: this.#options.random,
      needed: () => found === null || (found !== this.self && !this.#peers.has(found)),
      longest: () => REDIAL_INTERVAL_MS,
      attempt: async () => {
        found = (await this.#dialAddress(address, null))?.remote ?? found
      },
    })
  }
}
