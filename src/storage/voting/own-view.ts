// What a storage server knows of itself, beside the configuration, when it votes.
import type { Incarnation, PeerId, VolumeId } from '../../base/brands.js'
import type { ShardPlace } from '../../layout/effects-of-change.js'
import type { ReplicaRole } from '../replication/replica-state.js'

export interface OwnView {
  readonly self: PeerId
  readonly incarnation: Incarnation
  /** Why nothing new may be placed here, for people; empty if there is room. */
  readonly noRoom: string
  /** Volumes of which there are files here, whatever the configuration says. */
  readonly stored: ReadonlySet<VolumeId>
  /** Undefined if this shard is not open here. */
  held(shard: ShardPlace): HeldShard | undefined
  /** Whether there are files of this shard here, open or not. */
  stores(shard: ShardPlace): boolean
  /** Whether any start of another server can be reached from here. */
  connected(server: PeerId): boolean
  /** Whether this start of another server can be reached from here. */
  reaches(server: PeerId, incarnation: Incarnation): boolean
}

export interface HeldShard {
  readonly role: ReplicaRole
  /** As the primary: other in-sync replicas that cannot store what they are sent. */
  readonly failing: readonly PeerId[]
  /** While it catches up: whose copy it compares with. */
  readonly source: PeerId | null
  /** While it catches up: the primary has said that our acknowledgements count from now on. */
  readonly counted: boolean
}
