// After an unclean stop: decides every block of a region that was dirty by its checksum (design
// §5), so that it is one of the writes since the last flush or the one before. Index and data of a
// write may have reached the disk in any order, each or neither.
import { crc32 } from 'node:zlib'
import { epoch } from '../../../base/brands.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../../base/limits.js'
import type { IndexEntry } from '../../shard-store.js'
import type { LayerFile } from '../layer-file.js'
import { decodeEntry, encodeEntry } from '../layer-format.js'

/**
 * The three things that a crash leaves of a block; an entry is null if nobody wrote such a thing.
 */
export interface BlockRemains {
  readonly current: IndexEntry | null
  readonly undo: IndexEntry | null
  /** Of the data on the disk. */
  readonly checksum: number
}

export function decideBlock({ current, undo, checksum }: BlockRemains): IndexEntry {
  const fits = (entry: IndexEntry): boolean => entry.state !== 'data' || entry.checksum === checksum
  if (current && fits(current)) return current
  if (undo && fits(undo)) return undo
  // Overwritten in between: neither the first nor the last write since the region was durable.
  const written = current ?? undo
  return { state: 'data', epoch: written ? written.epoch : epoch(0), checksum }
}

/** Returns how many blocks had to be decided against the index. The caller syncs. */
export async function recoverRegion(
  file: LayerFile,
  region: { readonly page: number; readonly undo: Uint8Array | null },
): Promise<number> {
  const first = region.page * BLOCKS_PER_INDEX_PAGE
  const page = await file.pin(region.page, 'once')
  try {
    const open: number[] = []
    for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
      const current = decodeEntry(page.bytes, slot)
      if (current === null || current.state === 'data') open.push(slot)
    }
    if (open.length === 0) return 0
    const from = open[0]!
    const data = new Uint8Array((open.at(-1)! - from + 1) * BLOCK_BYTES)
    await file.read({ block: first + from, bytes: data })
    let changed = 0
    for (const slot of open) {
      const at = (slot - from) * BLOCK_BYTES
      const current = decodeEntry(page.bytes, slot)
      const undo = region.undo ? decodeEntry(region.undo, slot) : ABSENT
      const checksum = crc32(data.subarray(at, at + BLOCK_BYTES))
      const decided = decideBlock({ current, undo, checksum })
      if (decided === current) continue
      // Durable since before it had another name: if it was decided, a block has rotted.
      if (changed === 0) await file.own()
      encodeEntry(page.bytes, slot, decided)
      changed++
    }
    if (changed > 0) {
      file.changed(page)
      await page.writer.request()
    }
    return changed
  } finally {
    file.unpin(page)
  }
}

const ABSENT: IndexEntry = { state: 'absent', epoch: epoch(0), checksum: 0 }
