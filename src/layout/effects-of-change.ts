// Whom a change concerns: who has to stop serving what before it may take effect, and who is asked
// for a vote. Two configurations are compared, whatever change lies between them.
import { shardIndex, type PeerId, type ShardIndex, type VolumeId } from '../base/brands.js'
import type { Configuration, ShardAllocation, VolumeRecord } from './configuration.js'
import { equal } from './equal.js'
import { inSyncOf, keepsMemory } from './replicas.js'

export interface ShardPlace {
  readonly volume: VolumeId
  readonly shard: ShardIndex
}

interface Difference extends ShardPlace {
  /** Null: its volume is new, or deleted. */
  readonly old: ShardAllocation | null
  readonly now: ShardAllocation | null
}

/**
 * For every server the shards in which it is no longer in-sync, or no longer the primary: it must
 * stop serving them under the old allocation first. Not those of starts that are over, which serve
 * nothing; nor those of deleted volumes, which nobody else serves in its place.
 */
export function shardsTaken(
  before: Configuration,
  after: Configuration,
): ReadonlyMap<PeerId, readonly ShardPlace[]> {
  const taken = new Map<PeerId, ShardPlace[]>()
  for (const { volume, shard, old, now } of differences(before, after)) {
    if (old === null || now === null) continue
    const inSync = new Set(inSyncOf(now).map(({ server }) => server))
    const primary = now.replicas[0]!.server
    inSyncOf(old).forEach((replica, place) => {
      const { server } = replica
      const stays = place === 0 ? server === primary : inSync.has(server)
      if (stays || !keepsMemory(before, replica)) return
      const places = taken.get(server)
      if (places === undefined) taken.set(server, [{ volume, shard }])
      else places.push({ volume, shard })
    })
  }
  return taken
}

/**
 * The servers that hold or will hold a copy, in whatever state, of an allocation that differs, or
 * of a volume that is given more room; and those that leave the cluster.
 */
export function touchedServers(before: Configuration, after: Configuration): readonly PeerId[] {
  const touched = new Set([...before.servers.keys()].filter(id => !after.servers.has(id)))
  const touch = (allocation: ShardAllocation | null): void => {
    allocation?.replicas.forEach(({ server }) => touched.add(server))
    allocation?.stale.forEach(server => touched.add(server))
  }
  for (const { old, now } of differences(before, after)) {
    touch(old)
    touch(now)
  }
  for (const { shards } of grownVolumes(before, after)) shards.forEach(touch)
  return [...touched]
}

function* grownVolumes(before: Configuration, after: Configuration): Iterable<VolumeRecord> {
  if (before.volumes === after.volumes) return
  for (const volume of after.volumes.values()) {
    const known = before.volumes.get(volume.id)
    if (known !== undefined && known.size !== volume.size) yield volume
  }
}

type Shards = readonly ShardAllocation[]

/** The shards of every volume that is not the same in both, those of before and those of after. */
function* changedLists(
  before: Configuration,
  after: Configuration,
): Iterable<readonly [VolumeId, Shards, Shards]> {
  for (const [id, { shards }] of before.volumes) {
    const nows = after.volumes.get(id)?.shards ?? []
    if (nows !== shards) yield [id, shards, nows]
  }
  for (const [id, { shards }] of after.volumes) {
    if (!before.volumes.has(id)) yield [id, [], shards]
  }
}

/** The shards whose allocations differ. */
function* differences(before: Configuration, after: Configuration): Iterable<Difference> {
  if (before.volumes === after.volumes) return
  for (const [volume, olds, nows] of changedLists(before, after)) {
    for (let i = 0; i < Math.max(olds.length, nows.length); i++) {
      const [old, now] = [olds[i] ?? null, nows[i] ?? null]
      if (!equal(old, now)) yield { volume, shard: shardIndex(i), old, now }
    }
  }
}
