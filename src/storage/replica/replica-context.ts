// What the parts of one shard's replica share, and what they need from the server they live in.
import type { Epoch, Incarnation, PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import type {
  CaughtUpProposal,
  DataStatus,
  FlushRequest,
  HeldRequest,
  ReadRequest,
  ShardMessage,
  ShardName,
  SuspendProposal,
  WriteRequest,
  SealedShard,
} from '../../net/messages.js'
import type { Peers } from '../../net/peers.js'
import type { ShardStore } from '../shard-store.js'
import type { RecoveryBudget } from '../recovery-budget.js'
import type { Slots } from '../slots.js'
import type { FetchGuards } from '../replication/fetch-guards.js'
import type { ReplicaEvent } from '../replication/replica-events.js'
import type { ReplicaState } from '../replication/replica-state.js'
import type { WriteApplier } from './write-applier.js'

export type ClientRequest =
  | { readonly kind: 'read'; readonly request: ReadRequest }
  | { readonly kind: 'held-blocks'; readonly request: HeldRequest }
  | { readonly kind: 'write'; readonly request: WriteRequest }
  | { readonly kind: 'flush'; readonly request: FlushRequest }

/** A client's request from its arrival to its answer, however often it is decided again. */
export type ClientCall = ClientRequest & {
  readonly from: PeerId
  /** Null until it first had to wait. */
  waitsUntil: number | null
  /** Copies of corrupt blocks fetched for it. */
  repairs: number
  /** Later calls do nothing. */
  finish(status: DataStatus, payload?: Uint8Array, durable?: boolean): void
}

export interface ReplicaHost {
  readonly self: PeerId
  readonly incarnation: Incarnation
  readonly clock: Clock
  readonly peers: Peers
  readonly log: Log
  /** Bounds how many shards of this server catch up at the same time. */
  readonly catchUps: Slots
  readonly recovery: RecoveryBudget
  /** Asked after data was read, just before the answer. */
  leaseValid(): boolean
  /** By its vote this server has stopped serving reads of this shard. */
  fenced(shard: ShardName): boolean
  noRoom(): boolean
  wantEpoch(epoch: Epoch): void
  propose(replica: CaughtUpProposal['replicas'][number]): void
  /** Tells the managers that the shard should go on without these replicas. */
  suspend(replicas: SuspendProposal['replicas']): void
  /** Tells the managers that the shard is ready for a snapshot. */
  sealed(shard: SealedShard): void
  /** Decides about a request again from the beginning. */
  dispatch(call: ClientCall): void
  foundCorrupt(shard: ShardName, blocks: readonly number[]): void
}

export interface ReplicaContext {
  readonly name: ShardName
  readonly store: ShardStore
  readonly state: ReplicaState
  readonly applier: WriteApplier
  readonly guards: FetchGuards
  readonly host: ReplicaHost
  /** An event for the state machine; its effects follow before this returns, or soon. */
  step(event: ReplicaEvent): void
  /** The shard and its present allocation. */
  here(): ShardMessage
  park(call: ClientCall): void
  /** Something could not be written or made durable. */
  storeFailing(error: unknown): void
}
