// Between entries and bytes: which neighbouring blocks are read or written in one call, and which
// of those that were read fit their entries.
import { crc32 } from 'node:zlib'
import { blockIndex, type BlockIndex } from '../../base/brands.js'
import { BLOCK_BYTES, INDEX_ENTRY_BYTES } from '../../base/limits.js'
import type { IndexEntry } from '../shard-store.js'
import { encodeEntry } from './layer-format.js'
import type { BlockRun } from './layer-file.js'

export function encodeEntries(entries: readonly IndexEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * INDEX_ENTRY_BYTES)
  entries.forEach((entry, i) => encodeEntry(bytes, i, entry))
  return bytes
}

/** Neighbouring data blocks are read and written in one call. `bytes` has all the blocks. */
export function dataRuns(
  entries: readonly (IndexEntry | null)[],
  block: number,
  bytes: Uint8Array,
): BlockRun[] {
  const runs: BlockRun[] = []
  for (let i = 0; i < entries.length; i++) {
    if (entries[i]?.state !== 'data') continue
    const from = i
    while (entries[i + 1]?.state === 'data') i++
    runs.push({
      block: block + from,
      bytes: bytes.subarray(from * BLOCK_BYTES, (i + 1) * BLOCK_BYTES),
    })
  }
  return runs
}

/** Joins runs that follow each other, on the disk and in the same buffer. */
export function joined(runs: readonly BlockRun[]): BlockRun[] {
  const list: BlockRun[] = []
  for (const run of runs) {
    const last = list.at(-1)
    if (last && last.block + last.bytes.length / BLOCK_BYTES === run.block) {
      const { buffer, byteOffset, length } = last.bytes
      const bytes = new Uint8Array(buffer, byteOffset, length + run.bytes.length)
      list[list.length - 1] = { block: last.block, bytes }
    } else list.push(run)
  }
  return list
}

/** Zeroes what is not data or does not fit, and names the latter. */
export function verify(
  entries: readonly (IndexEntry | null)[],
  block: number,
  into: Uint8Array,
): BlockIndex[] {
  const corrupt: BlockIndex[] = []
  entries.forEach((entry, i) => {
    const bytes = into.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
    if (entry?.state === 'data' && crc32(bytes) === entry.checksum) return
    bytes.fill(0)
    if (entry === null || entry.state === 'data') corrupt.push(blockIndex(block + i))
  })
  return corrupt
}
