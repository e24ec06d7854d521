// Between entries and bytes: what a call changes, which neighbouring blocks are read or written in
// one go, and which of those that were read fit their entries.
import { crc32 } from 'node:zlib'
import { assert } from '../../base/assert.js'
import { blockIndex, type BlockIndex, type Epoch } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, INDEX_ENTRY_BYTES } from '../../base/limits.js'
import type { BlockState, CopiedEntries, IndexEntry } from '../shard-store.js'
import { encodeEntry, isZero, ZEROES_CHECKSUM, type BlockRange } from './layer-format.js'
import type { BlockRun } from './layer-file.js'

export interface Change extends BlockRange {
  /** As in the index, 8 bytes for each block. */
  readonly entries: Uint8Array
  /** Of the blocks that are data. */
  readonly runs: readonly BlockRun[]
}

export function rangeOf(block: number, bytes: Uint8Array): BlockRange {
  const count = bytes.length / BLOCK_BYTES
  assert(Number.isInteger(count) && count > 0, 'whole blocks are read and written')
  return { first: block, last: block + count - 1 }
}

export function writtenBlocks(block: number, data: Uint8Array, written: Epoch): Change {
  const range = rangeOf(block, data)
  const entries: IndexEntry[] = []
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    const bytes = data.subarray(at, at + BLOCK_BYTES)
    entries.push(
      isZero(bytes)
        ? { state: 'zeroes', epoch: written, checksum: ZEROES_CHECKSUM }
        : { state: 'data', epoch: written, checksum: crc32(bytes) },
    )
  }
  return { ...range, entries: encodeEntries(entries), runs: dataRuns(entries, block, data) }
}

/** Throws if the data does not fit the entries. */
export function copiedBlocks(block: number, { entries, payload }: CopiedEntries): Change {
  assert(entries.length > 0, 'blocks are adopted')
  const runs: BlockRun[] = []
  let at = 0
  entries.forEach((entry, i) => {
    if (entry.state !== 'data') return
    const bytes = payload.subarray(at, (at += BLOCK_BYTES))
    if (bytes.length < BLOCK_BYTES || crc32(bytes) !== entry.checksum) {
      throw new SwarmdiskError('corrupt', `block ${block + i} came with a wrong checksum`)
    }
    runs.push({ block: block + i, bytes })
  })
  assert(at === payload.length, 'the payload has the data blocks and nothing else')
  const last = block + entries.length - 1
  return { first: block, last, entries: encodeEntries(entries), runs: joined(runs) }
}

function encodeEntries(entries: readonly IndexEntry[]): Uint8Array {
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
  return runsOf(entries, { block, bytes }, 'data')
}

/** The parts of `run` that are not stored here. */
export function absentRuns(entries: readonly (IndexEntry | null)[], run: BlockRun): BlockRun[] {
  return runsOf(entries, run, 'absent')
}

function runsOf(
  entries: readonly (IndexEntry | null)[],
  { block, bytes }: BlockRun,
  state: BlockState,
): BlockRun[] {
  const runs: BlockRun[] = []
  for (let i = 0; i < entries.length; i++) {
    if (entries[i]?.state !== state) continue
    const from = i
    while (entries[i + 1]?.state === state) i++
    runs.push({
      block: block + from,
      bytes: bytes.subarray(from * BLOCK_BYTES, (i + 1) * BLOCK_BYTES),
    })
  }
  return runs
}

/** Joins runs that follow each other, on the disk and in the same buffer. */
function joined(runs: readonly BlockRun[]): BlockRun[] {
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

/** Zeroes what is `zeroes` or does not fit, and names the latter. */
export function verify(
  entries: readonly (IndexEntry | null)[],
  { block, bytes: into }: BlockRun,
): BlockIndex[] {
  const corrupt: BlockIndex[] = []
  entries.forEach((entry, i) => {
    if (entry?.state === 'absent') return
    const bytes = into.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
    if (entry?.state === 'data' && crc32(bytes) === entry.checksum) return
    bytes.fill(0)
    if (entry === null || entry.state === 'data') corrupt.push(blockIndex(block + i))
  })
  return corrupt
}
