// Reads through the files of a shard, the newest first: what one does not have is looked for in the
// next. Who calls has the turn for the range. Most reads find all of it in one file, in the page
// cache, with its index page in memory: those make no promise (readChainNow).
import type { CorruptBlock, ReadResult } from '../shard-store.js'
import type { NoteBlock } from './block-runs.js'
import type { PageUse } from './index-cache.js'
import type { BlockRun } from './layer-file.js'
import type { LayerStore } from './layer-store.js'
import type { ChainLink } from './layer-table.js'

export type Chain = readonly ChainLink<LayerStore>[]

const NOTHING_CORRUPT: ReadResult = { corrupt: [] }

/** What nobody has is zeroes. */
export async function readChain(chain: Chain, whole: BlockRun, use: PageUse): Promise<ReadResult> {
  const corrupt: CorruptBlock[] = []
  let absent: readonly BlockRun[] = [whole]
  for (const { layer, file } of chain) {
    const [only] = absent
    if (!only) break
    // Most layers of a long chain have nothing of it: they cost a look into memory.
    const isThin = use === 'again' && absent.length === 1 && file.lacks(only)
    if (file.gone || isThin) continue
    const note: NoteBlock = block => corrupt.push({ block, layer })
    const deeper: BlockRun[] = []
    for (const run of absent) {
      for (const left of await file.read(run, note, use)) deeper.push(left)
    }
    absent = deeper
  }
  for (const { bytes } of absent) bytes.fill(0)
  if (corrupt.length > 1) corrupt.sort((a, b) => a.block - b.block)
  return { corrupt }
}

/** The same, in this turn; null: the buffer may be filled in part, readChain() has to do it all. */
export function readChainNow(chain: Chain, whole: BlockRun): ReadResult | null {
  for (const { layer, file } of chain) {
    if (file.gone || file.lacks(whole)) continue
    const corrupt: CorruptBlock[] = []
    const absent = file.readNow(whole, block => corrupt.push({ block, layer }))
    return absent?.length === 0 ? { corrupt } : null
  }
  whole.bytes.fill(0)
  return NOTHING_CORRUPT
}
