// I7: when faults have stopped and everything is in-sync, the replicas of a shard are equal, block
// for block, checksums verified.
import { blockIndex } from '../../src/base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../src/base/limits.js'
import type { BlockStore } from '../../src/storage/shard-store.js'

export interface ShardOfServers {
  readonly volume: number
  readonly shard: number
  readonly stores: readonly BlockStore[]
}

/** One line for each difference. */
export async function compareShard(named: ShardOfServers): Promise<string[]> {
  const title = `${named.volume}/${named.shard}`
  const replicas = await Promise.all(named.stores.map(store => store.openShard(named)))
  const pages = Math.max(...replicas.map(replica => replica.pageCount()))
  const found: string[] = []
  for (let page = 0; page < pages; page++) {
    const start = blockIndex(page * BLOCKS_PER_INDEX_PAGE)
    const contents: Buffer[] = []
    for (const replica of replicas) {
      const into = new Uint8Array(BLOCKS_PER_INDEX_PAGE * BLOCK_BYTES)
      const { corrupt } = await replica.read(start, into)
      found.push(...corrupt.map(block => `${title}: block ${block} is corrupt`))
      contents.push(Buffer.from(into.buffer))
    }
    if (contents.some(content => !content.equals(contents[0]!))) {
      found.push(`${title}: replicas differ in the blocks from ${start}`)
    }
  }
  return found
}
