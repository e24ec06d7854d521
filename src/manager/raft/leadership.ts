// What a manager does for as long as it leads one term: keeps its followers' logs equal to its own,
// finds out what is committed, shows that it lives, and stops when a majority does not answer any
// more. Starts with an empty entry of its own term, since only by such entries it may count.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import { LEARNER_GAP_MAX, MANAGERS_MAX } from '../../base/limits.js'
import type { LogEntry, LogIndex, RaftMessage, Term } from '../../net/manager-messages.js'
import { Followers } from './followers.js'
import { assertOneAtATime } from './membership.js'
import type { Progress } from './progress.js'
import { logIndex } from './raft-log.js'
import type { RaftState } from './raft-state.js'
import type { ProposedEntry } from './raft-types.js'

export type AppendReply = Extract<RaftMessage, { kind: 'append-reply' }>
export type HeartbeatReply = Extract<RaftMessage, { kind: 'heartbeat-reply' }>

/** `sent`: the lease is given up for the rest of this term: the receiver may win at any time. */
interface Transfer {
  readonly to: PeerId
  readonly deadline: number
  readonly sent: boolean
}

/** What a leader does with its place. `renew`: begins a new term, to have a lease again. */
export type Verdict = 'lead' | 'step-down' | 'renew'

const EMPTY = new Uint8Array(0)

export class Leadership {
  readonly followers: Followers
  readonly #s: RaftState
  readonly #first: LogIndex
  // Of the entries of this term, those up to here are durable here.
  #persisted = logIndex(0)
  #beatAt: number
  #transfer: Transfer | null = null

  constructor(state: RaftState) {
    this.#s = state
    this.followers = new Followers(state)
    this.#first = logIndex(state.log.lastIndex + 1)
    this.#beatAt = state.now
    this.#append({ members: null, data: EMPTY })
    this.#beatIfDue()
  }

  /** An entry of this term is committed, and so is everything that older terms left. */
  get isSettled(): boolean {
    return this.#s.commit >= this.#first
  }

  get isTransferring(): boolean {
    return this.#transfer !== null
  }

  get mayChangeMembers(): boolean {
    const { log, commit } = this.#s
    return this.isSettled && log.membersSince <= commit && !this.isTransferring
  }

  /** It knows the log, nearly all of it: as a member it can vote, and delays nothing. */
  mayAdd(peer: PeerId): boolean {
    const { log } = this.#s
    const match = this.followers.get(peer)?.match ?? 0
    if (!this.mayChangeMembers || log.members.includes(peer)) return false
    return (
      log.members.length < MANAGERS_MAX &&
      match >= log.membersSince &&
      log.lastIndex - match <= LEARNER_GAP_MAX
    )
  }

  /** This leader was removed, and that is settled. */
  get isRemoved(): boolean {
    const { log, commit, isMember } = this.#s
    return !isMember && log.membersSince <= commit
  }

  /** Until when nobody else can have been elected; see the types of timings. */
  get leaseEnd(): number {
    if (this.#transfer?.sent) return -Infinity
    const { electionMin, driftMargin } = this.#s.timings
    const promisedFrom = this.followers.reached(Infinity, progress => progress.promisedFrom)
    return promisedFrom + electionMin - driftMargin
  }

  get deadline(): number {
    const { resend } = this.#s.timings
    let deadline = Math.min(this.#quorumDeadline, this.#transfer?.deadline ?? Infinity)
    if (!this.followers.isEmpty) deadline = Math.min(deadline, this.#beatAt)
    for (const [, { waitingSince }] of this.followers) {
      if (waitingSince !== null) deadline = Math.min(deadline, waitingSince + resend)
    }
    return deadline
  }

  tick(): Verdict {
    const { now, timings } = this.#s
    if (now >= this.#quorumDeadline) return 'step-down'
    if (this.#transfer && now >= this.#transfer.deadline) {
      if (this.#transfer.sent) return 'renew'
      this.#transfer = null
    }
    for (const [, progress] of this.followers) {
      const { waitingSince } = progress
      if (waitingSince !== null && now >= waitingSince + timings.resend) progress.startOver()
    }
    this.#beatIfDue()
    return 'lead'
  }

  propose(entries: readonly ProposedEntry[]): void {
    for (const { members, data } of entries) {
      const before = this.#s.log.members
      if (members) this.#assertMayChange(members)
      this.#append({ members, data })
      if (members) {
        this.followers.membersChanged(before.filter(peer => !members.includes(peer)))
      }
    }
  }

  persisted(index: LogIndex, term: Term): void {
    // What was overwritten in memory meanwhile has another term by now.
    if (term === this.#s.term && index > this.#persisted) this.#persisted = index
  }

  transfer(to: PeerId): void {
    if (this.#transfer || !this.#s.others.includes(to)) return
    const deadline = this.#s.now + this.#s.timings.electionMin
    this.#transfer = { to, deadline, sent: false }
  }

  reconnected(peer: PeerId): void {
    const progress = this.followers.get(peer)
    if (!progress) return
    progress.startOver()
    this.#beat(peer, progress)
  }

  appendReply(from: PeerId, { accepted, index, hintTerm }: AppendReply): void {
    const progress = this.followers.get(from)
    const { log, now } = this.#s
    if (!progress) return
    // What this leader does not have it has not sent; a refusal may well name such an entry.
    if (accepted && index > log.lastIndex) return
    progress.heard(now)
    if (accepted) progress.accepted(index, log, now)
    else progress.refused({ index, term: hintTerm }, log)
  }

  heartbeatReply(from: PeerId, { sentAt }: HeartbeatReply): void {
    const progress = this.followers.get(from)
    if (!progress) return
    progress.heard(this.#s.now)
    if (sentAt <= this.#s.now) progress.promised(sentAt)
  }

  /** After every event: counts, and sends what can be sent. */
  flush(): void {
    this.#advanceCommit()
    for (const [peer, progress] of this.followers) {
      this.#replicate(peer, progress)
      if (progress.told < this.#tellable(progress)) this.#beat(peer, progress)
    }
    this.followers.letGo()
    this.#handOverWhenReady()
  }

  /** This leader is not one any more: whoever has everything need not wait for a timeout. */
  resign(): void {
    const { best } = this.followers
    if (best !== null) this.#s.send(best, { kind: 'take-over', term: this.#s.term })
  }

  #append({ members, data }: ProposedEntry): void {
    const { log, term } = this.#s
    const entry: LogEntry = { index: logIndex(log.lastIndex + 1), term, members, data }
    this.#s.append([entry])
  }

  #assertMayChange(members: readonly PeerId[]): void {
    assert(this.mayChangeMembers, 'one change of membership at a time')
    const { added } = assertOneAtATime(this.#s.log.members, members)
    for (const peer of added) assert(this.mayAdd(peer), 'whoever becomes a member knows the log')
  }

  /** Without answers of a majority since then, others may have elected somebody. */
  get #quorumDeadline(): number {
    const heardAt = this.followers.reached(Infinity, progress => progress.heardAt)
    return heardAt + this.#s.timings.electionMax
  }

  #advanceCommit(): void {
    const { log, term } = this.#s
    const index = logIndex(this.followers.reached(this.#persisted, progress => progress.match))
    // An entry of an older term may be replaced though a majority has it (figure 8 of the paper).
    if (log.term(index) === term) this.#s.commitTo(index)
  }

  #replicate(peer: PeerId, progress: Progress): void {
    const { log, now } = this.#s
    for (;;) {
      const wanted = progress.wants(log)
      if (wanted === null) return
      if (wanted === 'snapshot') {
        this.#sendSnapshot(peer)
        progress.sentSnapshot(now)
      } else {
        progress.sent(this.#sendAppend(peer, progress), now)
      }
    }
  }

  /** Index of the last entry sent. */
  #sendAppend(peer: PeerId, progress: Progress): LogIndex {
    const { log, term, commit } = this.#s
    const previousIndex = logIndex(progress.next - 1)
    const previousTerm = log.term(previousIndex)
    assert(previousTerm !== null, 'what comes before is known')
    const entries = log.batch(progress.next)
    const last = logIndex(previousIndex + entries.length)
    // Others may have it durable before this manager has: it is counted by itself.
    this.#s.sendUrgent(peer, { kind: 'append', term, previousIndex, previousTerm, commit, entries })
    progress.tell(commit < last ? commit : last)
    return last
  }

  #sendSnapshot(peer: PeerId): void {
    const { log, term } = this.#s
    const members = log.membershipsFrom(log.base.index)[0]?.members ?? []
    this.#s.send(peer, { kind: 'snapshot', term, snapshot: { ...log.base, members, data: EMPTY } })
  }

  #beatIfDue(): void {
    if (this.#s.now < this.#beatAt) return
    this.#beatAt = this.#s.now + this.#s.timings.heartbeat
    for (const [peer, progress] of this.followers) this.#beat(peer, progress)
  }

  #beat(peer: PeerId, progress: Progress): void {
    const { term, now } = this.#s
    const commit = this.#tellable(progress)
    this.#s.sendUrgent(peer, { kind: 'heartbeat', term, commit, sentAt: now })
    progress.tell(commit)
  }

  /** What is committed, of what this follower has. */
  #tellable({ match }: Progress): LogIndex {
    const { commit } = this.#s
    return commit < match ? commit : match
  }

  #handOverWhenReady(): void {
    if (!this.#transfer || this.#transfer.sent) return
    const { to, deadline } = this.#transfer
    const { term, log } = this.#s
    if (!this.#s.others.includes(to)) {
      this.#transfer = null
    } else if (this.followers.get(to)?.match === log.lastIndex) {
      this.#s.send(to, { kind: 'take-over', term })
      this.#transfer = { to, deadline, sent: true }
    }
  }
}
