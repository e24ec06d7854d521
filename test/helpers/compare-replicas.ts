// Compares what stopped storage servers hold: every block of every shard, checksums verified.
import { join } from 'node:path'
import { silentLog } from '../../src/base/log.js'
import { NodeDisk } from '../../src/disk/node-disk.js'
import { FileBlockStore } from '../../src/storage/store/file-block-store.js'
import { compareShard } from '../simulator/equal-replicas.js'

interface StoppedServers {
  dataOf(name: string): string
}

/** One line for each block that is corrupt, or not the same on all servers that hold its shard. */
export async function differingBlocks(
  cluster: StoppedServers,
  names: readonly string[],
): Promise<readonly string[]> {
  const stores = await Promise.all(names.map(name => openStore(cluster.dataOf(name))))
  const shards = new Map<string, { volume: number; shard: number }>()
  for (const store of stores) {
    for (const shard of await store.stored()) shards.set(`${shard.volume}/${shard.shard}`, shard)
  }
  const found: string[] = []
  for (const shard of shards.values()) found.push(...(await compareShard({ ...shard, stores })))
  await Promise.all(stores.map(store => store.close()))
  return shards.size > 0 ? found : ['no shard is stored anywhere']
}

function openStore(data: string): Promise<FileBlockStore> {
  const disk = new NodeDisk({ root: join(data, 'storage') })
  return FileBlockStore.open({ disk, log: silentLog })
}
