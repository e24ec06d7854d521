// What peers say to each other, as types. The numbers, codecs, who may send what, and the epoch
// rule of each are in operations.ts; the bytes are documented in docs/protocol.md.
//
// Offsets and lengths of data operations are in bytes of the shard's own space: extent e of a
// volume with S shards is local extent floor(e / S) of shard e mod S (src/layout/geometry.ts).
import type {
  BlockIndex,
  ByteCount,
  ByteOffset,
  Epoch,
  Generation,
  Incarnation,
  PeerId,
  RequestNumber,
  Sequence,
  ShardIndex,
  VolumeId,
} from '../base/brands.js'
import type { SuspensionCause } from '../layout/change.js'
import type { AccessMode, Address, Configuration } from '../layout/configuration.js'
import type { Delta } from '../layout/delta.js'
import type { HeldRange } from '../snapshot/held-ranges.js'

export interface ShardName {
  readonly volume: VolumeId
  readonly shard: ShardIndex
}

// ---- client to storage server --------------------------------------------------------------

/** In a read: whatever layer is the head. */
export const HEAD = 0

export interface ReadRequest extends ShardName {
  /** Of the client's configuration: the `c` of the epoch table. */
  readonly epoch: Epoch
  /** What is seen from this layer: HEAD, or the frozen one of a snapshot. */
  readonly layer: number
  readonly offset: ByteOffset
  readonly length: ByteCount
}

export interface WriteRequest extends ShardName {
  readonly epoch: Epoch
  readonly offset: ByteOffset
  /** The same for every retry of this write. */
  readonly request: RequestNumber
  /** Requests to this shard below this number are complete: servers may forget them. */
  readonly completeBelow: RequestNumber
  /** A FLUSH is expected next: the answer comes when this write is durable, if that can be. */
  readonly durable: boolean
  /** Any length from 1 byte to REQUEST_BYTES_MAX, within one extent. */
  readonly payload: Uint8Array
}

export interface FlushRequest extends ShardName {
  readonly epoch: Epoch
}

/** Which blocks some layers hold, for what has changed between two snapshots. */
export interface HeldRequest extends ShardName {
  readonly epoch: Epoch
  /** The newest first: of each block the first that holds it counts. */
  readonly layers: readonly number[]
  readonly block: BlockIndex
  readonly blocks: number
}

/** The payload of the answer: all before `end` was looked at, perhaps not all that was asked. */
export interface HeldAnswer {
  readonly end: BlockIndex
  /** Ascending, apart. */
  readonly ranges: readonly HeldRange[]
}

export type DataStatus =
  | 'ok'
  /** The shard's allocation is newer than the client's configuration: fetch it and try again. */
  | 'stale-epoch'
  /** The server does not (or not yet) serve this: not primary, not in-sync, no such shard. */
  | 'not-serving'
  /** No good copy of a block is left on this server. */
  | 'corrupt'
  | 'disk-full'
  | 'disk-error'
  | 'out-of-range'
  /** A write or FLUSH of a client that is not attached to the volume (any more). */
  | 'no-access'

export interface DataReply {
  readonly status: DataStatus
  /** The server's epoch, so that the client catches up. */
  readonly epoch: Epoch
  /** The shard's generation as the server knows it. */
  readonly generation: Generation
  /** Requests waiting at the server: the client chooses replicas by it. */
  readonly queue: number
  /** Of a write: it is durable, and so is all that was acknowledged before it was sent. */
  readonly durable: boolean
  /** What was read, or an encoded HeldAnswer; empty for everything else. */
  readonly payload: Uint8Array
}

// ---- storage server to storage server; `allocation` is the shard's epoch and must match ------

export interface ShardMessage extends ShardName {
  readonly allocation: Epoch
}

/** A client's write, by which a retry is recognised. */
export interface Origin {
  readonly client: PeerId
  readonly request: RequestNumber
}

/** Primary to the others, in sequence. Whole blocks. */
export interface Replicate extends ShardMessage {
  readonly sequence: Sequence
  readonly block: BlockIndex
  readonly origins: readonly Origin[]
  /** Re-replication of what the previous epoch left undecided. */
  readonly settling: boolean
  /** Acknowledged when it is durable, or cannot be made so. */
  readonly durable: boolean
  /** Every write up to this one is acknowledged by all in-sync replicas. */
  readonly committed: Sequence
  /** Per origin client: requests below are complete there. Empty when nothing changed. */
  readonly complete: readonly Origin[]
  readonly payload: Uint8Array
}

/** The answer: everything up to `sequence` is applied. */
export interface Replicated extends ShardMessage {
  readonly sequence: Sequence
  /** Everything up to here is durable; what no one asked for is not counted. */
  readonly durable: Sequence
  /** False: what comes next could not be stored yet (disk full, disk error); it is tried again. */
  readonly applied: boolean
  /** New path, new allocation or a gap: send again, in order, whatever comes after `sequence`. */
  readonly resume: boolean
}

/** Primary to the others: everything up to `sequence` is committed. */
export interface Committed extends ShardMessage {
  readonly sequence: Sequence
  /**
   * Only to a syncing replica that asked to resume: writes up to `sequence` are not kept any more.
   * It goes on after `sequence`, and compares again from the beginning.
   */
  readonly skip: boolean
}

export interface GatherRequest extends ShardMessage {
  readonly primary: PeerId
}

export interface UncommittedWrite {
  readonly block: BlockIndex
  readonly blocks: number
  readonly origins: readonly Origin[]
}

/** Of one client write, these blocks were executed. A settled write may be so in part only. */
export interface ExecutedWrite extends Origin {
  readonly block: BlockIndex
  readonly blocks: number
}

export interface GatherReply {
  readonly ok: boolean
  readonly uncommitted: readonly UncommittedWrite[]
  /** Once table: writes executed and not known to be complete at their clients. */
  readonly executed: readonly ExecutedWrite[]
}

/** Make all that was applied durable (the replica's part of a FLUSH). */
export type SyncRequest = ShardMessage

export interface OkReply {
  readonly ok: boolean
}

/** A syncing replica compares page summaries, then entries, then fetches blocks. */
export interface SummariesRequest extends ShardMessage {
  readonly layer: number
  readonly firstPage: number
  readonly pages: number
}

export interface PageSummary {
  readonly page: number
  /** Hash over the page's entries; pages of absent blocks only are left out. */
  readonly hash: Uint8Array
}

export interface SummariesReply {
  readonly ok: boolean
  readonly summaries: readonly PageSummary[]
  /** One past the last page that has any entry. */
  readonly pageCount: number
}

export interface IndexPageRequest extends ShardMessage {
  readonly layer: number
  readonly page: number
}

export interface IndexPageReply {
  readonly ok: boolean
  /** The page as on disk: 512 entries of 8 bytes. */
  readonly payload: Uint8Array
}

export interface BlocksRequest extends ShardMessage {
  readonly layer: number
  readonly block: BlockIndex
  readonly blocks: number
}

export interface BlocksReply {
  readonly status: 'ok' | 'refused' | 'corrupt'
  /** 8 bytes for each block, as in the index: what the content belongs to. */
  readonly entries: Uint8Array
  /** Clients want something of this server: who copies from it should give way to them. */
  readonly busy: boolean
  /** Content of the blocks whose entry says `data`, one after the other. */
  readonly payload: Uint8Array
}

/** Syncing replica to the primary: nothing differs and all of it is durable. */
export interface CaughtUpRequest extends ShardMessage {
  readonly applied: Sequence
}

export interface CaughtUpReply {
  /** False: something is still under way; compare again. */
  readonly counted: boolean
  /** The primary's whole once table. */
  readonly executed: readonly ExecutedWrite[]
}

// ---- to and from managers --------------------------------------------------------------------

export interface RegisterRequest {
  readonly name: string
  readonly domain: string
  readonly capacity: ByteCount
  readonly weight: number
  readonly incarnation: Incarnation
  readonly addresses: readonly Address[]
}

export type RegisterReply =
  | { readonly kind: 'registered'; readonly epoch: Epoch }
  | { readonly kind: 'refused'; readonly reason: string }
  /** No manager leads at the moment: ask again. */
  | { readonly kind: 'wait' }

/** Regularly, and when something changed: not configuration, only for `status`. */
export interface StorageReport {
  readonly incarnation: Incarnation
  readonly epoch: Epoch
  readonly used: ByteCount
  readonly free: ByteCount
  readonly corruptBlocks: number
  readonly problem: string
  readonly syncing: readonly ShardProgress[]
  /** Shards whose layers are being merged, or wait for that; about. */
  readonly merging: readonly ShardProgress[]
  readonly served: ServedReport
  /** Fetched from other storage servers since the start, to catch up and to repair. */
  readonly recovered: ByteCount
}

/** Requests of clients that were executed since the start, and their bytes. */
export interface ServedReport {
  readonly reads: number
  readonly writes: number
  readonly flushes: number
  readonly bytesRead: ByteCount
  readonly bytesWritten: ByteCount
}

export interface ShardProgress extends ShardName {
  readonly bytesLeft: ByteCount
}

export interface ClientReport {
  readonly host: string
  readonly mountPoint: string
  readonly epoch: Epoch
  readonly held: HeldReport | null
}

export interface HeldReport {
  readonly requests: number
  readonly reason: string
  /** ISO 8601. */
  readonly since: string
}

/** A client wants to write to a volume. */
export interface AttachRequest {
  readonly volume: VolumeId
  readonly host: string
  readonly mode: AccessMode
  /** Ends the access of whoever is in the way. */
  readonly takeover: boolean
}

export type AttachReply =
  /** It may write under this configuration, and newer ones that do not say otherwise. */
  | { readonly kind: 'attached'; readonly epoch: Epoch }
  | {
      readonly kind: 'refused'
      readonly code: 'in-use' | 'not-found' | 'refused'
      /** One sentence, which for 'in-use' says who has it, where and since when. */
      readonly reason: string
    }
  /** Nothing was decided, or nobody knows: ask again. */
  | { readonly kind: 'wait' }

export interface DetachRequest {
  readonly volume: VolumeId
}

export type DetachReply =
  /** It is not attached under this configuration. */
  { readonly kind: 'detached'; readonly epoch: Epoch } | { readonly kind: 'wait' }

/** An attached client lives. */
export type ClientHeartbeat = Readonly<Record<string, never>>

/** Somebody saw a request from another epoch (design §3). */
export interface MismatchReport extends ShardName {
  readonly seen: Epoch
  readonly own: Epoch
  readonly from: PeerId
}

/** Primary to manager: these replicas count from now on, in this epoch. */
export interface CaughtUpProposal {
  readonly replicas: readonly (ShardMessage & { readonly server: PeerId })[]
}

/** By its primary: everything ordered before the seal of this epoch is stored and durable. */
export interface SealedShard extends ShardMessage {
  readonly seal: Epoch
}

export interface SealedShards {
  readonly shards: readonly SealedShard[]
}

/** In-sync replicas that keep their shards waiting, by the primaries of these allocations. */
export interface SuspendProposal {
  readonly replicas: readonly (ShardMessage & {
    readonly server: PeerId
    readonly cause: SuspensionCause
  })[]
}

export interface ConfigurationRequest {
  /** 0 if none. */
  readonly have: Epoch
}

export type ConfigurationUpdate =
  | { readonly kind: 'current'; readonly epoch: Epoch }
  | { readonly kind: 'delta'; readonly delta: Delta }
  | { readonly kind: 'full'; readonly configuration: Configuration }

/** Commands of operators; their shapes are in src/net/admin.ts, checked at the border. */
export interface AdminRequest {
  readonly json: string
}

export interface AdminReply {
  readonly json: string
}
