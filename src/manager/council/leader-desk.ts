// What only the leader does: storage servers register with it and say that replicas have caught up,
// servers that are back get their place again, those whose lease ran out are declared down, and
// copies are moved.
// The parts are made on every manager, and are idle on all but the leader.
import type { Incarnation, PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'
import { equal } from '../../layout/equal.js'
import type { RelayedPeer } from '../../net/manager-messages.js'
import type {
  CaughtUpProposal,
  RegisterReply,
  RegisterRequest,
  SuspendProposal,
} from '../../net/messages.js'
import { CaughtUpBatch } from '../caught-up-batch.js'
import { serverName, shortId } from '../describe-change.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import { Moves } from '../movement/moves.js'
import { serverRecordOf } from '../registration.js'
import { ReturningServers } from '../returning-servers.js'
import { Schedules } from '../schedules/schedules.js'
import { Snapshots } from '../snapshots.js'
import { Suspensions } from '../suspensions.js'

export interface LeaderDeskOptions {
  readonly self: PeerId
  readonly clock: Clock
  readonly log: Log
  readonly history: ReplicatedHistory
  /** Storage servers whose lease runs, with the incarnation they run as. */
  readonly live: () => ReadonlyMap<PeerId, Incarnation>
  /** A server has registered: its lease may run from now on. */
  readonly registered: (server: PeerId) => void
  /** Milliseconds after which a server that is down is replaced. */
  readonly rebuildAfter: number
  readonly propose: (
    change: Change,
    how: { readonly proposer: string; readonly force: boolean },
  ) => Promise<ProposalResult>
}

/** Nothing is wrong with the registration: the managers could not decide about it now. */
const LATER = new Set(['no-leader', 'busy', 'outdated', 'no-majority', 'no-vote'])
const OTHER_CLUSTER =
  'The data directory of this storage server belongs to another cluster: ' +
  'start it with an empty one.'

export class LeaderDesk {
  readonly #o: LeaderDeskOptions
  readonly #returning: ReturningServers
  readonly #caughtUp: CaughtUpBatch
  readonly #suspensions: Suspensions
  readonly #moves: Moves
  readonly snapshots: Snapshots
  readonly #schedules: Schedules
  /** Asking at this moment: as good as heard of by the plans that follow their registration. */
  readonly #registering = new Map<PeerId, Incarnation>()

  constructor(options: LeaderDeskOptions) {
    this.#o = options
    const { clock, log, history, live, self, rebuildAfter } = options
    const connected = (): ReadonlyMap<PeerId, Incarnation> =>
      new Map([...live(), ...this.#registering])
    const current = (): Configuration | null => this.#leading()
    const propose = (change: Change): Promise<ProposalResult> =>
      this.#propose(change, `manager ${shortId(self)}`)
    this.#returning = new ReturningServers({ log, current, connected, propose })
    this.#moves = new Moves({ clock, log, history, connected, propose, rebuildAfter })
    const proposeFor = (change: Change, primaries: readonly PeerId[]): Promise<ProposalResult> =>
      this.#propose(change, primaries.map(id => this.#nameOf(id)).join(', '))
    this.#caughtUp = new CaughtUpBatch({ log, current, propose: proposeFor })
    this.#suspensions = new Suspensions({ clock, log, current, live, propose: proposeFor })
    const proposeAs = (change: Change, proposer?: string): Promise<ProposalResult> =>
      this.#propose(change, proposer ?? `manager ${shortId(self)}`)
    this.snapshots = new Snapshots({ clock, log, history, propose: proposeAs })
    const { snapshots } = this
    this.#schedules = new Schedules({ clock, log, history, snapshots, propose: proposeAs })
  }

  /** Something has changed that plans depend on. */
  consider(): void {
    this.snapshots.consider()
    this.#schedules.consider()
    if (!this.#o.history.leads) return
    this.#returning.consider()
    this.#moves.consider()
  }

  /** Why the last move of copies was refused; empty if it was not. */
  get refusal(): string {
    return this.#moves.refusal
  }

  caughtUp(proposal: CaughtUpProposal, from: RelayedPeer): void {
    this.#caughtUp.add(from.id, proposal)
  }

  suspend(proposal: SuspendProposal, from: RelayedPeer): void {
    this.#suspensions.add(from.id, proposal)
  }

  async register(request: RegisterRequest, from: RelayedPeer): Promise<RegisterReply> {
    const configuration = this.#leading()
    if (!configuration) return { kind: 'wait' }
    if (from.cluster !== null && from.cluster !== configuration.cluster) {
      return { kind: 'refused', reason: OTHER_CLUSTER }
    }
    const server = serverRecordOf(request, from, configuration)
    if (!equal(configuration.servers.get(server.id), server)) {
      this.#registering.set(server.id, server.incarnation)
      const refusal = await this.#record({ kind: 'server-registered', server })
      this.#registering.delete(server.id)
      if (refusal) return refusal
    }
    const epoch = this.#o.history.current()?.epoch ?? configuration.epoch
    this.#o.registered(server.id)
    this.consider()
    return { kind: 'registered', epoch }
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.#returning.stop(),
      this.#caughtUp.stop(),
      this.#moves.stop(),
      this.#suspensions.stop(),
      this.#schedules.stop(),
      this.snapshots.stop(),
    ])
  }

  async #record(
    change: Extract<Change, { kind: 'server-registered' }>,
  ): Promise<RegisterReply | null> {
    const { name } = change.server
    try {
      const result = await this.#propose(change, `storage server ${name}`)
      if (result.kind === 'committed' || result.code === 'no-change') return null
      const { code, reason } = result
      this.#o.log.warn('registration refused', { name, code, reason })
      return LATER.has(code) ? { kind: 'wait' } : { kind: 'refused', reason }
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#o.log.warn('registration not decided', { name, error: error.message })
      return { kind: 'wait' }
    }
  }

  #propose(change: Change, proposer: string): Promise<ProposalResult> {
    return this.#o.propose(change, { proposer, force: false })
  }

  #leading(): Configuration | null {
    const { history } = this.#o
    return history.leads ? history.current() : null
  }

  #nameOf(server: PeerId): string {
    const configuration = this.#o.history.current()
    return `storage server ${configuration ? serverName(configuration, server) : shortId(server)}`
  }
}
