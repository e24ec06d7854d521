// How a volume is, from where its shards live and which copies can be reached. Pure.
//
// A shard is `unavailable` when fewer in-sync copies are reachable than reads (one) or writes
// (minInSync) need, `degraded` when fewer than the volume wants, else in sync. A volume is what its
// worst shard is. A copy is reachable while its server runs as the incarnation that the copy's
// state belongs to: a server that has restarted since is not in-sync for anything.
import type { PeerId, VolumeId } from '../../base/brands.js'
import type { Incarnation } from '../../base/brands.js'
import type { ShardAllocation, VolumeRecord } from '../../layout/configuration.js'
import type { Health, VolumeResult } from '../../net/admin.js'

/** Storage servers that are connected and registered, with the incarnation they run as. */
export type Connected = ReadonlyMap<PeerId, Incarnation>

/** By volume; as far as servers have said. */
export interface BytesLeft {
  /** That syncing copies still have to fetch. */
  readonly syncing: ReadonlyMap<VolumeId, number>
  /** That merges of layers still have to copy. */
  readonly merging: ReadonlyMap<VolumeId, number>
}

const HEALTHS: readonly Health[] = ['ok', 'degraded', 'unavailable']

export function healthOfShard(
  volume: VolumeRecord,
  shard: ShardAllocation,
  connected: Connected,
): Health {
  const reachable = reachableInSync(shard, connected)
  if (reachable < Math.max(1, volume.minInSync)) return 'unavailable'
  return reachable < volume.replicas ? 'degraded' : 'ok'
}

export function reachableInSync(shard: ShardAllocation, connected: Connected): number {
  let reachable = 0
  for (const { server, state, incarnation } of shard.replicas) {
    if (state === 'in-sync' && connected.get(server) === incarnation) reachable++
  }
  return reachable
}

export function volumeResult(
  volume: VolumeRecord,
  connected: Connected,
  left: BytesLeft,
): Omit<VolumeResult, 'attachments' | 'syncSecondsLeft' | 'origin'> {
  const count = { ok: 0, degraded: 0, unavailable: 0 }
  let syncing = 0
  for (const shard of volume.shards) {
    count[healthOfShard(volume, shard, connected)]++
    if (shard.replicas.some(({ state }) => state === 'syncing')) syncing++
  }
  const { id, name, size, replicas, minInSync, schedules } = volume
  return {
    ...{ name, id, size, replicas, minInSync },
    health: worst(HEALTHS.filter(health => count[health] > 0)),
    shards: {
      total: volume.shards.length,
      inSync: count.ok,
      degraded: count.degraded,
      unavailable: count.unavailable,
      syncing,
    },
    syncBytesLeft: left.syncing.get(id) ?? 0,
    mergeBytesLeft: left.merging.get(id) ?? 0,
    schedules,
  }
}

export function worst(healths: readonly Health[]): Health {
  if (healths.includes('unavailable')) return 'unavailable'
  return healths.includes('degraded') ? 'degraded' : 'ok'
}
