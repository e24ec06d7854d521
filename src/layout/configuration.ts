// The configuration: the immutable record of who takes part and where every block lives, numbered
// by its epoch (design §3). Two configurations of one cluster with the same epoch are equal (I3).
// It changes only through `apply` (apply.ts); peers receive differences (delta.ts).
import type {
  ByteCount,
  ClusterId,
  Epoch,
  Generation,
  Incarnation,
  PeerId,
  VolumeId,
} from '../base/brands.js'
import type { LayerRecord } from './layers.js'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface ManagerRecord {
  readonly id: PeerId
  readonly addresses: readonly Address[]
}

/**
 * What the managers decided, not what a connection looks like right now. An operator empties a
 * server that is `draining`: it is up, and gets nothing new. Being down does not end that, so one
 * that is both has a word of its own.
 */
export type ServerState = 'up' | 'down' | 'draining' | 'down-draining'

export interface ServerRecord {
  readonly id: PeerId
  /** Unique in the cluster. */
  readonly name: string
  /** Two replicas of a shard are not put into one failure domain while domains suffice. */
  readonly domain: string
  /** Direct TCP addresses; may be empty, then the swarm stream is the only way. */
  readonly addresses: readonly Address[]
  readonly capacity: ByteCount
  /** Relative share of shards; by default the capacity in GiB, at least 1. */
  readonly weight: number
  readonly state: ServerState
  /** Of the newest start the managers know of. */
  readonly incarnation: Incarnation
}

/**
 * One server's copy of one shard.
 * - `in-sync`: holds every acknowledged write (I5); may serve reads and be primary.
 * - `syncing`: receives new writes and fetches what differs; serves nothing.
 * The state belongs to `incarnation`: a server that has restarted since is neither, until a
 * configuration names its new incarnation (it may have lost what was not flushed).
 */
export interface Replica {
  readonly server: PeerId
  readonly state: 'in-sync' | 'syncing'
  readonly incarnation: Incarnation
}

export interface ShardAllocation {
  /** The epoch at which this allocation last changed. */
  readonly epoch: Epoch
  /** Raised when the shard resumed from replicas that had lost their memory. */
  readonly generation: Generation
  /** In-sync ones first; the first is the primary. Never without an in-sync replica. */
  readonly replicas: readonly Replica[]
  /** Servers that hold an old copy which nobody may use before it has been compared. */
  readonly stale: readonly PeerId[]
}

/** A point in time of a volume: what is seen from a frozen layer. */
export interface SnapshotRecord {
  /** Unique within the volume. */
  readonly name: string
  readonly layer: number
  /** ISO 8601. */
  readonly at: string
  /** The epoch that made it: several volumes may share it. */
  readonly epoch: Epoch
  /** That the volume had then; it may have grown since. */
  readonly size: ByteCount
  /**
   * The identity of the snapshot that this one was imported from, perhaps of another cluster; null
   * if it was made here.
   */
  readonly source: string | null
}

/**
 * Where a clone began: with the frozen layers of another volume, up to that of a snapshot, which
 * cannot be deleted before the clone is flattened.
 */
export interface Origin {
  readonly volume: VolumeId
  readonly snapshot: string
  /** The layer of that snapshot: up to it the layers of the clone are those of the origin. */
  readonly layer: number
}

export type SnapshotPeriod = 'hourly' | 'daily' | 'weekly' | 'monthly'

/** Snapshots that the managers make by themselves, and how many of them they keep. */
export interface SnapshotSchedule {
  readonly period: SnapshotPeriod
  readonly keep: number
}

/**
 * A snapshot is being made: primaries order no writes until a later configuration lifts this, and
 * tell the managers when what was ordered before is stored and durable everywhere.
 */
export interface Seal {
  /** The epoch at which it began. */
  readonly epoch: Epoch
  /** Of the snapshot to be. */
  readonly name: string
}

/** `exclusive`: the only client that may write. `shared`: one of several, all of them shared. */
export type AccessMode = 'exclusive' | 'shared'

/**
 * A client that may write to a volume. Its identity is made anew at every start of its process, so
 * a client that was started again is another one. Reading needs no attachment.
 */
export interface Attachment {
  readonly client: PeerId
  /** Where it runs, for people; and by which a dead client of the same host is recognised. */
  readonly host: string
  readonly mode: AccessMode
  /** ISO 8601. */
  readonly since: string
}

export interface VolumeRecord {
  readonly id: VolumeId
  readonly name: string
  /** Never becomes smaller: nobody ever asks beyond the end of what he knew. */
  readonly size: ByteCount
  readonly replicas: number
  readonly minInSync: number
  /** The epoch that created the volume. */
  readonly created: Epoch
  /** The last one is the head. */
  readonly layers: readonly LayerRecord[]
  /** In the order of their making. */
  readonly snapshots: readonly SnapshotRecord[]
  readonly seal: Seal | null
  /** Null: it is no clone, or was flattened. */
  readonly origin: Origin | null
  /** At most one for each period. */
  readonly schedules: readonly SnapshotSchedule[]
  readonly shards: readonly ShardAllocation[]
  /** At most one, or all of them shared. */
  readonly attachments: readonly Attachment[]
}

export interface Configuration {
  readonly epoch: Epoch
  readonly cluster: ClusterId
  readonly managers: readonly ManagerRecord[]
  readonly servers: ReadonlyMap<PeerId, ServerRecord>
  readonly volumes: ReadonlyMap<VolumeId, VolumeRecord>
  readonly nextVolume: VolumeId
  /** The newest DELETED_VOLUMES_REMEMBERED deletions: only for these may a server drop data. */
  readonly deletedVolumes: readonly VolumeId[]
}
