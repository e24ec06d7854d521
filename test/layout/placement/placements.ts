// Measures of placements: how even they are, and whether domains are kept apart.
import type { PeerId, ShardIndex, VolumeId } from '../../../src/base/brands.js'
import { shardIndex, volumeId } from '../../../src/base/brands.js'
import type { ServerRecord } from '../../../src/layout/configuration.js'
import { placeVolume, type Load } from '../../../src/layout/placement/place.js'
import type { PlacedShard } from '../../../src/layout/placement/rebalance.js'
import { server } from '../clusters.js'

export function servers(
  count: number,
  fields: (n: number) => Partial<ServerRecord> = () => ({}),
): readonly ServerRecord[] {
  return Array.from({ length: count }, (_, i) => server(i + 1, fields(i + 1)))
}

export function loadsOf(placed: readonly PlacedShard[]): ReadonlyMap<PeerId, Load> {
  const loads = new Map<PeerId, { replicas: number; primaries: number }>()
  for (const shard of placed) {
    shard.servers.forEach((id, i) => {
      const load = loads.get(id) ?? { replicas: 0, primaries: 0 }
      load.replicas++
      if (i === 0) load.primaries++
      loads.set(id, load)
    })
  }
  return loads
}

/** Volumes one after the other, each planned with the loads of those before. */
export function placeVolumes(
  records: readonly ServerRecord[],
  volumes: readonly { readonly shards: number; readonly replicas: number }[],
): readonly PlacedShard[] {
  const placed: PlacedShard[] = []
  volumes.forEach(({ shards, replicas }, v) => {
    const volume: VolumeId = volumeId(v + 1)
    const loads = loadsOf(placed)
    const plan = placeVolume({ servers: records, volume, shards, replicas, loads })
    plan.forEach((ids, i) => {
      const shard: ShardIndex = shardIndex(i)
      placed.push({ volume, shard, servers: ids })
    })
  })
  return placed
}

export interface Evenness {
  /** The largest distance from a server's part by weight, as a part of it: 0.1 is ten per cent. */
  readonly replicas: number
  readonly primaries: number
}

export function evenness(
  records: readonly ServerRecord[],
  placed: readonly PlacedShard[],
): Evenness {
  const loads = loadsOf(placed)
  const up = records.filter(record => record.state === 'up')
  const weight = up.reduce((sum, record) => sum + record.weight, 0)
  const replicas = placed.reduce((sum, shard) => sum + shard.servers.length, 0)
  const off = (record: ServerRecord, count: number, all: number): number =>
    Math.abs((count * weight) / (all * record.weight) - 1)
  const worst = (all: number, of: (load: Load) => number): number =>
    Math.max(
      ...up.map(record => {
        const load = loads.get(record.id) ?? { replicas: 0, primaries: 0 }
        return off(record, of(load), all)
      }),
    )
  return {
    replicas: worst(replicas, load => load.replicas),
    primaries: worst(placed.length, load => load.primaries),
  }
}

/** Shards of which a server or, while domains suffice, a domain holds two replicas. */
export function crowded(
  records: readonly ServerRecord[],
  placed: readonly PlacedShard[],
): readonly PlacedShard[] {
  const domainOf = new Map(records.map(record => [record.id, record.domain]))
  const domains = new Set(
    records.filter(record => record.state === 'up').map(record => record.domain),
  )
  return placed.filter(({ servers: ids }) => {
    if (new Set(ids).size < ids.length) return true
    return domains.size >= ids.length && new Set(ids.map(id => domainOf.get(id))).size < ids.length
  })
}
