// How much each layer of a volume holds on this server, from the indexes alone: what was written
// while it was the head, and what of that nobody else shows, since every layer above has the block
// anew. The latter is what a deleted snapshot gives back.
import { byteCount } from '../base/brands.js'
import { isSwarmdiskError } from '../base/errors.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../base/limits.js'
import { hasLayer, type LayerRecord } from '../layout/layers.js'
import type { UsageReply } from '../net/manager-messages.js'
import type { ShardReplica } from './replica/shard-replica.js'
import type { ShardStore } from './shard-store.js'
import { Slots } from './slots.js'
import type { StorageServerOptions } from './storage-server-options.js'
import { isEmptyPage, isPresent, stateOf } from './store/layer-format.js'

interface Blocks {
  written: number
  alone: number
}

/** One question at a time: each may read all indexes of a volume. */
export function serveUsage(
  { peers, log }: Pick<StorageServerOptions, 'peers' | 'log'>,
  open: () => Iterable<Pick<ShardReplica, 'name' | 'store'>>,
): void {
  const slots = new Slots(1)
  peers.serve('usage', ({ volume }, _manager, answer) => {
    const shards = [...open()].filter(({ name }) => name.volume === volume)
    slots
      .run(() => volumeUsage(shards.map(({ store }) => store)))
      .then(answer, (error: unknown) => {
        if (!isSwarmdiskError(error)) throw error
        // Not answered: who asked names this server as silent.
        log.warn('the space that a volume takes could not be told', { error: error.message })
      })
  })
}

export async function volumeUsage(shards: Iterable<ShardStore>): Promise<UsageReply> {
  const layers = new Map<number, Blocks>()
  let used = 0
  for (const shard of shards) {
    used += shard.used()
    await addShard(layers, shard)
  }
  return {
    used: byteCount(used),
    layers: [...layers].map(([layer, { written, alone }]) => ({
      ...{ layer, written: byteCount(written * BLOCK_BYTES) },
      alone: byteCount(alone * BLOCK_BYTES),
    })),
  }
}

async function addShard(sums: Map<number, Blocks>, shard: ShardStore): Promise<void> {
  const { layers } = shard
  for (const { id } of layers) if (!sums.has(id)) sums.set(id, { written: 0, alone: 0 })
  const pages = Math.max(...layers.map(({ id }) => shard.pageCount(id)))
  for (let page = 0; page < pages; page++) {
    const found = new Map<number, Uint8Array>()
    // Layers may be set anew while this is under way: then those of before end here.
    for (const { id } of layers) {
      if (!hasLayer(shard.layers, id)) return
      // Of a hundred layers few have anything in the same page.
      if (shard.isKnownEmpty(id, page)) continue
      const bytes = await shard.indexPage(id, page)
      if (!isEmptyPage(bytes)) found.set(id, bytes)
    }
    for (const layer of layers) addPage(sums.get(layer.id)!, { layer, layers, found })
  }
}

function addPage(
  sum: Blocks,
  page: {
    readonly layer: LayerRecord
    readonly layers: readonly LayerRecord[]
    readonly found: ReadonlyMap<number, Uint8Array>
  },
): void {
  const own = page.found.get(page.layer.id)
  if (!own) return
  const above = page.layers
    .filter(({ parent }) => parent === page.layer.id)
    .map(({ id }) => page.found.get(id))
  for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
    if (stateOf(own, slot) !== 'data') continue
    sum.written++
    if (above.every(entries => entries !== undefined && isPresent(entries, slot))) sum.alone++
  }
}
