// Commands of operators, and what they answer: the bodies of the `admin` operation, as JSON. A
// manager carries them out; any other peer passes them on to one. Results are what `--json` prints.

import type { SnapshotSchedule } from '../layout/configuration.js'

export type AdminCommand =
  | { readonly command: 'status' }
  | {
      readonly command: 'volume-create'
      readonly name: string
      readonly size: number
      readonly replicas: number
      /** Null: a majority of the replicas. */
      readonly minInSync: number | null
      /** Overrides refusals about degree or room. So it is below. */
      readonly force: boolean
    }
  | { readonly command: 'volume-list' }
  | { readonly command: 'volume-show'; readonly name: string }
  | { readonly command: 'volume-delete'; readonly name: string }
  /** To so many bytes; smaller is refused. */
  | {
      readonly command: 'volume-resize'
      readonly name: string
      readonly size: number
      readonly force: boolean
    }
  /** Null: stays as it is. */
  | {
      readonly command: 'volume-set'
      readonly name: string
      readonly minInSync: number | null
      readonly snapshots: readonly SnapshotSchedule[] | null
      readonly force: boolean
    }
  /** `acceptDataLoss` is what the operator has to say; nothing is done without it. */
  | {
      readonly command: 'shard-promote'
      readonly volume: string
      readonly shard: number
      readonly server: string
      readonly acceptDataLoss: boolean
    }
  /** Of one point in time, however many they are; a volume is named once. */
  | {
      readonly command: 'snapshot-create'
      readonly snapshots: readonly {
        readonly volume: string
        readonly name: string
        /** The identity of the snapshot that it was imported from; left out: none. */
        readonly source?: string
      }[]
    }
  /** Null: of all volumes. */
  | { readonly command: 'snapshot-list'; readonly volume: string | null }
  | { readonly command: 'snapshot-delete'; readonly volume: string; readonly name: string }
  /** The volume is what it was; refused while somebody may write to it. */
  | { readonly command: 'snapshot-rollback'; readonly volume: string; readonly name: string }
  /** A new volume `name` begins as what the snapshot shows. */
  | {
      readonly command: 'snapshot-clone'
      readonly volume: string
      readonly snapshot: string
      readonly name: string
    }
  /** A clone needs its origin no more; its layers are merged in the background. */
  | { readonly command: 'volume-flatten'; readonly name: string }
  | { readonly command: 'server-list' }
  | { readonly command: 'server-drain'; readonly name: string; readonly force: boolean }
  | { readonly command: 'server-undrain'; readonly name: string }
  | { readonly command: 'server-remove'; readonly name: string; readonly force: boolean }
  | { readonly command: 'manager-list' }
  /** `manager`: its identity, or the beginning of it that is like no other's. */
  | { readonly command: 'manager-add'; readonly manager: string; readonly force: boolean }
  | { readonly command: 'manager-remove'; readonly manager: string; readonly force: boolean }
  | { readonly command: 'epoch-list'; readonly from: number | null; readonly limit: number }
  | { readonly command: 'epoch-show'; readonly epoch: number }

export type AdminResult =
  | { readonly ok: true; readonly result: unknown }
  /** `code` is an ErrorCode; `message` one sentence that says what to do. */
  | { readonly ok: false; readonly code: string; readonly message: string }

export type Health = 'ok' | 'degraded' | 'unavailable'

export interface StatusResult {
  readonly epoch: number
  readonly cluster: string
  readonly health: Health
  /** One line for each problem, with what to do. */
  readonly problems: readonly string[]
  readonly managers: readonly ManagerResult[]
  readonly servers: readonly ServerResult[]
  readonly volumes: readonly VolumeResult[]
  readonly clients: readonly ClientResult[]
}

export interface ManagerResult {
  readonly id: string
  readonly leader: boolean
  readonly reachable: boolean
  readonly addresses: readonly string[]
}

/** `manager list`. */
export interface ManagerListResult {
  readonly managers: readonly ManagerResult[]
  /** Connected processes with the role that are no members: `manager add` makes one of them. */
  readonly candidates: readonly { readonly id: string; readonly addresses: readonly string[] }[]
}

export interface ServerResult {
  readonly name: string
  readonly id: string
  readonly state: 'up' | 'down' | 'draining'
  readonly used: number
  readonly capacity: number
  readonly domain: string
  readonly weight: number
  readonly reachable: boolean
  readonly addresses: readonly string[]
  readonly incarnation: number
  readonly corruptBlocks: number
  readonly problem: string
  readonly served: ServedResult
  /** Bytes that it has fetched from others since it was started, to catch up and to repair. */
  readonly recovered: number
  /** Shards of which it has a copy, in whatever state. */
  readonly shards: number
  /** Null: nobody has it emptied. */
  readonly drain: DrainResult | null
}

/** Requests of clients that it has executed since it was started, and their bytes. */
export interface ServedResult {
  readonly reads: number
  readonly writes: number
  readonly flushes: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** What is left of emptying a server. Both counters only go down. */
export interface DrainResult {
  readonly shardsLeft: number
  /** An estimate; null while the server has not said what it holds. */
  readonly bytesLeft: number | null
  /** Null: nobody can tell, or nothing goes on. */
  readonly secondsLeft: number | null
  /** Why nothing goes on; empty if something does, or nothing is left. */
  readonly waitsFor: string
}

/** `server drain` and `server undrain`. */
export interface ServerDrainResult {
  readonly name: string
  readonly id: string
  readonly epoch: number
  readonly drain: DrainResult | null
}

export interface VolumeResult {
  readonly name: string
  readonly id: number
  readonly size: number
  readonly replicas: number
  readonly minInSync: number
  /** Of a clone the snapshot that it began with, "data@monday"; null: it needs none. */
  readonly origin: string | null
  readonly health: Health
  readonly shards: {
    readonly total: number
    readonly inSync: number
    readonly degraded: number
    readonly unavailable: number
    readonly syncing: number
  }
  /** What syncing copies still have to fetch, as far as their servers have said. */
  readonly syncBytesLeft: number
  /** What is still to be copied where layers of deleted snapshots are merged, on all servers. */
  readonly mergeBytesLeft: number
  /** Null: nobody can tell. */
  readonly syncSecondsLeft: number | null
  /** Made and deleted by themselves. */
  readonly schedules: readonly SnapshotSchedule[]
  /** Who may write: nobody, one client, or several that share it. */
  readonly attachments: readonly AttachmentResult[]
}

export interface AttachmentResult {
  readonly client: string
  readonly host: string
  readonly mode: 'exclusive' | 'shared'
  /** ISO 8601, and so is `lastSeen`; null: nothing was heard since this manager leads. */
  readonly since: string
  readonly lastSeen: string | null
  /** Silent for a whole lease: another client may have its place without --takeover. */
  readonly expired: boolean
}

/** Bytes, of all replicas together. */
export interface VolumeUsage {
  /** On the disks of the servers that have answered. */
  readonly used: number
  readonly snapshots: readonly SnapshotUsage[]
  /** Servers that hold something of it and have not answered in time. */
  readonly silent: readonly string[]
}

export interface SnapshotUsage {
  readonly name: string
  /** ISO 8601. */
  readonly at: string
  /** Blocks that were written between the snapshot before it and itself. */
  readonly written: number
  /** Of these, what no later snapshot and not the volume shows: what deleting it gives back. */
  readonly alone: number
}

/** `volume show`: adds where each shard lives, and what it takes. */
export interface VolumeDetail extends VolumeResult {
  readonly usage: VolumeUsage
  readonly created: number
  readonly placement: readonly {
    readonly shard: number
    readonly epoch: number
    readonly generation: number
    readonly replicas: readonly { readonly server: string; readonly state: string }[]
    readonly stale: readonly string[]
  }[]
}

/** `snapshot list`; `snapshot create` answers with those that it made. */
export interface SnapshotListResult {
  readonly snapshots: readonly SnapshotResult[]
}

export interface SnapshotResult {
  readonly volume: string
  readonly name: string
  /** ISO 8601. */
  readonly at: string
  /** The one that made it: snapshots of one point in time share it. */
  readonly epoch: number
  /** Bytes that the volume had. */
  readonly size: number
}

export interface SnapshotsCreated extends SnapshotListResult {
  readonly epoch: number
}

/** `snapshot delete` and `snapshot rollback`. */
export interface SnapshotChanged {
  readonly volume: string
  readonly name: string
  readonly epoch: number
}

/** `volume resize`: the volume as it is then. */
export interface VolumeResized extends VolumeResult {
  readonly epoch: number
}

/** `snapshot clone`: the new volume. */
export interface VolumeCloned extends VolumeResult {
  readonly epoch: number
}

/** `volume flatten`. */
export interface VolumeFlattened {
  readonly name: string
  /** What it began with, "data@monday". */
  readonly origin: string
  readonly epoch: number
}

export interface ClientResult {
  readonly id: string
  readonly host: string
  readonly mountPoint: string
  readonly epoch: number
  readonly held: {
    readonly requests: number
    readonly reason: string
    readonly since: string
  } | null
}

export interface EpochResult {
  readonly epoch: number
  readonly at: string
  /** One line for people: "volume created: data, 1 GiB, 3 replicas". */
  readonly change: string
  readonly kind: string
  readonly proposer: string
  readonly votes: readonly {
    readonly voter: string
    /** Of a storage server its name, of a manager the beginning of its identity. */
    readonly name: string
    readonly role: string
    readonly approve: boolean
    /** Of a refusal: about degree or room; it was overridden by --force. */
    readonly policy: boolean
    readonly reason: string
  }[]
}
