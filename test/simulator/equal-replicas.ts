// I7: when faults have stopped and everything is in-sync, the replicas of a shard are equal, block
// for block, entry for entry, checksums verified.
import { blockIndex } from '../../src/base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE, INDEX_ENTRY_BYTES } from '../../src/base/limits.js'
import type { LayerRecord } from '../../src/layout/layers.js'
import type { BlockStore, ShardStore } from '../../src/storage/shard-store.js'
import { decodeEntry, isEmptyPage } from '../../src/storage/store/layer-format.js'

export interface ShardOfServers {
  readonly volume: number
  readonly shard: number
  readonly layers: readonly LayerRecord[]
  readonly stores: readonly BlockStore[]
}

/** One line for each difference. */
export async function compareShard(named: ShardOfServers): Promise<string[]> {
  const title = `${named.volume}/${named.shard}`
  const { stores, layers } = named
  const replicas = await Promise.all(stores.map(store => store.openShard(named, layers)))
  const found: string[] = []
  for (const { id } of layers) {
    const pages = Math.max(...replicas.map(replica => replica.pageCount(id)))
    for (let page = 0; page < pages; page++) {
      const lines = await comparePage(replicas, { layer: id, page })
      found.push(...lines.map(line => `${title} layer ${id}: ${line}`))
    }
  }
  return found
}

async function comparePage(
  replicas: readonly ShardStore[],
  { layer, page }: { readonly layer: number; readonly page: number },
): Promise<string[]> {
  const start = page * BLOCKS_PER_INDEX_PAGE
  const indexes = await Promise.all(replicas.map(replica => replica.indexPage(layer, page)))
  if (indexes.every(isEmptyPage)) return []
  const found: string[] = []
  const used = usedSlots(indexes)
  const contents: Buffer[] = []
  for (const replica of replicas) {
    const into = new Uint8Array((used.end - used.first) * BLOCK_BYTES)
    const { corrupt } = await replica.readLayer(layer, blockIndex(start + used.first), into)
    found.push(...corrupt.map(({ block }) => `block ${block} is corrupt`))
    contents.push(Buffer.from(into.buffer))
  }
  if (contents.some(content => !content.equals(contents[0]!))) {
    found.push(`replicas differ in the blocks from ${start + used.first}`)
  }
  for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
    const entries = indexes.map(index => JSON.stringify(decodeEntry(index, slot)))
    if (new Set(entries).size === 1) continue
    found.push(`entries of block ${start + slot} differ: ${entries.join(' ')}`)
  }
  return found
}

/** From the first to behind the last slot that is not empty in all of these pages. */
function usedSlots(indexes: readonly Uint8Array[]): {
  readonly first: number
  readonly end: number
} {
  const used = (slot: number): boolean =>
    indexes.some(index =>
      index.subarray(slot * INDEX_ENTRY_BYTES, (slot + 1) * INDEX_ENTRY_BYTES).some(Boolean),
    )
  let first = 0
  let end = BLOCKS_PER_INDEX_PAGE
  while (first < end - 1 && !used(first)) first++
  while (end - 1 > first && !used(end - 1)) end--
  return { first, end }
}
