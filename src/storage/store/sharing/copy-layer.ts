// Copies what a layer file holds into another file: pages that have entries, and the data that they
// speak of. What is damaged stays so: bytes are copied as they are.
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE, MERGE_PIECE_BLOCKS } from '../../../base/limits.js'
import type { DiskFile } from '../../../disk/disk.js'
import type { BlockRun, LayerFile } from '../layer-file.js'
import {
  blockOffset,
  INDEX_PAGE_BYTES,
  isEmptyPage,
  isPresent,
  pageOffset,
  stateOf,
} from '../layer-format.js'

export interface CopyTarget {
  readonly to: DiskFile
  readonly header: Uint8Array
  /** After so much work. */
  readonly pause: (bytes: number) => Promise<void>
}

export async function copyLayer(
  from: Pick<LayerFile, 'pageCount' | 'pin' | 'unpin' | 'read'>,
  { to, header, pause }: CopyTarget,
): Promise<void> {
  await to.write(header, 0)
  for (let number = 0; number < from.pageCount; number++) {
    const page = await from.pin(number, 'once')
    const entries = page.bytes.slice()
    from.unpin(page)
    if (isEmptyPage(entries)) continue
    for (const run of runsOf(number, entries)) {
      await from.read(run)
      await to.write(run.bytes, blockOffset(run.block))
      await pause(run.bytes.length)
    }
    await to.write(entries, pageOffset(number))
    await pause(INDEX_PAGE_BYTES)
  }
}

/** Runs of blocks that have data, to be filled; none is longer than a piece of a merge. */
function* runsOf(page: number, entries: Uint8Array): Iterable<BlockRun> {
  const first = page * BLOCKS_PER_INDEX_PAGE
  let from: number | null = null
  for (let slot = 0; slot <= BLOCKS_PER_INDEX_PAGE; slot++) {
    const stored =
      slot < BLOCKS_PER_INDEX_PAGE &&
      isPresent(entries, slot) &&
      stateOf(entries, slot) !== 'zeroes'
    if (stored && from === null) from = slot
    if (from === null || (stored && slot - from < MERGE_PIECE_BLOCKS)) continue
    yield { block: first + from, bytes: new Uint8Array((slot - from) * BLOCK_BYTES) }
    from = stored ? slot : null
  }
}
