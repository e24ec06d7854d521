// What changed between two configurations of one cluster.
import type { ClusterId, Epoch, PeerId, ShardIndex, VolumeId } from '../base/brands.js'
import type { ManagerRecord, ServerRecord, ShardAllocation, VolumeRecord } from './configuration.js'

export interface ShardDelta {
  readonly volume: VolumeId
  readonly shard: ShardIndex
  readonly allocation: ShardAllocation
}

export interface Delta {
  readonly cluster: ClusterId
  readonly from: Epoch
  readonly to: Epoch
  /** Null: unchanged. */
  readonly managers: readonly ManagerRecord[] | null
  /** New or changed. */
  readonly servers: readonly ServerRecord[]
  readonly removedServers: readonly PeerId[]
  /** New volumes, and volumes of which more than shards changed. */
  readonly volumes: readonly VolumeRecord[]
  readonly removedVolumes: readonly VolumeId[]
  /** Shards of volumes that are not in `volumes`. */
  readonly shards: readonly ShardDelta[]
  readonly nextVolume: VolumeId
  readonly deletedVolumes: readonly VolumeId[]
}
