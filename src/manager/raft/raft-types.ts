// What goes into the Raft core and what comes out. The core is pure: time and chance are part of
// every event, and whoever steps it performs the effects of each step in the order of the fields,
// and those of one step before those of the next:
//
//   event ──► step ──► 1. hardState, snapshot, entries: make durable (one write will do)
//                      2. send: messages (urgent ones need not wait for 1, see below)
//                      3. commit: apply what is committed
//                      4. `persisted` back into the core, once 1 is durable
//
// Sources: Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014);
// Ongaro's dissertation (2014) for pre-vote (9.6), leader lease (6.4.1), transfer (3.10) and
// membership changes by one server at a time (4.1, with the correction that a leader changes it
// only after an entry of its own term is committed).
import type { PeerId } from '../../base/brands.js'
import type {
  LogEntry,
  LogIndex,
  LogSnapshot,
  RaftMessage,
  Term,
} from '../../net/manager-messages.js'

/** What a manager must not forget: the newest term it has seen, and whom it voted for in it. */
export interface HardState {
  readonly term: Term
  readonly vote: PeerId | null
}

/** What was durable when the process started. */
export interface RaftStart {
  readonly self: PeerId
  readonly hardState: HardState
  /** Everything up to its index; null if the log is whole. */
  readonly snapshot: Pick<LogSnapshot, 'index' | 'term' | 'members'> | null
  /** What follows it, without gaps. */
  readonly entries: readonly LogEntry[]
  /** Known to be committed; may be too low. */
  readonly commit: LogIndex
}

export interface RaftTimings {
  readonly heartbeat: number
  readonly electionMin: number
  readonly electionMax: number
  /** A leader's lease ends this much before anybody else can have been elected. */
  readonly driftMargin: number
  readonly resend: number
}

/** The moment of an event: milliseconds of a clock that only runs forward, and chance in [0, 1). */
export interface Moment {
  readonly now: number
  readonly jitter: number
}

export type ProposedEntry = Pick<LogEntry, 'members' | 'data'>

export type RaftEvent =
  /** The deadline has come (`RaftCore.deadline`); at any other time nothing happens. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly from: PeerId; readonly message: RaftMessage }
  /**
   * Only for a leader. An entry with `members` needs `RaftCore.mayChangeMembers`, and `mayAdd` for
   * whom it adds.
   */
  | { readonly kind: 'propose'; readonly entries: readonly ProposedEntry[] }
  /** The entry of this index and term, and all before it, are durable here. */
  | { readonly kind: 'persisted'; readonly index: LogIndex; readonly term: Term }
  /**
   * Replicate to somebody who does not vote (yet). Forgotten when the leader changes; nothing
   * happens if there are too many (`RaftCore.match` is null then).
   */
  | { readonly kind: 'add-learner'; readonly peer: PeerId }
  | { readonly kind: 'remove-learner'; readonly peer: PeerId }
  /** Let this follower lead, if it has everything. */
  | { readonly kind: 'transfer'; readonly to: PeerId }
  /** A snapshot up to here is durable: older entries may be forgotten in memory. */
  | {
      readonly kind: 'compacted'
      readonly snapshot: Pick<LogSnapshot, 'index' | 'term' | 'members'>
    }
  /** A link to this peer is new: what was sent before may be lost. */
  | { readonly kind: 'reconnected'; readonly peer: PeerId }

export interface RaftSend {
  readonly to: PeerId
  /**
   * Of a 'snapshot' the core knows no data: `data` is empty, and the shell puts in what it has
   * (its newest snapshot; index, term and members too).
   */
  readonly message: RaftMessage
  /**
   * Says nothing about what this manager's log holds: may overtake entries and snapshots that are
   * being made durable, but never a hardState, neither that of its own step nor an earlier one.
   * Heartbeats, their answers, and a leader's entries (its own copy counts by `persisted`).
   */
  readonly urgent: boolean
}

export interface RaftEffects {
  readonly hardState: HardState | null
  /** Replaces the whole log, before `entries`. */
  readonly snapshot: LogSnapshot | null
  /** To append; the first one's index may be that of an entry that is there: it and all after it
   * are replaced. Never replaces what is committed. */
  readonly entries: readonly LogEntry[]
  readonly send: readonly RaftSend[]
  /** Committed up to here now; null if that has not changed. */
  readonly commit: LogIndex | null
}

export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader'
