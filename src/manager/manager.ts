// The manager role: owns the history of the configuration, and is where everything that changes it
// comes together: servers that register, replicas that caught up, servers that are back, operators.
// It answers nobody before the change is durable, and tells every connected peer afterwards.
// start() comes before the start of the peers, since it says what they announce and serve.
import { assert } from '../base/assert.js'
import { clusterId, type Incarnation, type PeerId } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { Random } from '../base/random.js'
import type { Disk } from '../disk/disk.js'
import type { Change } from '../layout/change.js'
import type { Address, Configuration } from '../layout/configuration.js'
import { equal } from '../layout/equal.js'
import type { MismatchReport, RegisterReply } from '../net/messages.js'
import type { OperationName } from '../net/operations.js'
import type { OperationHandler, PeerInfo, Peers } from '../net/peers.js'
import { AdminDesk } from './admin/admin.js'
import { CaughtUpBatch } from './caught-up-batch.js'
import { ConfigurationPush } from './configuration-push.js'
import { serverName, shortId } from './describe-change.js'
import type { ProposalResult } from './history/configuration-history.js'
import { SingleManagerHistory } from './history/single-manager-history.js'
import { serverRecordOf } from './registration.js'
import { Reports } from './reports.js'
import { ReturningServers } from './returning-servers.js'

export interface ManagerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly peers: Peers
  readonly log: Log
  /** Where peers reach this manager directly; asked again now and then. */
  readonly addresses: () => readonly Address[]
  /** Start a new cluster; else there must be one in the data directory. */
  readonly newCluster: boolean
}

export class Manager {
  readonly #options: ManagerOptions
  readonly #reports = new Reports()
  readonly #tasks = new Set<Promise<void>>()
  readonly #returning: ReturningServers
  readonly #caughtUp: CaughtUpBatch
  readonly #leave: (() => void)[] = []
  #history: SingleManagerHistory | null = null
  #push: ConfigurationPush | null = null
  #desk: AdminDesk | null = null
  // The newest epoch a peer of this cluster knows, if it is newer than ours: then this data
  // directory is an old copy, and committing anything would make two configurations of one epoch.
  #newerElsewhere = 0
  #stopped = false

  constructor(options: ManagerOptions) {
    this.#options = options
    const { log } = options
    const current = (): Configuration | null => this.#history?.current() ?? null
    const connected = (): ReadonlyMap<PeerId, Incarnation> => this.#connectedServers()
    this.#returning = new ReturningServers({
      ...{ log, current, connected },
      propose: change => this.#propose(change, this.#myself),
    })
    this.#caughtUp = new CaughtUpBatch({
      ...{ log, current },
      propose: (change, primaries) =>
        this.#propose(change, primaries.map(id => this.#nameOf(id)).join(', ')),
    })
  }

  /** The newest configuration; there is one as soon as start() has resolved. */
  get configuration(): Configuration {
    const configuration = this.#history?.current()
    assert(configuration, 'a started manager has a configuration')
    return configuration
  }

  /** Requests that somebody has seen from another epoch, since the start. */
  get mismatches(): number {
    return this.#reports.mismatches
  }

  async start(): Promise<void> {
    const { clock, disk, log, peers } = this.#options
    const history = await SingleManagerHistory.open({ disk, clock, log })
    try {
      await this.#settleWhoseCluster(history)
    } catch (error) {
      await history.close()
      throw error
    }
    this.#history = history
    this.#push = new ConfigurationPush({ clock, peers, history })
    this.#committed(this.configuration)
    this.#serve(history, this.#push)
    this.#leave.push(
      history.subscribe(configuration => this.#committed(configuration)),
      peers.subscribe({
        connected: peer => this.#connected(peer),
        disconnected: peer => this.#disconnected(peer),
      }),
    )
    for (const peer of peers.list()) this.#connected(peer)
    log.info('manager serves', { epoch: this.configuration.epoch })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const leave of this.#leave) leave()
    this.#push?.stop()
    await Promise.all([this.#returning.stop(), this.#caughtUp.stop()])
    await Promise.all(this.#tasks)
    await this.#history?.close()
  }

  /** Carries out an AdminCommand for an operator on this host; JSON like the operation `admin`. */
  admin(json: string): Promise<string> {
    const desk = this.#desk
    assert(desk, 'only a started manager is asked')
    return desk.carryOut(json, { id: this.#options.peers.self, roles: ['manager'] })
  }

  async #settleWhoseCluster(history: SingleManagerHistory): Promise<void> {
    const { addresses, newCluster, peers, random } = this.#options
    const configuration = history.current()
    if (!configuration) {
      if (!newCluster) throw noHistory()
      const cluster = clusterId(Buffer.from(random.bytes(16)).toString('hex'))
      const manager = { id: peers.self, addresses: addresses() }
      const change: Change = { kind: 'cluster-created', cluster, manager }
      const votes = [this.#ownVote()]
      const result = await history.propose(change, { proposer: this.#myself, votes })
      assert(result.kind === 'committed', 'the first change of a cluster is valid')
      return
    }
    if (newCluster) throw otherHistory(configuration)
    if (!configuration.managers.some(({ id }) => id === peers.self)) throw otherIdentity()
  }

  #serve(history: SingleManagerHistory, push: ConfigurationPush): void {
    const { log, peers } = this.#options
    const serve = <O extends OperationName>(operation: O, handler: OperationHandler<O>): void =>
      peers.serve(operation, (request, from, answer) => {
        if (!this.#stopped) handler(request, from, answer)
      })
    const desk = (this.#desk = new AdminDesk({
      ...{ self: peers.self, history, log, reports: this.#reports },
      connected: () => this.#connectedServers(),
      propose: (change, proposer) => this.#propose(change, proposer),
      newerElsewhere: () => this.#newerElsewhere,
    }))
    serve('register', (request, from, answer) =>
      this.#run(async () => {
        const server = serverRecordOf(request, from, this.configuration)
        answer(await this.#register(server, from))
      }),
    )
    serve('storage-report', (report, from) => {
      this.#reports.storage(from.id, report)
      push.seenAt(from.id, report.epoch)
    })
    serve('client-report', (report, from) => {
      this.#reports.client(from.id, report)
      push.seenAt(from.id, report.epoch)
    })
    serve('mismatch', (report, from) => this.#mismatch(report, from))
    serve('caught-up-proposal', (proposal, from) => this.#caughtUp.add(from.id, proposal))
    serve('fetch-configuration', ({ have }, _from, answer) => answer(push.updateFrom(have)))
    serve('admin', ({ json }, from, answer) =>
      this.#run(async () => answer({ json: await desk.carryOut(json, from) })),
    )
  }

  async #register(
    server: ReturnType<typeof serverRecordOf>,
    from: PeerInfo,
  ): Promise<RegisterReply> {
    if (this.#isOfAnotherCluster(from)) return { kind: 'refused', reason: OTHER_CLUSTER }
    const known = this.configuration.servers.get(server.id)
    if (!equal(known, server)) {
      try {
        const change: Change = { kind: 'server-registered', server }
        const result = await this.#propose(change, `storage server ${server.name}`)
        if (result.kind === 'refused' && result.code !== 'no-change') {
          const { name } = server
          this.#options.log.warn('registration refused', { name, reason: result.reason })
          return { kind: 'refused', reason: result.reason }
        }
      } catch (error) {
        if (!isSwarmdiskError(error)) throw error
        return { kind: 'refused', reason: error.message }
      }
    }
    this.#returning.consider()
    return { kind: 'registered', epoch: this.configuration.epoch }
  }

  #mismatch(report: MismatchReport, from: PeerInfo): void {
    const { epoch } = this.configuration
    this.#reports.mismatch()
    this.#options.log.debug('a request came from another epoch', {
      ...{ epoch, seen: report.seen, reporter: report.own, from: report.from },
    })
    this.#push?.seenAt(from.id, report.own)
    this.#push?.seenAt(report.from, report.seen)
  }

  #connected(peer: PeerInfo): void {
    const { log } = this.#options
    if (this.#isOfAnotherCluster(peer)) {
      log.warn('a peer has the data directory of another cluster', { peer: peer.id })
      return
    }
    const { epoch } = this.configuration
    if (peer.epoch > epoch && peer.cluster !== null) {
      this.#newerElsewhere = Math.max(this.#newerElsewhere, peer.epoch)
      log.error('a peer knows a newer epoch: the data directory of this manager is an old copy', {
        ...{ epoch, newer: peer.epoch, peer: peer.id },
      })
    }
    this.#push?.connected(peer.id, peer.cluster === null ? 0 : peer.epoch)
    this.#run(() => this.#updateAddresses())
    this.#returning.consider()
  }

  #disconnected(peer: PeerInfo): void {
    this.#push?.disconnected(peer.id)
    this.#reports.disconnected(peer.id)
    this.#returning.consider()
  }

  #committed(configuration: Configuration): void {
    const { peers } = this.#options
    const { cluster, epoch, managers, servers } = configuration
    peers.describe({ cluster, epoch })
    const others = managers.filter(({ id }) => id !== peers.self)
    peers.remember([...others, ...servers.values()])
    this.#push?.committed()
    this.#returning.consider()
  }

  /** The port may have changed since the last start; only known once the network has started. */
  async #updateAddresses(): Promise<void> {
    const { addresses, peers } = this.#options
    const manager = { id: peers.self, addresses: addresses() }
    const known = this.configuration.managers.find(({ id }) => id === peers.self)
    if (equal(known, manager)) return
    await this.#propose({ kind: 'manager-updated', manager }, this.#myself)
  }

  #propose(change: Change, proposer: string): Promise<ProposalResult> {
    const history = this.#history
    assert(history, 'only a started manager proposes')
    if (this.#newerElsewhere > 0) {
      return Promise.resolve({
        kind: 'refused',
        code: 'old-copy',
        reason:
          `The data directory of the manager is an old copy: a peer knows epoch ` +
          `${this.#newerElsewhere}. Start the manager with the newest copy.`,
      })
    }
    return history.propose(change, { proposer, votes: [this.#ownVote()] })
  }

  #connectedServers(): ReadonlyMap<PeerId, Incarnation> {
    const servers = this.#history?.current()?.servers
    const connected = new Map<PeerId, Incarnation>()
    for (const { id, incarnation, cluster } of this.#options.peers.list()) {
      // Another incarnation than the recorded one has yet to register, and may be refused.
      if (servers?.get(id)?.incarnation !== incarnation) continue
      if (cluster === null || cluster === this.configuration.cluster) connected.set(id, incarnation)
    }
    return connected
  }

  #isOfAnotherCluster({ cluster }: PeerInfo): boolean {
    return cluster !== null && cluster !== this.configuration.cluster
  }

  get #myself(): string {
    return `manager ${shortId(this.#options.peers.self)}`
  }

  #nameOf(server: PeerId): string {
    return `storage server ${serverName(this.configuration, server)}`
  }

  #ownVote(): { voter: string; role: 'manager'; approve: boolean; reason: string } {
    return { voter: this.#options.peers.self, role: 'manager', approve: true, reason: '' }
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

const OTHER_CLUSTER =
  'The data directory of this storage server belongs to another cluster: ' +
  'start it with an empty one.'

function noHistory(): SwarmdiskError {
  const message =
    'This data directory holds no cluster: start the manager with --new to make one ' +
    '(this release has one manager per cluster, so there is none to join)'
  return new SwarmdiskError('data-directory', message)
}

function otherHistory({ cluster, epoch }: Configuration): SwarmdiskError {
  const message =
    `This data directory already holds cluster ${cluster} at epoch ${epoch}: start the manager ` +
    'without --new, or give an empty directory to --data'
  return new SwarmdiskError('data-directory', message)
}

function otherIdentity(): SwarmdiskError {
  const message =
    'the identity in this data directory is not the manager of the cluster it holds: ' +
    'restore the whole directory from one copy'
  return new SwarmdiskError('data-directory', message)
}
