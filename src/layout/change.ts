// Everything that can change a configuration. A change is decided by a planner or an operator,
// checked and carried out by `apply`, and kept in the history with its epoch.
import type {
  ByteCount,
  ClusterId,
  Epoch,
  Generation,
  Incarnation,
  PeerId,
  ShardIndex,
  VolumeId,
} from '../base/brands.js'
import type {
  AccessMode,
  ManagerRecord,
  Replica,
  ServerRecord,
  SnapshotSchedule,
} from './configuration.js'

export type Change =
  /** Epoch 1. */
  | {
      readonly kind: 'cluster-created'
      readonly cluster: ClusterId
      readonly manager: ManagerRecord
    }
  | { readonly kind: 'manager-updated'; readonly manager: ManagerRecord }
  | { readonly kind: 'manager-added'; readonly manager: ManagerRecord }
  | { readonly kind: 'manager-removed'; readonly manager: PeerId }
  /** A server registers for the first time, with a new address or capacity, or after a restart. */
  | { readonly kind: 'server-registered'; readonly server: ServerRecord }
  /**
   * The lease of a server has run out. Its syncing copies become stale; an in-sync one does where
   * another in-sync one that kept its memory is on a server of `live`, else it stays what it is:
   * I/O then waits for it.
   */
  | {
      readonly kind: 'server-down'
      readonly server: PeerId
      /** The start that was not heard of any more; outdated if it has registered anew. */
      readonly incarnation: Incarnation
      /** Servers with a valid lease at that time. */
      readonly live: readonly PeerId[]
      readonly reason: string
    }
  /** An operator takes a server out of the cluster: it leaves all its shards. */
  | { readonly kind: 'server-removed'; readonly server: PeerId }
  | {
      readonly kind: 'volume-created'
      readonly name: string
      readonly size: ByteCount
      readonly replicas: number
      readonly minInSync: number
      /** For every shard its servers in order, the primary first. */
      readonly placement: readonly (readonly PeerId[])[]
    }
  /** Refused while a client is attached. */
  | { readonly kind: 'volume-deleted'; readonly volume: VolumeId }
  /** It becomes larger, while it is used; allocations stay. */
  | { readonly kind: 'volume-resized'; readonly volume: VolumeId; readonly size: ByteCount }
  /**
   * A client may write from now on. Refused while another one is attached that does not share it,
   * unless this takes it over: then that one may no more, and all shards get a new allocation.
   */
  | {
      readonly kind: 'volume-attached'
      readonly volume: VolumeId
      readonly client: PeerId
      readonly host: string
      readonly mode: AccessMode
      readonly since: string
      readonly takeover: boolean
    }
  /** A client may write no more: all shards get a new allocation. */
  | { readonly kind: 'volume-detached'; readonly volume: VolumeId; readonly client: PeerId }
  /**
   * An operator gives up the acknowledged writes of a shard whose in-sync copies are all gone for
   * good: it goes on from this copy alone, which was behind. Refused while one of them may be back.
   */
  | {
      readonly kind: 'shard-promoted'
      readonly volume: VolumeId
      readonly shard: ShardIndex
      readonly server: PeerId
      /** The allocation of which the operator decided; refused if it has changed since. */
      readonly expected: Epoch
    }
  /** New allocations decided by the planner, for example after a server came back. */
  | {
      readonly kind: 'shards-reallocated'
      readonly reason: string
      readonly shards: readonly ShardReallocation[]
    }
  /** The primaries say that these replicas have caught up and count. Valid in that epoch only. */
  | { readonly kind: 'replicas-caught-up'; readonly replicas: readonly CaughtUpReplica[] }
  /**
   * Copies are made anew on other servers, or given up where there are more than wanted: a decision
   * that may take a copy from a server that lives, and so is voted on.
   */
  | {
      readonly kind: 'shards-moved'
      readonly reason: string
      readonly shards: readonly ShardReallocation[]
    }
  /** An operator has a server emptied, or no longer: whether it is down is not touched. */
  | {
      readonly kind: 'server-state'
      readonly server: PeerId
      readonly state: 'draining' | 'up'
    }
  /**
   * The primaries say that these in-sync replicas keep their shards waiting: from now on they are
   * syncing, and writes go on without them. Voted on, since they live and may serve reads. Valid in
   * that epoch only.
   */
  | { readonly kind: 'replicas-suspended'; readonly replicas: readonly SuspendedReplica[] }
  /** Snapshots of these volumes are begun, all of one point in time: primaries park writes. */
  | { readonly kind: 'volumes-sealed'; readonly snapshots: readonly SnapshotName[] }
  /**
   * All primaries have said that nothing is under way: the heads are frozen, new ones take the
   * writes, and the seals are lifted.
   */
  | {
      readonly kind: 'snapshots-created'
      /** Their seals. */
      readonly sealed: Epoch
      /** ISO 8601. */
      readonly at: string
      readonly snapshots: readonly SealedVolume[]
    }
  /** The snapshots that these seals were for are not made. */
  | {
      readonly kind: 'seals-lifted'
      readonly volumes: readonly VolumeId[]
      readonly reason: string
    }
  | { readonly kind: 'snapshot-deleted'; readonly volume: VolumeId; readonly name: string }
  /** The volume is what it was: a new head on the snapshot. Refused while a client is attached. */
  | { readonly kind: 'volume-rolled-back'; readonly volume: VolumeId; readonly name: string }
  /** A new volume begins as what a snapshot shows, on the same servers. */
  | {
      readonly kind: 'volume-cloned'
      readonly volume: VolumeId
      readonly snapshot: string
      /** Of the new volume. */
      readonly name: string
    }
  /** A clone is to need its origin no more: its layers are merged. */
  | { readonly kind: 'volume-flattened'; readonly volume: VolumeId }
  /** What an operator sets of a volume; null: stays. */
  | {
      readonly kind: 'volume-set'
      readonly volume: VolumeId
      readonly minInSync: number | null
      readonly schedules: readonly SnapshotSchedule[] | null
    }

export interface SnapshotName {
  readonly volume: VolumeId
  readonly name: string
}

export interface SealedVolume extends SnapshotName {
  /** For each shard the allocation whose primary has said so; refused if one has changed since. */
  readonly shards: readonly Epoch[]
  /** As in the record of the snapshot. */
  readonly source: string | null
}

export interface ShardReallocation {
  readonly volume: VolumeId
  readonly shard: ShardIndex
  /** The allocation this was planned from; refused if it has changed since. */
  readonly expected: Epoch
  readonly replicas: readonly Replica[]
  readonly stale: readonly PeerId[]
  readonly generation: Generation
}

export interface CaughtUpReplica {
  readonly volume: VolumeId
  readonly shard: ShardIndex
  readonly server: PeerId
  /** The shard's epoch in which the primary found it so. */
  readonly expected: Epoch
}

/**
 * - `failing`: it says that it cannot store what it is sent;
 * - `unreachable`: the primary has no path to it, though it talks to the managers;
 * - `stuck`: it neither does what it is sent nor says that it cannot.
 */
export const SUSPENSION_CAUSES = ['failing', 'unreachable', 'stuck'] as const
export type SuspensionCause = (typeof SUSPENSION_CAUSES)[number]

export interface SuspendedReplica extends CaughtUpReplica {
  readonly cause: SuspensionCause
}

export type ChangeKind = Change['kind']
export type ChangeOf<Kind extends ChangeKind> = Extract<Change, { kind: Kind }>
