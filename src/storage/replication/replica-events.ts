// What happens to one shard's replica (events), and what is to be done about it (effects): the
// language between the pure core (replica-state.ts) and its shell (shard-replica.ts).
import type { BlockIndex, Epoch, PeerId, RequestNumber, Sequence } from '../../base/brands.js'
import type { ShardAllocation } from '../../layout/configuration.js'
import type {
  CaughtUpReply,
  Committed,
  DataStatus,
  GatherReply,
  Replicate,
  Replicated,
} from '../../net/messages.js'
import type { BlockSpan } from './block-spans.js'

/** The shell's name for a client request that waits for its answer. */
export type Token = number

export interface ClientWrite {
  readonly token: Token
  readonly client: PeerId
  readonly request: RequestNumber
  readonly completeBelow: RequestNumber
  readonly span: BlockSpan
  /** Answered when it is durable, or cannot be made so. */
  readonly durable: boolean
  /** This server is short of space: refused, unless it was executed before. */
  readonly noRoom: boolean
}

export type ReplicaEvent =
  | { readonly kind: 'adopt'; readonly allocation: ShardAllocation }
  /** A new data path to this peer, or none any more. */
  | { readonly kind: 'path'; readonly peer: PeerId; readonly up: boolean }
  | { readonly kind: 'client-write'; readonly write: ClientWrite }
  /** Whole blocks of a write that was to be prepared; nothing that overlaps was ordered since. */
  | {
      readonly kind: 'prepared'
      readonly allocation: Epoch
      readonly key: number
      readonly block: BlockIndex
      readonly payload: Uint8Array
    }
  | {
      readonly kind: 'not-prepared'
      readonly allocation: Epoch
      readonly key: number
      readonly status: DataStatus
    }
  /** Everything up to the sequence is in the own store, up to `durable` for good. */
  | {
      readonly kind: 'stored'
      readonly allocation: Epoch
      readonly sequence: Sequence
      readonly durable: Sequence
    }
  /** The own store refuses what comes next; it is tried again. */
  | { readonly kind: 'store-failing' }
  | { readonly kind: 'replicate'; readonly from: PeerId; readonly message: Replicate }
  | { readonly kind: 'replicated'; readonly from: PeerId; readonly message: Replicated }
  | { readonly kind: 'committed'; readonly from: PeerId; readonly message: Committed }
  | {
      readonly kind: 'gathered'
      readonly allocation: Epoch
      readonly from: PeerId
      readonly reply: GatherReply
    }
  | {
      readonly kind: 'own-content'
      readonly allocation: Epoch
      /** One block, of which our own copy is bad and this replica's is taken; else absent. */
      readonly of?: PeerId
      readonly block: BlockIndex
      readonly payload: Uint8Array
    }
  | { readonly kind: 'own-content-end'; readonly allocation: Epoch }
  | {
      readonly kind: 'caught-up'
      readonly from: PeerId
      readonly allocation: Epoch
      readonly applied: Sequence
    }
  /** The primary counted us and handed over its once table. */
  | { readonly kind: 'counted'; readonly allocation: Epoch; readonly reply: CaughtUpReply }
  /** A counted replica is durable; a proposal for it leaves now. */
  | { readonly kind: 'proposed'; readonly allocation: Epoch; readonly server: PeerId }

export type ReplicaEffect =
  | {
      readonly kind: 'apply'
      readonly allocation: Epoch
      readonly sequence: Sequence
      readonly block: BlockIndex
      /** Stored only when it is durable, or cannot be made so. */
      readonly durable: boolean
      readonly payload: Uint8Array
    }
  /** What the store has not taken yet is superseded by what will be fetched. */
  | { readonly kind: 'discard-unapplied' }
  | { readonly kind: 'send-replicate'; readonly to: PeerId; readonly message: Replicate }
  | { readonly kind: 'send-replicated'; readonly to: PeerId; readonly message: Replicated }
  | { readonly kind: 'send-committed'; readonly to: PeerId; readonly message: Committed }
  | {
      readonly kind: 'answer'
      readonly token: Token
      readonly status: DataStatus
      readonly durable: boolean
    }
  /** Decide about this request again after the next `progress`. */
  | { readonly kind: 'park'; readonly token: Token }
  | { readonly kind: 'progress' }
  | {
      readonly kind: 'prepare'
      readonly token: Token
      readonly key: number
      readonly spans: readonly BlockSpan[]
    }
  | { readonly kind: 'gather'; readonly from: PeerId }
  | { readonly kind: 'read-own'; readonly spans: readonly BlockSpan[] }
  | { readonly kind: 'answer-caught-up'; readonly reply: CaughtUpReply }
  /** Make this counted replica durable, then propose it. */
  | { readonly kind: 'confirm'; readonly server: PeerId }
  /** `everything`: also blocks written here in this allocation, since some were missed. */
  | { readonly kind: 'catch-up'; readonly everything: boolean }
  | { readonly kind: 'stop-catch-up' }
  | { readonly kind: 'want-epoch'; readonly epoch: Epoch }
