// Leases of storage servers, at the leader: every heartbeat earns one, and a server that is not
// heard of for longer than a lease is declared down. Idle on managers that do not lead.
//
// Why a server that was declared down serves nothing any more (I4):
// - Its lease ran from when it sent its last heartbeat; here it is counted from when that arrived,
//   plus a margin. So it was over before the decision.
// - From the decision on it is given none: here it is condemned, by the next leader it is found
//   recorded as down, since a leader leads only when it has applied what earlier ones left. If the
//   record did not make it into that leader's history it will never be in any, and nothing was
//   dropped.
// - One that says that it is being stopped has ended its lease before, and asks for none. One whose
//   process has ended serves nothing; its host says so, and of which start that was.
// - A leader grants only while a quorum confirms that nobody else leads. So the leases of an
//   earlier leader began before this one did: counting everybody as heard of then is safe.
// - It serves again only under a configuration in which it is registered again.
import type { Epoch, Incarnation, PeerId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { DOWN_RETRY_MS, LEASE_MARGIN_MS, LEASE_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Change } from '../../layout/change.js'
import { isDownState } from '../../layout/replicas.js'
import type { Heartbeat, HeartbeatReply } from '../../net/manager-messages.js'
import { serverName, shortId } from '../describe-change.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import { LeasesState } from './leases-state.js'

export interface FailureDetectionOptions {
  readonly self: PeerId
  readonly clock: Clock
  readonly log: Log
  readonly history: ReplicatedHistory
  readonly propose: (change: Change, proposer: string) => Promise<ProposalResult>
  /** Whether a proposal that was voted on under this epoch may yet be committed. */
  readonly underWay: (base: Epoch) => boolean
}

const NO_LEADER: HeartbeatReply = { kind: 'no-leader' }

export class FailureDetection {
  readonly #o: FailureDetectionOptions
  readonly #listeners = new Set<() => void>()
  readonly #leave: readonly (() => void)[]
  /** Null while this manager does not lead. */
  #state: LeasesState | null = null
  #timer: Timer | null = null
  /** Nobody is declared down before this. */
  #notBefore = 0
  /** The last look was put off because it was late; a host that is always late gets one more. */
  #patient = false
  #stopped = false

  constructor(options: FailureDetectionOptions) {
    this.#o = options
    const { history } = options
    this.#leave = [
      history.onLeadership(() => this.#leadership()),
      history.subscribe(() => this.#adopt()),
    ]
    this.#leadership()
  }

  stop(): void {
    this.#stopped = true
    for (const leave of this.#leave) leave()
    this.#timer?.cancel()
    this.#state = null
  }

  /** From a storage server, whoever has passed it on. */
  heartbeat(
    { incarnation, fenced }: Pick<Heartbeat, 'incarnation' | 'fenced'>,
    from: { readonly id: PeerId },
  ): HeartbeatReply {
    const { history, self, clock, underWay } = this.#o
    const state = this.#state
    const configuration = history.current()
    if (!state || !history.leads || !configuration) return NO_LEADER
    const mayServe = state.mayServe(from.id, incarnation)
    // Noted even if there is no lease for it: it is not its fault, and waiting longer is safe.
    if (mayServe && state.heard(from.id, clock.now())) this.#announce()
    if (!history.leaseValid()) return NO_LEADER
    if (!mayServe) return { kind: 'unregistered', leader: self }
    const { epoch } = configuration
    const undone = fenced === epoch && !underWay(fenced)
    return { kind: 'granted', epoch, leader: self, released: undone ? fenced : (0 as Epoch) }
  }

  /** It has just registered, which is as good as a heartbeat. */
  registered(server: PeerId): void {
    if (this.#state?.heard(server, this.#o.clock.now())) this.#announce()
  }

  /**
   * It serves nothing any more, as itself or its host says, which is as good as a lease that is
   * over. Resolves when it is declared down, or is not; false if that is another one's to decide.
   */
  async left(
    server: PeerId,
    { incarnation, reason }: { readonly incarnation: Incarnation; readonly reason: string },
  ): Promise<boolean> {
    const state = this.#state
    const { history } = this.#o
    if (!state || !history.leads) return false
    const recorded = history.current()?.servers.get(server)
    if (recorded?.incarnation === incarnation && isDownState(recorded.state)) return true
    if (!state.mayServe(server, incarnation)) return false
    state.condemn(server)
    this.#announce()
    await this.#declare(state, server, reason)
    this.#arm()
    return true
  }

  /** Storage servers that are registered and were heard of within the lease. */
  live(): ReadonlyMap<PeerId, Incarnation> {
    return this.#state?.live(this.#o.clock.now()) ?? new Map<PeerId, Incarnation>()
  }

  /** No lease of this server runs, and it is given none before it has registered (again). */
  leaseOver(server: PeerId): boolean {
    const recorded = this.#o.history.current()?.servers.get(server)
    if (!this.#state || !recorded) return false
    return isDownState(recorded.state) || this.#state.isCondemned(server)
  }

  /** Called when a server has become live, or a lease was over. Returns the way out. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #leadership(): void {
    const leads = this.#o.history.leads && !this.#stopped
    if (leads === (this.#state !== null)) return
    // Nothing of an earlier leadership lingers, least of all who was condemned.
    this.#state = leads ? new LeasesState() : null
    this.#notBefore = 0
    this.#adopt()
  }

  #adopt(): void {
    const { history, clock } = this.#o
    const configuration = history.current()
    if (configuration) this.#state?.adopt(configuration, clock.now())
    this.#arm()
  }

  /** One timer, for the next lease that will be over; a heartbeat meanwhile only makes it idle. */
  #arm(): void {
    this.#timer?.cancel()
    this.#timer = null
    const end = this.#state?.nextEnd() ?? null
    if (end === null) return
    const due = Math.max(end, this.#notBefore)
    this.#timer = this.#o.clock.after(due - this.#o.clock.now(), () => this.#look(due))
  }

  #postpone(delay: number): void {
    this.#notBefore = this.#o.clock.now() + delay
    this.#arm()
  }

  #look(due: number): void {
    const { clock, history } = this.#o
    const state = this.#state
    if (!state) return
    // This process stood still, or cannot tell whether it still leads: what was sent to it
    // meanwhile comes first. If it stood still for long its links are gone, and everybody has to
    // come back before they can say anything. Being late with this is safe.
    const late = clock.now() - due
    const stoodStill = late > LEASE_MARGIN_MS && !this.#patient
    this.#patient = stoodStill
    if (stoodStill) return this.#postpone(late > LEASE_MS ? LEASE_MS : LEASE_MARGIN_MS)
    if (!history.leaseValid()) return this.#postpone(LEASE_MARGIN_MS)
    const over = state.over(clock.now())
    for (const server of over) state.condemn(server)
    if (over.length > 0) {
      this.#announce()
      void this.#declareAll(state, over)
    }
    this.#arm()
  }

  /** One after the other: each with those as live that are neither declared nor about to be. */
  async #declareAll(state: LeasesState, servers: readonly PeerId[]): Promise<void> {
    for (const server of servers) {
      if (state !== this.#state) return
      if (!state.isCondemned(server)) continue
      await this.#declare(state, server, this.#reason(state, server))
    }
  }

  async #declare(state: LeasesState, server: PeerId, reason: string): Promise<void> {
    const { clock, log, propose, self } = this.#o
    const incarnation = state.incarnationOf(server)
    if (incarnation === null) return
    const live = [...state.live(clock.now()).keys()]
    const change: Change = {
      kind: 'server-down',
      ...{ server, incarnation, live, reason },
    }
    try {
      const result = await propose(change, `manager ${shortId(self)}`)
      this.#declared(state, server, result)
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      log.error('that a storage server is down could not be recorded', {
        ...{ server: this.#nameOf(server), error: error.message },
      })
      this.#again(state, server)
    }
  }

  #declared(state: LeasesState, server: PeerId, result: ProposalResult): void {
    const { clock, history, log } = this.#o
    const configuration = history.current()
    if (state !== this.#state || !configuration) return
    if (result.kind === 'committed') {
      log.warn('a storage server is down', { server: this.#nameOf(server) })
      state.declared(server, configuration, clock.now())
      return this.#arm()
    }
    const { code, reason } = result
    log.warn('a storage server was not declared down', {
      ...{ server: this.#nameOf(server), code, reason },
    })
    // Nothing was changed: it may have a lease again, and if it does not ask for one it is looked
    // at again after a while.
    state.pardon(server)
    this.#postpone(DOWN_RETRY_MS)
  }

  /** It may be recorded as down or not: it stays condemned until that is known. */
  #again(state: LeasesState, server: PeerId): void {
    this.#o.clock.after(DOWN_RETRY_MS, () => void this.#declareAll(state, [server]))
  }

  #reason(state: LeasesState, server: PeerId): string {
    const silence = state.silence(server, this.#o.clock.now())
    if (silence === null) return 'nothing was heard of it since this manager leads'
    return `nothing was heard of it for ${Math.round(silence / 100) / 10} s`
  }

  #nameOf(server: PeerId): string {
    const configuration = this.#o.history.current()
    return configuration ? serverName(configuration, server) : shortId(server)
  }

  #announce(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
