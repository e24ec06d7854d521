// What all roles share: term, vote, log, commit and the leader of the term, together with the
// effects of the step under way, so that nothing changes without the effect that goes with it.
// The safety rules that every role has to keep are asserted here.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type {
  LogEntry,
  LogIndex,
  LogSnapshot,
  RaftMessage,
  Term,
} from '../../net/manager-messages.js'
import { logIndex, RaftLog } from './raft-log.js'
import type {
  HardState,
  Moment,
  RaftEffects,
  RaftSend,
  RaftStart,
  RaftTimings,
} from './raft-types.js'

interface Pending {
  hardState: boolean
  snapshot: LogSnapshot | null
  readonly entries: LogEntry[]
  readonly send: RaftSend[]
  readonly commitBefore: LogIndex
}

export class RaftState {
  readonly self: PeerId
  readonly timings: RaftTimings
  readonly log: RaftLog
  #term: Term
  #vote: PeerId | null
  #commit: LogIndex
  #leader: PeerId | null = null
  // Also when it is not heard of any more.
  #leaderOfTerm: PeerId | null = null
  #moment: Moment
  #pending: Pending

  constructor(start: RaftStart, timings: RaftTimings, moment: Moment) {
    const { self, hardState, snapshot, entries, commit } = start
    this.self = self
    this.timings = timings
    this.log = new RaftLog(snapshot, entries)
    assert(hardState.term >= this.log.last.term, 'a log has no entry of a term never heard of')
    this.#term = hardState.term
    this.#vote = hardState.vote
    this.#commit = logIndex(Math.max(this.log.base.index, Math.min(commit, this.log.lastIndex)))
    this.#moment = moment
    this.#pending = this.#nothing()
  }

  get term(): Term {
    return this.#term
  }

  get vote(): PeerId | null {
    return this.#vote
  }

  get hardState(): HardState {
    return { term: this.#term, vote: this.#vote }
  }

  get commit(): LogIndex {
    return this.#commit
  }

  /** Of this term, as long as it is heard of. */
  get leader(): PeerId | null {
    return this.#leader
  }

  get now(): number {
    return this.#moment.now
  }

  get isMember(): boolean {
    return this.log.members.includes(this.self)
  }

  /**
   * Also whoever was removed by an entry that is not known to be committed: it may be the only one
   * that has this entry, which the others' votes depend on (Ongaro's dissertation, 4.2.2).
   */
  get mayCampaign(): boolean {
    const memberships = this.log.membershipsFrom(this.#commit)
    return memberships.some(({ members }) => members.includes(this.self))
  }

  get others(): readonly PeerId[] {
    return this.log.members.filter(member => member !== this.self)
  }

  /** When to campaign if nothing is heard from now on; by chance, so that it is not all at once. */
  electionDeadline(): number {
    const { electionMin, electionMax } = this.timings
    return this.now + electionMin + Math.floor(this.#moment.jitter * (electionMax - electionMin))
  }

  /** When to campaign again after a refusal: long enough for one of two to win meanwhile. */
  retryDeadline(): number {
    const { heartbeat, electionMin, electionMax } = this.timings
    return this.now + 2 * heartbeat + Math.floor(this.#moment.jitter * (electionMax - electionMin))
  }

  begin(moment: Moment): void {
    assert(moment.now >= this.#moment.now, 'the clock of a manager runs forward')
    this.#moment = moment
    this.#pending = this.#nothing()
  }

  finish(): RaftEffects {
    const { hardState, snapshot, entries, send, commitBefore } = this.#pending
    return {
      hardState: hardState ? this.hardState : null,
      snapshot,
      entries,
      send,
      commit: this.#commit > commitBefore ? this.#commit : null,
    }
  }

  enterTerm(term: Term): void {
    assert(term > this.#term, 'terms grow')
    this.#term = term
    this.#vote = null
    this.#leader = null
    this.#leaderOfTerm = null
    this.#pending.hardState = true
  }

  voteFor(candidate: PeerId): void {
    assert(this.#vote === null || this.#vote === candidate, 'one vote in a term')
    if (this.#vote === candidate) return
    this.#vote = candidate
    this.#pending.hardState = true
  }

  follow(leader: PeerId): void {
    const known = this.#leaderOfTerm
    assert(known === null || known === leader, `one leader in a term: ${known}, ${leader}`)
    this.#leaderOfTerm = leader
    this.#leader = leader
  }

  loseLeader(): void {
    this.#leader = null
  }

  append(entries: readonly LogEntry[]): void {
    const first = entries[0]
    if (!first) return
    assert(first.index > this.#commit, `committed entries are never replaced: ${first.index}`)
    this.log.append(entries)
    this.#pending.entries.push(...entries)
  }

  install(snapshot: LogSnapshot): void {
    assert(snapshot.index > this.#commit, 'a snapshot never takes back what is committed')
    this.log.reset(snapshot)
    this.#pending.snapshot = snapshot
    this.#commit = snapshot.index
  }

  /** Everything up to here is committed; nothing new if that was known. */
  commitTo(index: LogIndex): void {
    assert(index <= this.log.lastIndex, 'what is committed is in the log')
    if (index > this.#commit) this.#commit = index
  }

  send(to: PeerId, message: RaftMessage): void {
    this.#send(to, message, false)
  }

  /** For what says nothing about the own log: it need not wait for the disk. */
  sendUrgent(to: PeerId, message: RaftMessage): void {
    this.#send(to, message, true)
  }

  #send(to: PeerId, message: RaftMessage, urgent: boolean): void {
    assert(to !== this.self, 'no messages to oneself')
    this.#pending.send.push({ to, message, urgent })
  }

  #nothing(): Pending {
    return { hardState: false, snapshot: null, entries: [], send: [], commitBefore: this.#commit }
  }
}
