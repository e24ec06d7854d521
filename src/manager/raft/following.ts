// What a manager does with what its leader sends, and how long it has been since. As long as that
// is short it promises not to help anybody else to lead: on this rest leader leases.
//
// It believes that something is committed only as far as it knows its log to be the leader's:
// never because of what it may have acknowledged before it was restarted.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { LogEntry, LogIndex, RaftMessage, Term } from '../../net/manager-messages.js'
import { logIndex, raftTerm } from './raft-log.js'
import type { RaftState } from './raft-state.js'

export type Append = Extract<RaftMessage, { kind: 'append' }>
export type Heartbeat = Extract<RaftMessage, { kind: 'heartbeat' }>
export type SnapshotMessage = Extract<RaftMessage, { kind: 'snapshot' }>

export class Following {
  readonly #s: RaftState
  #heardAt: number
  #deadline: number
  // Up to here the log is that of the leader of `#agreedTerm`.
  #agreedIndex = logIndex(0)
  #agreedTerm = raftTerm(0)

  /**
   * Before a restart this manager may have promised a lease: it keeps that promise without knowing
   * to whom. A manager that is alone has nobody to promise anything to, and need not wait either.
   */
  constructor(state: RaftState) {
    this.#s = state
    const alone = isAlone(state)
    this.#heardAt = alone ? -Infinity : state.now
    this.#deadline = alone ? state.now : state.electionDeadline()
  }

  /** When to campaign. */
  get deadline(): number {
    return this.#deadline
  }

  restartTimer(): void {
    this.#deadline = this.#s.electionDeadline()
  }

  /** Somebody refused a vote: two stood at once, perhaps, or one of them was a little too early. */
  retrySoon(): void {
    this.#deadline = Math.min(this.#deadline, this.#s.retryDeadline())
  }

  /** A leader may rely on this manager: nobody else gets its vote. */
  get isBound(): boolean {
    return this.#s.now < this.#heardAt + this.#s.timings.electionMin
  }

  /** Something came from the leader of the term. */
  hear(leader: PeerId): void {
    this.#s.follow(leader)
    this.#heardAt = this.#s.now
    this.restartTimer()
  }

  append(leader: PeerId, message: Append): void {
    if (!isWellFormed(message)) return
    const { previousIndex, previousTerm, commit, entries } = message
    if (!this.#fits(previousIndex, previousTerm)) {
      this.#refuse(leader, this.#s.log.lastAtMost(before(previousIndex), previousTerm))
      return
    }
    this.#s.append(entries.slice(this.#known(entries)))
    const last = logIndex(previousIndex + entries.length)
    this.#accept(leader, last)
    this.#s.commitTo(least(commit, last))
  }

  heartbeat(leader: PeerId, { commit, sentAt, term }: Heartbeat): void {
    const agreed = this.#agreed
    this.#s.commitTo(least(commit, agreed))
    this.#s.sendUrgent(leader, { kind: 'heartbeat-reply', term, sentAt })
    // The leader believes that we agree up to there, so we did, before a restart.
    if (commit > agreed) this.#refuse(leader, this.#s.log.lastIndex)
  }

  snapshot(leader: PeerId, { snapshot }: SnapshotMessage): void {
    const { log, commit } = this.#s
    const { index, term, members } = snapshot
    if (members.length === 0 || term > this.#s.term) return
    if (index <= commit) {
      this.#accept(leader, commit)
    } else if (log.term(index) === term) {
      this.#accept(leader, index)
      this.#s.commitTo(index)
    } else {
      this.#s.install(snapshot)
      this.#accept(leader, index)
    }
  }

  /** What is committed is in the log of every later leader. */
  get #agreed(): LogIndex {
    const { term, commit } = this.#s
    return this.#agreedTerm === term && this.#agreedIndex > commit ? this.#agreedIndex : commit
  }

  #fits(index: LogIndex, term: Term): boolean {
    const { log, commit } = this.#s
    const own = log.term(index)
    const fits = index < log.base.index || own === term
    assert(fits || index > commit, 'a leader has everything that is committed')
    return fits
  }

  /** How many of these are in the log already. */
  #known(entries: readonly LogEntry[]): number {
    const { log } = this.#s
    const isNew = ({ index, term }: LogEntry): boolean =>
      index > log.base.index && log.term(index) !== term
    const first = entries.findIndex(isNew)
    return first < 0 ? entries.length : first
  }

  #accept(leader: PeerId, index: LogIndex): void {
    const { term } = this.#s
    this.#agreedIndex = index > this.#agreed ? index : this.#agreed
    this.#agreedTerm = term
    const hintTerm = raftTerm(0)
    this.#s.send(leader, { kind: 'append-reply', term, accepted: true, index, hintTerm })
  }

  #refuse(leader: PeerId, index: LogIndex): void {
    const { term, log } = this.#s
    const hintTerm = log.term(index) ?? raftTerm(0)
    this.#s.send(leader, { kind: 'append-reply', term, accepted: false, index, hintTerm })
  }
}

/** It is the only voter, and was already before anything that is perhaps not committed. */
function isAlone({ log, commit, self }: RaftState): boolean {
  const memberships = log.membershipsFrom(commit)
  return (
    memberships.length > 0 &&
    memberships.every(({ members }) => members.length === 1 && members[0] === self)
  )
}

/** What a peer sends is not what a log asserts of itself. */
function isWellFormed({ term, previousIndex, previousTerm, entries }: Append): boolean {
  let [index, newest] = [previousIndex as number, previousTerm as number]
  for (const entry of entries) {
    if (entry.index !== index + 1 || entry.term < newest) return false
    if (entry.members?.length === 0) return false
    index = entry.index
    newest = entry.term
  }
  return newest <= term
}

function before(index: LogIndex): LogIndex {
  return logIndex(index - 1)
}

function least(a: LogIndex, b: LogIndex): LogIndex {
  return a < b ? a : b
}
