// What changed between two configurations of one cluster, over one epoch or many: how managers tell
// peers of a change without sending everything. Always: patch(a, difference(a, b)) equals b.
import { assert } from '../base/assert.js'
import {
  shardIndex,
  type ClusterId,
  type Epoch,
  type PeerId,
  type ShardIndex,
  type VolumeId,
} from '../base/brands.js'
import { remember } from './apply/volumes.js'
import type {
  Configuration,
  ManagerRecord,
  ServerRecord,
  ShardAllocation,
  VolumeRecord,
} from './configuration.js'
import { equal } from './equal.js'

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
  /** Deleted since, oldest first, as far as remembered; some were perhaps created since, too. */
  readonly deletedVolumes: readonly VolumeId[]
}

/** Both of one cluster, `before` the older one. */
export function difference(before: Configuration, after: Configuration): Delta {
  assert(before.cluster === after.cluster, 'a difference lies within one cluster')
  assert(before.epoch <= after.epoch, 'a difference leads forward')
  const { cluster, managers, nextVolume } = after
  const volumes: VolumeRecord[] = []
  const shards: ShardDelta[] = []
  for (const volume of after.volumes.values()) {
    const known = before.volumes.get(volume.id)
    if (known === volume) continue
    if (known === undefined || !equalButShards(known, volume)) volumes.push(volume)
    else shards.push(...changedShards(known, volume))
  }
  const remembered = new Set(before.deletedVolumes)
  return {
    cluster,
    from: before.epoch,
    to: after.epoch,
    managers: equal(before.managers, managers) ? null : managers,
    servers: [...after.servers.values()].filter(
      server => !equal(server, before.servers.get(server.id)),
    ),
    removedServers: [...before.servers.keys()].filter(id => !after.servers.has(id)),
    volumes,
    removedVolumes: [...before.volumes.keys()].filter(id => !after.volumes.has(id)),
    shards,
    nextVolume,
    deletedVolumes: after.deletedVolumes.filter(id => !remembered.has(id)),
  }
}

function equalButShards(a: VolumeRecord, b: VolumeRecord): boolean {
  return a.shards.length === b.shards.length && equal({ ...a, shards: [] }, { ...b, shards: [] })
}

function changedShards(before: VolumeRecord, after: VolumeRecord): readonly ShardDelta[] {
  const changed: ShardDelta[] = []
  after.shards.forEach((allocation, i) => {
    if (equal(allocation, before.shards[i])) return
    changed.push({ volume: after.id, shard: shardIndex(i), allocation })
  })
  return changed
}

/** Null if this is not a delta of that configuration: the receiver then fetches the whole one. */
export function patch(before: Configuration, delta: Delta): Configuration | null {
  if (delta.cluster !== before.cluster || delta.from !== before.epoch) return null
  const servers = new Map(before.servers)
  for (const id of delta.removedServers) servers.delete(id)
  for (const server of delta.servers) servers.set(server.id, server)
  const volumes = new Map(before.volumes)
  for (const id of delta.removedVolumes) volumes.delete(id)
  for (const volume of delta.volumes) volumes.set(volume.id, volume)
  if (!patchShards(volumes, delta.shards)) return null
  return {
    cluster: before.cluster,
    epoch: delta.to,
    managers: delta.managers ?? before.managers,
    servers: sharedIfEqual(before.servers, servers),
    volumes: sharedIfEqual(before.volumes, volumes),
    nextVolume: delta.nextVolume,
    deletedVolumes: remember(before.deletedVolumes, delta.deletedVolumes),
  }
}

/** False if there is no such shard. Copies the shards of each volume once. */
function patchShards(volumes: Map<VolumeId, VolumeRecord>, deltas: readonly ShardDelta[]): boolean {
  const lists = new Map<VolumeId, ShardAllocation[]>()
  for (const { volume, shard, allocation } of deltas) {
    const record = volumes.get(volume)
    if (record?.shards[shard] === undefined) return false
    const list = lists.get(volume) ?? [...record.shards]
    list[shard] = allocation
    lists.set(volume, list)
  }
  for (const [id, shards] of lists) volumes.set(id, { ...volumes.get(id)!, shards })
  return true
}

/** The old map itself if nothing in it was replaced, so that later comparisons end at once. */
function sharedIfEqual<Key, Value>(
  before: ReadonlyMap<Key, Value>,
  after: ReadonlyMap<Key, Value>,
): ReadonlyMap<Key, Value> {
  if (before.size !== after.size) return after
  for (const [key, value] of after) if (before.get(key) !== value) return after
  return before
}
