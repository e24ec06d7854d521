// Compares what stopped storage servers hold: every block of every shard, checksums verified.
import { join } from 'node:path'
import { blockIndex } from '../../src/base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import { NodeDisk } from '../../src/disk/node-disk.js'
import { FileBlockStore } from '../../src/storage/store/file-block-store.js'

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
  for (const [title, shard] of shards) {
    found.push(...(await compareShard(stores, { title, ...shard })))
  }
  await Promise.all(stores.map(store => store.close()))
  return shards.size > 0 ? found : ['no shard is stored anywhere']
}

function openStore(data: string): Promise<FileBlockStore> {
  const disk = new NodeDisk({ root: join(data, 'storage') })
  return FileBlockStore.open({ disk, log: silentLog })
}

interface Shard {
  readonly title: string
  readonly volume: number
  readonly shard: number
}

async function compareShard(stores: readonly FileBlockStore[], shard: Shard): Promise<string[]> {
  const replicas = await Promise.all(stores.map(store => store.openShard(shard)))
  const pages = Math.max(...replicas.map(replica => replica.pageCount()))
  const found: string[] = []
  for (let page = 0; page < pages; page++) {
    const start = blockIndex(page * BLOCKS_PER_INDEX_PAGE)
    const contents = await Promise.all(
      replicas.map(async replica => {
        const into = new Uint8Array(BLOCKS_PER_INDEX_PAGE * BLOCK_BYTES)
        const { corrupt } = await replica.read(start, into)
        for (const block of corrupt) found.push(`${shard.title}: block ${block} is corrupt`)
        return Buffer.from(into.buffer)
      }),
    )
    if (contents.some(content => !content.equals(contents[0]!))) {
      found.push(`${shard.title}: replicas differ in blocks from ${start}`)
    }
  }
  return found
}
