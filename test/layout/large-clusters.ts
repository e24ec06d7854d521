// Clusters of any size for tests of what must not grow, and of what must fit: volumes are made once
// and then put on other servers, since placing ten thousand of them takes a minute.
import { epoch, incarnation, volumeId, type PeerId, type VolumeId } from '../../src/base/brands.js'
import type { Configuration, ServerRecord, VolumeRecord } from '../../src/layout/configuration.js'
import { isRefusal } from '../../src/layout/outcome.js'
import { planVolume } from '../../src/layout/placement/planner.js'
import { inSyncOn } from '../../src/layout/replicas.js'
import { cluster, GiB, must, server } from './clusters.js'

export interface Size {
  readonly servers: number
  readonly volumes: number
  /** Of each volume. */
  readonly replicas?: number
  readonly bytes?: number
}

/** Every server has restarted some times, and every volume is old: numbers take some bytes. */
export function largeCluster({ servers, volumes, replicas = 3, bytes = GiB }: Size): Configuration {
  const small = cluster(0)
  const records = Array.from({ length: servers }, (_, i) =>
    server(i + 1, { incarnation: incarnation(300) }),
  )
  const at = epoch(100_000)
  const before = {
    ...{ ...small, epoch: at },
    servers: new Map(records.map(record => [record.id, record])),
  }
  const wish = { name: 'v1', size: bytes, replicas, minInSync: 1 }
  const plan = planVolume(before, wish)
  if (isRefusal(plan)) throw new Error(plan.reason)
  const first = must(before, plan).volumes.get(volumeId(1))!
  const numbers = new Map(records.map(({ id }, i) => [id, i]))
  const turned = (id: PeerId, n: number): ServerRecord =>
    records[(numbers.get(id)! + n) % records.length]!
  const all = new Map<VolumeId, VolumeRecord>()
  for (let n = 1; n <= volumes; n++) {
    all.set(
      volumeId(n),
      renumbered(first, n, id => turned(id, n)),
    )
  }
  return { ...before, epoch: epoch(at + 1), volumes: all, nextVolume: volumeId(volumes + 1) }
}

function renumbered(
  volume: VolumeRecord,
  n: number,
  on: (server: PeerId) => ServerRecord,
): VolumeRecord {
  const shards = volume.shards.map(shard => {
    return { ...shard, replicas: shard.replicas.map(({ server: id }) => inSyncOn(on(id))) }
  })
  return { ...volume, id: volumeId(n), name: `v${n}`, shards }
}
