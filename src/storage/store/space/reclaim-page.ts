// Gives back the space of blocks that hold nothing: holes are punched where their data was.
import { BLOCKS_PER_INDEX_PAGE } from '../../../base/limits.js'
import { runsOf, type BlockSet } from '../block-set.js'
import type { LayerFile } from '../layer-file.js'
import { stateOf } from '../layer-format.js'

export interface PageToReclaim {
  readonly page: number
  /** Blocks whose older entry still counts after a crash, with the data that it had. */
  readonly touched: () => BlockSet | undefined
  /** Neighbours that are given back together; fewer are not. */
  readonly leastBlocks: number
}

/** No change of the page may be under way. False: this disk cannot. */
export async function reclaimPage(
  file: LayerFile,
  { page: number, touched, leastBlocks }: PageToReclaim,
): Promise<boolean> {
  const page = await file.pin(number, 'once')
  try {
    const kept = touched()
    const isSpare = (slot: number): boolean => {
      const state = stateOf(page.bytes, slot)
      return state !== null && state !== 'data' && !kept?.has(slot)
    }
    for (const { first, last } of runsOf(isSpare)) {
      const count = last - first + 1
      if (count < leastBlocks) continue
      const block = number * BLOCKS_PER_INDEX_PAGE + first
      if (!(await file.punch({ block, count }))) return false
    }
  } finally {
    file.unpin(page)
  }
  await file.measure()
  return true
}
