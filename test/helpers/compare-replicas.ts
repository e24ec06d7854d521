// Compares what stopped storage servers hold: every block of every shard, checksums verified.
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { NodeDisk } from '../../src/disk/node-disk.js'
import { FIRST_LAYER, type LayerRecord } from '../../src/layout/layers.js'
import type { VolumeDetail } from '../../src/net/admin.js'
import { FileBlockStore } from '../../src/storage/store/file-block-store.js'
import { compareShard } from '../simulator/equal-replicas.js'

interface StoppedServers {
  dataOf(name: string): string
}

/** One line for each block that is corrupt, or not the same on all servers that hold its shard. */
export async function differingBlocks(
  cluster: StoppedServers,
  names: readonly string[],
  layers: readonly LayerRecord[] = [FIRST_LAYER],
): Promise<readonly string[]> {
  const stores = await Promise.all(names.map(name => openStore(cluster.dataOf(name))))
  const shards = new Map<string, { volume: number; shard: number }>()
  for (const store of stores) {
    for (const shard of await store.stored()) shards.set(`${shard.volume}/${shard.shard}`, shard)
  }
  const found: string[] = []
  for (const shard of shards.values()) {
    found.push(...(await compareShard({ ...shard, stores, layers })))
  }
  await Promise.all(stores.map(store => store.close()))
  return shards.size > 0 ? found : ['no shard is stored anywhere']
}

/** The same for a volume whose shards are on some of the servers each, as `volume show` has it. */
export async function differingReplicas(
  cluster: StoppedServers,
  { id, placement }: Pick<VolumeDetail, 'id' | 'placement'>,
  layers: readonly LayerRecord[] = [FIRST_LAYER],
): Promise<readonly string[]> {
  const names = new Set(placement.flatMap(({ replicas }) => replicas.map(({ server }) => server)))
  const stores = new Map<string, FileBlockStore>()
  for (const name of names) stores.set(name, await openStore(cluster.dataOf(name)))
  const found: string[] = []
  for (const { shard, replicas } of placement) {
    const holding = replicas.flatMap(({ server }) => stores.get(server) ?? [])
    found.push(...(await compareShard({ volume: id, shard, stores: holding, layers })))
  }
  await Promise.all([...stores.values()].map(store => store.close()))
  return placement.length > 0 ? found : ['no shard is stored anywhere']
}

/** The head of a volume whose snapshots have all been deleted, as the only layer. */
export function mergedLayer(id: number): LayerRecord {
  return { id, parent: 0, covers: [{ first: 1, last: id }] }
}

function openStore(data: string): Promise<FileBlockStore> {
  const disk = new NodeDisk({ root: join(data, 'storage') })
  return FileBlockStore.open({ clock: systemClock, disk, log: silentLog })
}
