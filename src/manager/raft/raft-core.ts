// Raft as a state machine: an event goes in, what is to be made durable, sent and applied comes
// out (raft-types.ts). Pure; time and chance are part of the events. Knows nothing of what entries
// mean. Who leads:
//
//              heard of nobody         a majority would          a majority does
//   follower ──────────────────► pre-candidate ──────────► candidate ──────────► leader
//      ▲  │                          │                        ▲  │                  │
//      │  └── take-over from the leader ──────────────────────┘  │                  │
//      └──── a leader or a newer term was heard of, or refusals ─┴── no majority ◄──┘
//
// Whoever is no member, as far as its log says, follows and is never a candidate; with an empty log
// it does not vote either, for it may be a member that has lost its disk.
import { assert, exhaustive } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { LogEntry, LogIndex, RaftMessage, Term } from '../../net/manager-messages.js'
import { Candidacy, type VoteReply } from './candidacy.js'
import { Following, type Append, type Heartbeat, type SnapshotMessage } from './following.js'
import { Leadership, type Verdict } from './leadership.js'
import type { ProgressMode } from './progress.js'
import { logIndex, raftTerm } from './raft-log.js'
import { RaftState } from './raft-state.js'
import type {
  HardState,
  Moment,
  RaftEffects,
  RaftEvent,
  RaftRole,
  RaftStart,
  RaftTimings,
} from './raft-types.js'

type VoteRequest = Extract<RaftMessage, { kind: 'vote-request' }>
type FromLeader = Append | Heartbeat | SnapshotMessage

/** What a leader knows of one follower or learner. */
export interface FollowerView {
  readonly mode: ProgressMode
  readonly match: LogIndex
  readonly next: LogIndex
  readonly inFlight: number
}

export class RaftCore {
  readonly #s: RaftState
  readonly #following: Following
  // At most one of them; neither: a follower.
  #candidacy: Candidacy | null = null
  #leadership: Leadership | null = null

  constructor(start: RaftStart, timings: RaftTimings, moment: Moment) {
    this.#s = new RaftState(start, timings, moment)
    this.#following = new Following(this.#s)
  }

  get role(): RaftRole {
    if (this.#leadership) return 'leader'
    if (this.#candidacy) return this.#candidacy.pre ? 'pre-candidate' : 'candidate'
    return 'follower'
  }

  get term(): Term {
    return this.#s.term
  }

  get hardState(): HardState {
    return this.#s.hardState
  }

  /** Who leads, as far as is known. */
  get leader(): PeerId | null {
    return this.#s.leader
  }

  get isLeading(): boolean {
    return this.#leadership !== null
  }

  /** Leads, and everything that earlier leaders may have promised is committed. */
  get settled(): boolean {
    return this.#leadership?.isSettled ?? false
  }

  /** Leads, and nobody else can have been elected by `now`. */
  leaseValid(now: number): boolean {
    return this.#leadership !== null && now < this.#leadership.leaseEnd
  }

  get commit(): LogIndex {
    return this.#s.commit
  }

  get lastIndex(): LogIndex {
    return this.#s.log.lastIndex
  }

  /** The voters by the newest entry that says so, committed or not. */
  get members(): readonly PeerId[] {
    return this.#s.log.members
  }

  get mayChangeMembers(): boolean {
    return this.#leadership?.mayChangeMembers ?? false
  }

  /** This learner may be made a member now. */
  mayAdd(peer: PeerId): boolean {
    return this.#leadership?.mayAdd(peer) ?? false
  }

  /** Giving its place to somebody: proposals are better kept until that is over. */
  get transferring(): boolean {
    return this.#leadership?.isTransferring ?? false
  }

  /** Null: no longer, or not yet, in memory. */
  entry(index: LogIndex): LogEntry | null {
    return this.#s.log.entry(index)
  }

  /** Of those in memory. */
  entriesAfter(index: LogIndex): readonly LogEntry[] {
    return this.#s.log.entriesAfter(index)
  }

  /** What a follower or learner has, as this leader knows; null if it is neither. */
  match(peer: PeerId): LogIndex | null {
    return this.follower(peer)?.match ?? null
  }

  follower(peer: PeerId): FollowerView | null {
    const progress = this.#leadership?.followers.get(peer)
    if (!progress) return null
    const { mode, match, next, inFlight } = progress
    return { mode, match, next, inFlight }
  }

  /** When the next tick means something; null: never, unless something else happens first. */
  get deadline(): number | null {
    const campaign = this.#s.mayCampaign ? this.#following.deadline : Infinity
    const deadline = this.#leadership ? this.#leadership.deadline : campaign
    return deadline === Infinity ? null : deadline
  }

  step(event: RaftEvent, moment: Moment): RaftEffects {
    this.#s.begin(moment)
    this.#handle(event)
    this.#leadership?.flush()
    if (this.#leadership?.isRemoved) {
      this.#leadership.resign()
      this.#stopLeading()
    }
    return this.#s.finish()
  }

  #handle(event: RaftEvent): void {
    switch (event.kind) {
      case 'tick':
        return this.#tick()
      case 'message':
        return this.#receive(event.from, event.message)
      case 'propose':
        assert(this.#leadership, 'only a leader proposes')
        return this.#leadership.propose(event.entries)
      case 'persisted':
        return this.#leadership?.persisted(event.index, event.term)
      case 'add-learner':
        return this.#leadership?.followers.addLearner(event.peer)
      case 'remove-learner':
        return this.#leadership?.followers.removeLearner(event.peer)
      case 'transfer':
        return this.#leadership?.transfer(event.to)
      case 'compacted':
        assert(event.snapshot.index <= this.#s.commit, 'only what is committed is compacted')
        return this.#s.log.compact(event.snapshot)
      case 'reconnected':
        this.#candidacy?.ask(event.peer)
        return this.#leadership?.reconnected(event.peer)
      default:
        exhaustive(event)
    }
  }

  #tick(): void {
    if (this.#leadership) return this.#obey(this.#leadership.tick())
    if (!this.#s.mayCampaign || this.#s.now < this.#following.deadline) return
    if (this.#s.others.length === 0) return this.#stand({ takeOver: false })
    this.#s.loseLeader()
    this.#campaign({ pre: true, takeOver: false })
  }

  #obey(verdict: Verdict): void {
    if (verdict === 'lead') return
    this.#stopLeading()
    if (verdict === 'renew') this.#stand({ takeOver: false })
  }

  #receive(from: PeerId, message: RaftMessage): void {
    assert(from !== this.#s.self, 'nobody writes to oneself')
    switch (message.kind) {
      case 'vote-request':
        return this.#voteRequest(from, message)
      case 'vote-reply':
        return this.#voteReply(from, message)
      case 'append':
      case 'heartbeat':
      case 'snapshot':
        return this.#fromLeader(from, message)
      case 'append-reply':
        if (this.#isOfLeadership(message.term)) this.#leadership?.appendReply(from, message)
        return
      case 'heartbeat-reply':
        if (this.#isOfLeadership(message.term)) this.#leadership?.heartbeatReply(from, message)
        return
      case 'take-over':
        return this.#takeOver(from, message.term)
      default:
        exhaustive(message)
    }
  }

  // ---- elections -------------------------------------------------------------------------------

  #campaign(kind: { readonly pre: boolean; readonly takeOver: boolean }): void {
    this.#following.restartTimer()
    this.#candidacy = new Candidacy(this.#s, kind)
    this.#candidacy.askAll()
    this.#countVotes()
  }

  /** For election, in the next term. */
  #stand({ takeOver }: { readonly takeOver: boolean }): void {
    this.#s.enterTerm(raftTerm(this.#s.term + 1))
    this.#s.voteFor(this.#s.self)
    this.#campaign({ pre: false, takeOver })
  }

  #countVotes(): void {
    const candidacy = this.#candidacy
    if (!candidacy || candidacy.standing === 'open') return
    this.#candidacy = null
    if (candidacy.standing === 'lost') return
    if (candidacy.pre) return this.#stand({ takeOver: false })
    this.#s.follow(this.#s.self)
    this.#leadership = new Leadership(this.#s)
  }

  #voteReply(from: PeerId, reply: VoteReply): void {
    const { term } = this.#s
    // A granted pre-vote names the term that is asked for, which nobody is in.
    const expected = reply.pre && reply.granted ? term + 1 : term
    if (!(reply.pre && reply.granted) && reply.term > term) return this.#enterTerm(reply.term)
    const isLateRefusal = reply.pre && !reply.granted && reply.term < term
    if (reply.term !== expected && !isLateRefusal) return
    if (this.#candidacy?.pre !== reply.pre) return
    this.#candidacy.count(from, reply)
    if (!reply.granted) this.#following.retrySoon()
    this.#countVotes()
  }

  #voteRequest(from: PeerId, request: VoteRequest): void {
    const { pre } = request
    if (!request.takeOver && this.#isBoundAgainst(from)) {
      // As if it had not come: its term is not taken over, else it would end the leader's.
      if (pre) this.#answerVote(from, { request, granted: false })
      return
    }
    if (!pre && request.term > this.#s.term) this.#enterTerm(request.term)
    const granted = this.#mayVoteFor(from, request)
    if (granted && !pre) {
      this.#s.voteFor(from)
      this.#following.restartTimer()
    }
    this.#answerVote(from, { request, granted })
  }

  #answerVote(
    to: PeerId,
    { request, granted }: { readonly request: VoteRequest; readonly granted: boolean },
  ): void {
    const term = granted ? request.term : this.#s.term
    this.#s.send(to, { kind: 'vote-reply', term, pre: request.pre, granted })
  }

  /** A leader may count on this manager: on itself, or another one that has not asked itself. */
  #isBoundAgainst(candidate: PeerId): boolean {
    if (this.#leadership) return true
    return this.#following.isBound && candidate !== this.#s.leader
  }

  #mayVoteFor(candidate: PeerId, request: VoteRequest): boolean {
    const { term, vote, leader, log } = this.#s
    if (request.term < term || log.members.length === 0) return false
    if (!log.isCoveredBy({ index: request.lastIndex, term: request.lastTerm })) return false
    if (request.pre && request.term > term) return true
    return vote === candidate || (vote === null && leader === null)
  }

  #takeOver(from: PeerId, term: Term): void {
    if (term !== this.#s.term || from !== this.#s.leader || !this.#s.mayCampaign) return
    this.#stand({ takeOver: true })
  }

  // ---- terms -----------------------------------------------------------------------------------

  #enterTerm(term: Term): void {
    if (this.#leadership) this.#stopLeading()
    this.#candidacy = null
    this.#s.enterTerm(term)
  }

  #stopLeading(): void {
    this.#leadership = null
    this.#s.loseLeader()
    this.#following.restartTimer()
  }

  /** Replies of an older term say nothing any more; one of a newer term ends this one. */
  #isOfLeadership(term: Term): boolean {
    if (term > this.#s.term) this.#enterTerm(term)
    return term === this.#s.term && this.#leadership !== null
  }

  #fromLeader(from: PeerId, message: FromLeader): void {
    if (message.term < this.#s.term) return this.#answerDeposed(from, message)
    if (message.term > this.#s.term) this.#enterTerm(message.term)
    assert(!this.#leadership, `two leaders in term ${message.term}`)
    this.#candidacy = null
    this.#following.hear(from)
    switch (message.kind) {
      case 'append':
        return this.#following.append(from, message)
      case 'heartbeat':
        return this.#following.heartbeat(from, message)
      case 'snapshot':
        return this.#following.snapshot(from, message)
      default:
        exhaustive(message)
    }
  }

  /** It learns of the newer term, and steps down. */
  #answerDeposed(from: PeerId, message: FromLeader): void {
    const { term } = this.#s
    const [index, hintTerm] = [logIndex(0), raftTerm(0)]
    if (message.kind === 'heartbeat') {
      this.#s.sendUrgent(from, { kind: 'heartbeat-reply', term, sentAt: message.sentAt })
    } else {
      this.#s.send(from, { kind: 'append-reply', term, accepted: false, index, hintTerm })
    }
  }
}
