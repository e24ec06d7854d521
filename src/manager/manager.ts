// The manager role: keeps the history of the configuration together with the other managers, and is
// where everything that changes it comes together. Any manager can be asked anything; what only the
// leader can do is passed on to it. Nobody is answered before a change is on the disks of a
// majority, and every manager tells the peers that are connected to it.
// start() comes before the start of the peers, since it says what they announce and serve.
import { assert } from '../base/assert.js'
import type { Incarnation, PeerId } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import { isSwarmdiskError } from '../base/errors.js'
import { REBUILD_AFTER_MS } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Random } from '../base/random.js'
import type { Disk } from '../disk/disk.js'
import type { Change } from '../layout/change.js'
import type { Address, Configuration } from '../layout/configuration.js'
import { isSigned } from '../net/codecs/gone-notice.js'
import type { GoneNotice, RelayedPeer } from '../net/manager-messages.js'
import type { ConfigurationUpdate, MismatchReport } from '../net/messages.js'
import type { OperationName, Reply } from '../net/operations.js'
import type { OperationHandler, PeerInfo, Peers } from '../net/peers.js'
import { AdminDesk } from './admin/admin.js'
import { ConfigurationPush } from './configuration-push.js'
import { LeaderDesk } from './council/leader-desk.js'
import { Membership } from './council/membership.js'
import { joined, openHistory } from './council/open-history.js'
import { Relay, type Asked } from './council/relay.js'
import { relayedOperations, type RelayedOperations } from './council/relayed-operations.js'
import type { ProposalResult } from './history/configuration-history.js'
import type { RaftHistory } from './history/raft-history.js'
import { AccessDesk } from './leases/access-desk.js'
import { FailureDetection } from './leases/failure-detection.js'
import { Proposals, type ProposalManner } from './proposals/proposals.js'
import { VotingDesk } from './proposals/voting-desk.js'
import { Reports } from './reports.js'

export interface ManagerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly peers: Peers
  readonly log: Log
  /** Where peers reach this manager directly; asked again now and then. */
  readonly addresses: () => readonly Address[]
  /** Start a new cluster; else go on with the one in the data directory, or join one. */
  readonly newCluster: boolean
  /** Milliseconds after which a storage server that is down is replaced. */
  readonly rebuildAfter?: number
  /** Default: it is signed by the server that it names. */
  readonly isGenuine?: (notice: GoneNotice) => boolean
  /** Called with the reason whenever it is another one why this manager is not taken in yet. */
  readonly onWaiting?: (reason: string) => void
}

/** What start() makes; all of it lives until stop(). */
interface Parts {
  readonly history: RaftHistory
  readonly push: ConfigurationPush
  readonly relay: Relay
  readonly membership: Membership
  readonly proposals: Proposals
  readonly detection: FailureDetection
  readonly access: AccessDesk
  readonly desk: LeaderDesk
  readonly admin: AdminDesk
  readonly relayed: RelayedOperations
}

export class Manager {
  readonly #options: ManagerOptions
  readonly #reports = new Reports()
  readonly #tasks = new Set<Promise<void>>()
  readonly #leave: (() => void)[] = []
  #parts: Parts | null = null
  #joined: Promise<void> = Promise.resolve()
  // The newest epoch that any peer of this cluster knows. A leader knows all that is committed: if
  // this is newer, its data directory is an old copy, and committing anything would make two
  // configurations of one epoch.
  #newestElsewhere = 0
  #stopped = false

  constructor(options: ManagerOptions) {
    this.#options = options
  }

  /** The newest committed configuration that this manager knows; a member always has one. */
  get configuration(): Configuration {
    const configuration = this.#parts?.history.current()
    assert(configuration, 'a member has a configuration')
    return configuration
  }

  /** Whether this manager leads. */
  get leads(): boolean {
    return this.#parts?.history.leads ?? false
  }

  /** Leads, and nobody else can lead by now. */
  get leadsForSure(): boolean {
    return this.#parts?.history.leaseValid() ?? false
  }

  /** Resolves when this manager is a member of the cluster; rejects with 'refused'. */
  get joined(): Promise<void> {
    return this.#joined
  }

  /** Requests that somebody has seen from another epoch, since the start. */
  get mismatches(): number {
    return this.#reports.mismatches
  }

  async start(): Promise<void> {
    const { log, peers, addresses } = this.#options
    const opened = await openHistory({
      ...this.#options,
      self: peers.self,
      send: (to, message) => void peers.notify(to, 'raft', message),
      addresses,
    })
    const parts = (this.#parts = this.#make(opened.history))
    if (opened.history.current()) this.#committed(this.configuration)
    this.#serve(parts)
    this.#leave.push(
      opened.history.subscribe(configuration => this.#committed(configuration)),
      opened.history.onLeadership(() => this.#leadership(parts)),
      parts.detection.subscribe(() => parts.desk.consider()),
      peers.subscribe({
        connected: peer => this.#connected(peer),
        disconnected: peer => this.#disconnected(peer),
      }),
    )
    for (const peer of peers.list()) this.#connected(peer)
    opened.history.start()
    this.#join(parts, opened.joining)
    log.info('manager serves', { epoch: opened.history.current()?.epoch ?? 0 })
  }

  async stop(): Promise<void> {
    const parts = this.#parts
    await parts?.history.handOver()
    this.#stopped = true
    for (const leave of this.#leave) leave()
    parts?.push.stop()
    parts?.membership.stop()
    parts?.detection.stop()
    parts?.access.stop()
    await parts?.desk.stop()
    // What is still under way is decided by whoever leads next; closing ends the waiting for it.
    await parts?.history.close()
    await Promise.all(this.#tasks)
  }

  /** Carries out an AdminCommand for an operator on this host; JSON like the operation `admin`. */
  async admin(json: string): Promise<string> {
    const parts = this.#parts
    assert(parts, 'only a started manager is asked')
    const asked = { request: { json }, from: this.#self }
    const reply = await this.#ask(parts, 'admin', asked)
    return reply.json
  }

  #make(history: RaftHistory): Parts {
    const { clock, log, peers, addresses, rebuildAfter = REBUILD_AFTER_MS } = this.#options
    const { self } = peers
    const common = { clock, log, peers, history, self }
    const proposals = new Proposals({
      ...common,
      leaseOver: server => detection.leaseOver(server),
    })
    const propose = (change: Change, manner: ProposalManner): Promise<ProposalResult> => {
      const barred = this.#barred(history)
      return barred ? Promise.resolve(barred) : proposals.propose(change, manner)
    }
    const detection: FailureDetection = new FailureDetection({
      ...common,
      propose: (change, proposer) => propose(change, { proposer, force: false }),
      underWay: base => proposals.underWay(base),
    })
    const membership = new Membership({ ...common, addresses, propose })
    const desk = new LeaderDesk({
      ...common,
      propose,
      live: () => detection.live(),
      registered: server => detection.registered(server),
      rebuildAfter,
    })
    const access = new AccessDesk({ ...common, propose })
    const admin = new AdminDesk({
      ...common,
      ...{ propose, access, snapshots: desk.snapshots },
      reports: this.#reports,
      connected: () => this.#connectedServers(),
      addManager: (manager, how) => membership.add(manager, how),
      newerElsewhere: () => (this.#hasOldCopy(history) ? this.#newestElsewhere : 0),
      refusal: () => desk.refusal,
    })
    const parts = { desk, admin, detection, membership, access }
    const { isGenuine = isSigned } = this.#options
    return {
      ...{ history, proposals, ...parts },
      push: new ConfigurationPush({ clock, peers, history }),
      relay: new Relay({ peers, clock, history, log }),
      relayed: relayedOperations({ ...parts, isGenuine }),
    }
  }

  #serve(parts: Parts): void {
    const { peers } = this.#options
    const { history, push, relay, relayed } = parts
    const serve = <O extends OperationName>(operation: O, handler: OperationHandler<O>): void =>
      peers.serve(operation, (request, from, answer) => {
        if (!this.#stopped) handler(request, from, answer)
      })
    for (const operation of relayed.names) {
      relay.add(operation, relayed.of(operation))
      serve(operation, (request, from, answer) =>
        this.#run(async () =>
          answer(await this.#ask(parts, operation, { request, from: relayedPeer(from) })),
        ),
      )
    }
    serve('relay', ({ operation, payload, from }, _manager, answer) =>
      this.#run(async () => answer(await relay.take(operation, payload, from))),
    )
    serve('raft', (message, from) => {
      if (!this.#isOfAnotherCluster(from)) history.receive(from.id, message)
    })
    const voting = new VotingDesk({
      ...this.#options,
      ...{ self: peers.self, history },
    })
    serve('manager-vote', (request, _leader, answer) =>
      this.#run(async () => answer(await voting.vote(request))),
    )
    serve('storage-report', (report, from) => {
      this.#reports.storage(from.id, report)
      parts.admin.reported()
      push.seenAt(from.id, report.epoch)
    })
    serve('client-report', (report, from) => {
      this.#reports.client(from.id, report)
      push.seenAt(from.id, report.epoch)
    })
    serve('mismatch', (report, from) => this.#mismatch(report, from))
    serve('configuration', (update, from) => {
      if (!this.#isOfAnotherCluster(from)) this.#told(parts, update)
    })
    serve('fetch-configuration', ({ have }, _from, answer) => answer(push.updateFrom(have)))
  }

  #ask<O extends OperationName>(
    { relay, relayed }: Parts,
    operation: O,
    asked: Pick<Asked<O>, 'request' | 'from'>,
  ): Promise<Reply<O>> {
    const limits = relayed.limits(operation, asked.request)
    return relay.ask(operation, relayed.of(operation), { ...asked, ...limits })
  }

  #join(parts: Parts, joining: boolean): void {
    const { membership } = parts
    if (membership.isMember) {
      if (joining) this.#run(() => joined(this.#options))
      return
    }
    const { onWaiting, log } = this.#options
    const say = onWaiting ?? ((): void => undefined)
    const work = joining ? membership.ask(say) : membership.untilAdded(say)
    this.#joined = work.then(() => joined(this.#options))
    // Whoever does not wait for it must not be ended by it.
    this.#joined.catch((error: unknown) => log.error('not taken in', { error: String(error) }))
  }

  /** Another manager says what the configuration is: news only if we are not in it any more. */
  #told(parts: Parts, update: ConfigurationUpdate): void {
    if (!parts.membership.hears(update)) return
    this.#options.log.error('this manager was removed from the cluster')
    this.#join(parts, false)
  }

  #leadership({ desk, history, membership, relay, relayed }: Parts): void {
    const { log } = this.#options
    if (history.leads) log.info('leads the managers', { epoch: this.configuration.epoch })
    desk.consider()
    this.#updateAddresses({ membership, relay, relayed })
  }

  #updateAddresses({
    membership,
    relay,
    relayed,
  }: Pick<Parts, 'membership' | 'relay' | 'relayed'>): void {
    this.#run(() =>
      membership.updateAddresses(request =>
        relay.ask('manager-join', relayed.of('manager-join'), { request, from: this.#self }),
      ),
    )
  }

  #mismatch(report: MismatchReport, from: PeerInfo): void {
    const epoch = this.#parts?.history.current()?.epoch ?? 0
    this.#reports.mismatch()
    this.#options.log.debug('a request came from another epoch', {
      ...{ epoch, seen: report.seen, reporter: report.own, from: report.from },
    })
    this.#parts?.push.seenAt(from.id, report.own)
    this.#parts?.push.seenAt(report.from, report.seen)
  }

  #connected(peer: PeerInfo): void {
    const parts = this.#parts
    if (!parts) return
    if (this.#isOfAnotherCluster(peer)) {
      const { log } = this.#options
      log.warn('a peer has the data directory of another cluster', { peer: peer.id })
      return
    }
    if (peer.cluster !== null) this.#newestElsewhere = Math.max(this.#newestElsewhere, peer.epoch)
    parts.push.connected(peer.id, peer.cluster === null ? 0 : peer.epoch)
    if (peer.roles.includes('manager')) parts.history.reconnected(peer.id)
    this.#updateAddresses(parts)
  }

  #disconnected(peer: PeerInfo): void {
    this.#parts?.push.disconnected(peer.id)
    this.#reports.disconnected(peer.id)
  }

  #committed(configuration: Configuration): void {
    const { peers } = this.#options
    const { cluster, epoch, managers, servers } = configuration
    peers.describe({ cluster, epoch })
    const others = managers.filter(({ id }) => id !== peers.self)
    peers.remember([...others, ...servers.values()])
    this.#parts?.push.committed()
    this.#parts?.desk.consider()
  }

  /** Why this manager may not commit anything now; null if it may, or another one leads. */
  #barred(history: RaftHistory): ProposalResult | null {
    const newest = this.#newestElsewhere
    if (!history.leads || newest <= (history.current()?.epoch ?? 0)) return null
    if (!this.#hasOldCopy(history)) {
      const reason = 'Peers are ahead of this manager, which may not lead any more: try again.'
      return { kind: 'refused', code: 'no-leader', reason }
    }
    const reason =
      `The data directories of the managers are old copies: a peer knows epoch ${newest}. ` +
      'Start the managers with the newest ones.'
    return { kind: 'refused', code: 'old-copy', reason }
  }

  /**
   * Only if nobody else can lead by now, since a newer epoch may be the work of the next leader;
   * and while nothing is under way here, since others may hear of a commit before it is applied.
   */
  #hasOldCopy(history: RaftHistory): boolean {
    const behind = this.#newestElsewhere > (history.current()?.epoch ?? 0)
    return behind && history.leads && history.leaseValid() && history.isQuiet
  }

  #connectedServers(): ReadonlyMap<PeerId, Incarnation> {
    const configuration = this.#parts?.history.current()
    const connected = new Map<PeerId, Incarnation>()
    for (const { id, incarnation, cluster } of this.#options.peers.list()) {
      // Another incarnation than the recorded one has yet to register, and may be refused.
      if (configuration?.servers.get(id)?.incarnation !== incarnation) continue
      if (cluster === null || cluster === configuration.cluster) connected.set(id, incarnation)
    }
    return connected
  }

  #isOfAnotherCluster({ cluster }: PeerInfo): boolean {
    const own = this.#parts?.history.current()?.cluster
    return cluster !== null && own !== undefined && cluster !== own
  }

  get #self(): RelayedPeer {
    const { self } = this.#options.peers
    const cluster = this.#parts?.history.current()?.cluster ?? null
    return { id: self, roles: ['manager'], incarnation: 0 as Incarnation, cluster }
  }

  /** Work that outlives its message handler; stop() waits for it. */
  #run(work: () => Promise<void>): void {
    const task = work()
      .catch((error: unknown) => {
        // A broken invariant must end the process; the disk may fail without ending anything.
        if (!isSwarmdiskError(error)) throw error
        this.#options.log.error('a request was not carried out', { error: error.message })
      })
      .finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }
}

function relayedPeer({ id, roles, incarnation, cluster }: PeerInfo): RelayedPeer {
  return { id, roles, incarnation, cluster }
}
