// What managers say to each other, and storage servers to managers about leases, votes and space,
// as types. Numbers, codecs and roles are in operations.ts; the bytes are documented in
// docs/protocol.md. The meaning of the Raft messages is that of src/manager/raft.
import type {
  Brand,
  ByteCount,
  ClusterId,
  Epoch,
  Incarnation,
  PeerId,
  VolumeId,
} from '../base/brands.js'
import type { Change } from '../layout/change.js'
import type { Address } from '../layout/configuration.js'
import type { Role } from './peers.js'

/** Of a leader; grows with every election. */
export type Term = Brand<number, 'Term'>
/** Place in the replicated log; starts at 1, without gaps. */
export type LogIndex = Brand<number, 'LogIndex'>

// ---- Raft --------------------------------------------------------------------------------------

/**
 * One entry of the replicated log. `data` is an encoded HistoryRecord, or empty for the entry with
 * which a leader begins its term. `members` is set by entries that change who votes: the voting
 * managers from this entry on, whether or not it is committed.
 */
export interface LogEntry {
  readonly index: LogIndex
  readonly term: Term
  readonly members: readonly PeerId[] | null
  readonly data: Uint8Array
}

/** Everything up to `index`, in place of the entries. */
export interface LogSnapshot {
  readonly index: LogIndex
  readonly term: Term
  readonly members: readonly PeerId[]
  /** An encoded configuration. */
  readonly data: Uint8Array
}

export type RaftMessage =
  /**
   * `pre`: would you vote for me (nothing changes at the receiver). `takeOver`: the leader wants it
   * and has given up its lease, so being in touch with that leader is no reason to refuse.
   */
  | {
      readonly kind: 'vote-request'
      readonly term: Term
      readonly pre: boolean
      readonly takeOver: boolean
      readonly lastIndex: LogIndex
      readonly lastTerm: Term
    }
  | {
      readonly kind: 'vote-reply'
      readonly term: Term
      readonly pre: boolean
      readonly granted: boolean
    }
  | {
      readonly kind: 'append'
      readonly term: Term
      readonly previousIndex: LogIndex
      readonly previousTerm: Term
      readonly commit: LogIndex
      readonly entries: readonly LogEntry[]
    }
  /** `index`: accepted up to here and durable; when refused, the last index that may fit. */
  | {
      readonly kind: 'append-reply'
      readonly term: Term
      readonly accepted: boolean
      readonly index: LogIndex
      /** When refused: the term of the receiver's entry at `index`. */
      readonly hintTerm: Term
    }
  /** `sentAt`: by the leader's clock, returned as it is; what a leader's lease is counted from. */
  | {
      readonly kind: 'heartbeat'
      readonly term: Term
      readonly commit: LogIndex
      readonly sentAt: number
    }
  | { readonly kind: 'heartbeat-reply'; readonly term: Term; readonly sentAt: number }
  | { readonly kind: 'snapshot'; readonly term: Term; readonly snapshot: LogSnapshot }
  /** The leader gives its place to the receiver, which need not wait for a timeout. */
  | { readonly kind: 'take-over'; readonly term: Term }

// ---- leases ------------------------------------------------------------------------------------

/** Storage server to any manager, which passes it on to the leader. Answered by a lease. */
export interface Heartbeat {
  readonly incarnation: Incarnation
  readonly epoch: Epoch
  /**
   * By its vote this server has stopped serving some shards, until an epoch beyond this one says
   * what became of the proposal; 0 if it has not.
   */
  readonly fenced: Epoch
}

export type HeartbeatReply =
  /**
   * The lease runs from the moment the heartbeat was *sent*. `released`: no proposal that was voted
   * on under this epoch is under way any more; 0 if there is nothing to say.
   */
  | {
      readonly kind: 'granted'
      readonly epoch: Epoch
      readonly leader: PeerId
      readonly released: Epoch
    }
  /** Register (again): unknown, declared down, or known with another incarnation. */
  | { readonly kind: 'unregistered'; readonly leader: PeerId }
  | { readonly kind: 'no-leader' }

/**
 * A storage server that is being stopped serves nothing any more, by no lease: nobody need wait for
 * it. To any manager, which passes it on; answered when its leaving is decided, or cannot be.
 */
export interface Leaving {
  readonly incarnation: Incarnation
}

/**
 * Its process has ended without a word, as its host knows, and nothing of this start is served any
 * more; see codecs/gone-notice.ts. To any manager, which passes it on; answered when the others go
 * on without it, or when that cannot be decided.
 */
export interface GoneNotice {
  readonly server: PeerId
  readonly incarnation: Incarnation
  readonly signature: Uint8Array
}

// ---- votes -------------------------------------------------------------------------------------

/** The leader asks what somebody thinks of `apply(configuration of epoch `base`, change)`. */
export interface ProposalVoteRequest {
  readonly base: Epoch
  readonly change: Change
}

/** Silence is no vote, and so is `abstain`: not at that epoch, or busy. */
export interface ProposalVoteReply {
  readonly vote: 'approve' | 'refuse' | 'abstain'
  /** A refusal about degree or room, which --force overrides. Refusals for safety are not. */
  readonly policy: boolean
  /** One sentence for people; may be empty for an approval. */
  readonly reason: string
}

// ---- between managers --------------------------------------------------------------------------

/**
 * A request that only the leader can answer, passed on by the manager that got it. `payload` is the
 * request in its own codec.
 */
export interface RelayRequest {
  /** Number of the operation. */
  readonly operation: number
  readonly from: RelayedPeer
  readonly payload: Uint8Array
}

/** Who asked, as far as a leader needs to know. */
export interface RelayedPeer {
  readonly id: PeerId
  readonly roles: readonly Role[]
  readonly incarnation: Incarnation
  readonly cluster: ClusterId | null
}

export interface RelayReply {
  /** False: the receiver does not lead (or not yet). */
  readonly ok: boolean
  /** The answer in its own codec; empty for notifications. */
  readonly payload: Uint8Array
}

/** A manager without a history asks to become a member. */
export interface JoinRequest {
  readonly addresses: readonly Address[]
}

export type JoinReply =
  | { readonly kind: 'joined'; readonly epoch: Epoch }
  | { readonly kind: 'refused'; readonly reason: string }
  /** No leader, or its log is still being copied: ask again. */
  | { readonly kind: 'wait'; readonly reason: string }

// ---- what takes space --------------------------------------------------------------------------

/** Manager to storage server: what takes space of a volume there. */
export interface UsageRequest {
  readonly volume: VolumeId
}

/** Of the shards that the server holds. */
export interface UsageReply {
  /** Bytes of disk. */
  readonly used: ByteCount
  readonly layers: readonly LayerUsage[]
}

export interface LayerUsage {
  readonly layer: number
  /** Bytes of the blocks of data that were written while it was the head. */
  readonly written: ByteCount
  /** Of these, what nobody else shows: it goes with its snapshot. */
  readonly alone: ByteCount
}
