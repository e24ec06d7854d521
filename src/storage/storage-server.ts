// The role `storage`: takes configurations one after the other, judges every request of a client by
// the epoch table, and gives it, like what other servers say, to the replica of its shard.
//
// A configuration takes effect in this order: it is remembered durably, shards that are new here
// are opened, all replicas adopt their allocations in one turn, what waited for it is decided
// again, and what was deleted or moved is let go.
import { byteCount, epoch, generation as generationOf, type Epoch } from '../base/brands.js'
import { wait } from '../base/clock.js'
import { isSwarmdiskError } from '../base/errors.js'
import {
  ADOPTION_FAILURES_MAX,
  ADOPTION_STUCK_MS,
  PARK_MS,
  PARKED_FOR_EPOCH_MAX,
  STORE_RETRY_MAX_MS,
  STORE_RETRY_MIN_MS,
} from '../base/limits.js'
import type { Configuration } from '../layout/configuration.js'
import { isAttached } from '../layout/apply/attachments.js'
import { decideByEpoch } from '../layout/epoch-rule.js'
import { shardBytes } from '../layout/geometry.js'
import type * as m from '../net/messages.js'
import type { PeerInfo } from '../net/peers.js'
import { ClientActivity } from './client-activity.js'
import { KnownCluster } from './known-cluster.js'
import { LeaseState } from './managers/lease-state.js'
import { ManagerContact } from './managers/manager-contact.js'
import type { Answered } from './managers/registration.js'
import { Parking } from './parking.js'
import type { ClientCall, ClientRequest } from './replica/replica-context.js'
import type { ShardReplica } from './replica/shard-replica.js'
import { createHost, type ServerCondition } from './server-condition.js'
import { serveScrubs } from './scrub/serve-scrubs.js'
import { servePeers, type PeerDispatch } from './serve-peers.js'
import { ShardHoldings } from './shard-holdings.js'
import { ServedRequests } from './served-requests.js'
import type { StorageServerOptions } from './storage-server-options.js'
import { FenceState } from './voting/fence-state.js'
import { serveUsage } from './volume-usage.js'
import { Voter } from './voting/voter.js'

export type { StorageServerOptions } from './storage-server-options.js'

const NOTHING = new Uint8Array(0)
const REMOVED =
  'this storage server was removed from the cluster: stop it, or start it again to have it back'

export class StorageServer {
  readonly #o: StorageServerOptions
  readonly #condition: ServerCondition
  readonly #holdings: ShardHoldings
  readonly #contact: ManagerContact
  readonly #lease = new LeaseState()
  readonly #fence = new FenceState()
  readonly #served = new ServedRequests()
  readonly #clients: ClientActivity
  /** Requests made under an epoch that this server does not know yet. */
  readonly #waiting: Parking
  readonly #unsubscribe: (() => void)[] = []
  #known: KnownCluster | null = null
  #configuration: Configuration | null = null
  #newest: Configuration | null = null
  #adopting = false
  /** In a row, of a disk that refuses what has to be remembered of a configuration. */
  #adoptionFailures = 0
  /** When its disk was given what it is to remember and has not taken yet. */
  #rememberingSince: number | null = null
  #adoption: Promise<void> = Promise.resolve()
  #refusal = ''
  /** An operator took this server out of the cluster while it ran. */
  #removed = false
  #stopped = false

  constructor(options: StorageServerOptions) {
    this.#o = options
    const { peers, clock, log, store } = options
    this.#waiting = new Parking({ clock, limit: PARKED_FOR_EPOCH_MAX })
    const server = {
      dispatch: (call: ClientCall): void => this.#dispatch(call),
      propose: (replica: m.CaughtUpProposal['replicas'][number]): void =>
        this.#contact.propose([replica]),
      suspend: (replicas: m.SuspendProposal['replicas']): void => this.#contact.suspend(replicas),
      sealed: (shard: m.SealedShard): void => this.#contact.sealed([shard]),
      leaseValid: (): boolean => this.#lease.valid({ now: clock.now(), known: this.#epoch }),
      fenced: (shard: m.ShardName): boolean => this.#fence.holds(shard),
    }
    this.#clients = new ClientActivity(clock)
    this.#condition = createHost(options, server, this.#clients)
    const { host } = this.#condition
    this.#holdings = new ShardHoldings({ self: peers.self, store, host, log })
    this.#contact = new ManagerContact({
      ...{ peers, clock, log, lease: this.#lease, fence: this.#fence },
      incarnation: options.self.incarnation,
      configuration: () => this.#configuration,
      epoch: () => this.#epoch,
      wanted: mentioned => options.watch.wanted(mentioned),
      request: () => this.#registration(),
      removed: () => this.#removed,
      unable: () => this.#cannotAdopt,
      answered: reply => this.#registered(reply),
      report: () => this.#report(),
      proposals: () => this.#holdings.proposals(),
      sealedShards: () => this.#holdings.sealed(),
    })
  }

  /** Before peers.start(). */
  async start(): Promise<void> {
    this.#known = await KnownCluster.open(this.#o.disk)
    await this.#holdings.start()
    const { peers, watch } = this.#o
    peers.serve('read', (request, from, answer) => {
      this.#client({ kind: 'read', request }, from, answer)
    })
    peers.serve('held-blocks', (request, from, answer) => {
      this.#client({ kind: 'held-blocks', request }, from, answer)
    })
    peers.serve('write', (request, from, answer) => {
      this.#client({ kind: 'write', request }, from, answer)
    })
    peers.serve('flush', (request, from, answer) => {
      this.#client({ kind: 'flush', request }, from, answer)
    })
    const dispatch: PeerDispatch = {
      find: name => this.#holdings.find(name),
      whenKnown: (message, run, refuse) => this.#whenKnown(message, run, refuse),
      wrote: () => this.#clients.wrote(),
    }
    servePeers(this.#o, dispatch)
    serveScrubs(this.#o, dispatch)
    const voter = this.#voter()
    peers.serve('storage-vote', (request, from, answer) => {
      if (!this.#stopped) voter.vote(request, from, answer)
    })
    serveUsage(this.#o, () => this.#holdings.open())
    const path = (up: boolean) => (peer: PeerInfo) => {
      for (const replica of this.#holdings.open()) replica.pathChanged(peer.id, up)
    }
    this.#unsubscribe.push(
      peers.subscribe({ connected: path(true), rerouted: path(true), disconnected: path(false) }),
      watch.subscribe(configuration => this.#offered(configuration)),
    )
    const current = watch.current()
    if (current) this.#offered(current)
    this.#contact.start()
  }

  /**
   * Ends what waits, tells the managers that nothing is served any more, and makes durable what was
   * written. The store stays its owner's to close.
   */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#contact.stop()
    this.#waiting.refuseAll()
    // The owner closes the store next: nothing may be opening shards by then.
    await this.#adoption
    // From this turn on no replica serves; what they make durable takes its time.
    const stopped = this.#holdings.stop()
    await Promise.all([stopped, this.#contact.leave()])
  }

  // ---- configurations -------------------------------------------------------------------------

  #offered(configuration: Configuration): void {
    this.#newest = configuration
    if (this.#adopting || this.#stopped) return
    this.#adoption = this.#adoptNewest()
  }

  async #adoptNewest(): Promise<void> {
    this.#adopting = true
    for (let pause = STORE_RETRY_MIN_MS; this.#newest && !this.#stopped;) {
      const configuration = this.#newest
      try {
        await this.#prepare(configuration)
      } catch (error) {
        if (!isSwarmdiskError(error)) throw error
        this.#refusal = error.message
        this.#o.log.error('a configuration waits', { error: error.message })
        this.#adoptionFailures++
        await wait(this.#o.clock, pause)
        pause = Math.min(pause * 2, STORE_RETRY_MAX_MS)
        continue
      }
      this.#adoptionFailures = 0
      if (this.#newest === configuration) this.#newest = null
    }
    this.#adopting = false
  }

  async #prepare(configuration: Configuration): Promise<void> {
    const refusal = this.#known?.refusal(configuration) ?? null
    if (refusal !== null) {
      this.#refusal = refusal
      this.#o.log.error('configuration refused', { reason: refusal })
      this.#o.onRefused?.(refusal)
      return
    }
    await this.#remember(configuration)
    await this.#holdings.prepare(configuration)
    if (this.#stopped) return
    this.#refusal = ''
    this.#noticeRemoval(configuration)
    this.#configuration = configuration
    this.#holdings.adopt(configuration, ({ volume, shard }) => {
      const record = configuration.volumes.get(volume)
      if (!record) return byteCount(0)
      return shardBytes({ size: record.size, shardCount: record.shards.length, shard })
    })
    this.#fence.learned(configuration.epoch)
    this.#waiting.resumeAll()
    // In the background: nothing waits for it but the reopening of the same shard.
    void this.#holdings.release(configuration)
  }

  async #remember(configuration: Configuration): Promise<void> {
    this.#rememberingSince = this.#o.clock.now()
    try {
      await this.#known?.remember(configuration)
    } finally {
      this.#rememberingSince = null
    }
  }

  /** Its disk refuses what has to be remembered of a configuration, or hangs. */
  get #cannotAdopt(): boolean {
    const { clock } = this.#o
    const since = this.#rememberingSince ?? clock.now()
    const hangs = clock.now() - since >= ADOPTION_STUCK_MS
    return hangs || this.#adoptionFailures >= ADOPTION_FAILURES_MAX
  }

  // ---- clients --------------------------------------------------------------------------------

  #client(request: ClientRequest, from: PeerInfo, answer: (reply: m.DataReply) => void): void {
    let open = true
    this.#clients.asked()
    const { volume, shard } = request.request
    const finish = (status: m.DataStatus, payload = NOTHING, durable = false): void => {
      if (!open) return
      open = false
      this.#clients.answered()
      if (status === 'ok') this.#served.count(request)
      const generation =
        this.#configuration?.volumes.get(volume)?.shards[shard]?.generation ?? generationOf(0)
      const queue = this.#clients.open
      answer({ status, epoch: this.#epoch, generation, queue, durable, payload })
    }
    // Spelled out: a spread costs microseconds, and this is done for every request.
    const { kind, request: body } = request
    const call = { kind, request: body, from: from.id, waitsUntil: null, repairs: 0, finish }
    this.#dispatch(call as ClientCall)
  }

  get #epoch(): Epoch {
    return this.#configuration?.epoch ?? epoch(0)
  }

  /** The epoch table of design §3; see src/layout/epoch-rule.ts. */
  #dispatch(call: ClientCall): void {
    const { volume, shard, epoch: client } = call.request
    const server = this.#epoch
    const record = this.#configuration?.volumes.get(volume)
    const allocation = record?.shards[shard]?.epoch
    const reads = call.kind === 'read' || call.kind === 'held-blocks'
    const permitted = reads || isAttached(record, call.from)
    if (this.#stopped) return call.finish('not-serving')
    if (allocation === undefined && client <= server) {
      // Deleted since, or never there: a client that is behind finds out.
      return call.finish(client < server ? 'stale-epoch' : 'not-serving')
    }
    const decision =
      allocation === undefined
        ? 'ask-manager'
        : decideByEpoch({ client, server, allocation, permitted })
    switch (decision) {
      case 'refuse-stale':
        this.#mismatch(call)
        return call.finish('stale-epoch')
      case 'refuse-access':
        return call.finish('no-access')
      case 'ask-manager':
        this.#mismatch(call)
        return this.#waitFor(client, call)
      case 'serve':
      case 'serve-and-tell': {
        const replica = this.#holdings.find({ volume, shard })
        if (replica) replica.serve(call)
        else call.finish('not-serving')
      }
    }
  }

  #mismatch(call: ClientCall): void {
    const { volume, shard, epoch: seen } = call.request
    this.#contact.mismatch({ volume, shard, seen, own: this.#epoch, from: call.from })
  }

  #waitFor(wanted: Epoch, call: ClientCall): void {
    call.waitsUntil ??= this.#o.clock.now() + PARK_MS
    this.#o.watch.wanted(wanted)
    const resume = (): void => this.#dispatch(call)
    this.#waiting.park({ resume, refuse: () => call.finish('not-serving') }, call.waitsUntil)
  }

  /** For what another server asks about an allocation that this one may not know yet. */
  #whenKnown(
    message: m.ShardMessage,
    run: (replica: ShardReplica) => void,
    refuse: () => void,
  ): void {
    const until = this.#o.clock.now() + PARK_MS
    const decide = (): void => {
      if (this.#stopped) return refuse()
      if (message.allocation > this.#epoch) {
        this.#o.watch.wanted(message.allocation)
        return this.#waiting.park({ resume: decide, refuse }, until)
      }
      const replica = this.#holdings.find(message)
      if (replica) run(replica)
      else refuse()
    }
    decide()
  }

  // ---- managers -------------------------------------------------------------------------------

  #registration(): m.RegisterRequest {
    const { name, domain, capacity, weight, incarnation } = this.#o.self
    const addresses = this.#o.self.addresses()
    return { name, domain, capacity, weight, incarnation, addresses }
  }

  #registered(reply: Answered): void {
    if (reply.kind === 'refused') return this.#o.onRefused?.(reply.reason)
    this.#o.watch.wanted(reply.epoch)
    this.#o.onRegistered?.()
  }

  /** It must not come back by itself: whoever took it out would find it there again. */
  #noticeRemoval(configuration: Configuration): void {
    const { peers, log, onRefused } = this.#o
    const wasMember = this.#configuration?.servers.has(peers.self) ?? false
    if (!wasMember || configuration.servers.has(peers.self)) return
    this.#removed = true
    log.error(REMOVED)
    onRefused?.(REMOVED)
  }

  #voter(): Voter {
    const { clock, log, peers, watch, store, self } = this.#o
    return new Voter({
      ...{ clock, log, peers, store, incarnation: self.incarnation },
      ...{ waiting: this.#waiting, holdings: this.#holdings, fence: this.#fence },
      configuration: () => (this.#stopped ? null : this.#configuration),
      wanted: epoch => watch.wanted(epoch),
      noRoom: () => this.#condition.problem,
    })
  }

  async #report(): Promise<m.StorageReport> {
    const space = await this.#condition.measure()
    // What could not be opened is tried again with the configuration that wants it. One that waits
    // to be adopted is newer, and must not be forgotten for it.
    if (this.#holdings.incomplete && this.#configuration && !this.#newest) {
      this.#offered(this.#configuration)
    }
    return {
      incarnation: this.#o.self.incarnation,
      epoch: this.#epoch,
      ...space,
      corruptBlocks: this.#condition.corruptBlocks,
      problem: this.#problem(),
      syncing: this.#holdings.syncing(),
      merging: this.#holdings.merging(),
      served: this.#served.report(),
      recovered: this.#condition.host.recovery.fetched,
    }
  }

  #problem(): string {
    const removed = this.#removed ? REMOVED : ''
    const { problem, problemOfReplica } = this.#holdings
    return removed || this.#refusal || problem || this.#condition.problem || problemOfReplica
  }
}
