// Between entries and bytes: what a call changes, which neighbouring blocks are read or written in
// one go, and which of those that were read fit their entries.
import { crc32 } from 'node:zlib'
import { assert } from '../../base/assert.js'
import { blockIndex, type BlockIndex, type Epoch } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, INDEX_ENTRY_BYTES } from '../../base/limits.js'
import type { BlockState, CopiedEntries, IndexEntry } from '../shard-store.js'
import {
  checksumOf,
  encodeEntry,
  isZero,
  stateOf,
  ZEROES_CHECKSUM,
  type BlockRange,
  type Span,
} from './layer-format.js'
import type { BlockRun } from './layer-file.js'

/** Told of blocks one by one. */
export type NoteBlock = (block: BlockIndex) => void

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
  const { first, last } = rangeOf(block, data)
  const entries = new Uint8Array((last - first + 1) * INDEX_ENTRY_BYTES)
  for (let slot = 0; slot <= last - first; slot++) {
    const bytes = blockAt(data, slot)
    const entry: IndexEntry = isZero(bytes)
      ? { state: 'zeroes', epoch: written, checksum: ZEROES_CHECKSUM }
      : { state: 'data', epoch: written, checksum: crc32(bytes) }
    encodeEntry(entries, slot, entry)
  }
  return { first, last, entries, runs: dataRuns(entries, { block, bytes: data }) }
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

/** Neighbouring data blocks are read and written in one call. `run` has all the blocks. */
export function dataRuns(entries: Uint8Array, run: BlockRun): BlockRun[] {
  return runsOf(entries, run, 'data')
}

/** The parts of `run` that are not stored here. */
export function absentRuns(entries: Uint8Array, run: BlockRun): BlockRun[] {
  return runsOf(entries, run, 'absent')
}

/** `entries`: as in the index, of the blocks of `run`. */
function runsOf(entries: Uint8Array, run: BlockRun, state: BlockState): BlockRun[] {
  const { block, bytes } = run
  const count = bytes.length / BLOCK_BYTES
  const runs: BlockRun[] = []
  for (let slot = 0; slot < count; slot++) {
    if (stateOf(entries, slot) !== state) continue
    const from = slot
    while (slot + 1 < count && stateOf(entries, slot + 1) === state) slot++
    if (from === 0 && slot === count - 1) return [run]
    runs.push({
      block: block + from,
      bytes: bytes.subarray(from * BLOCK_BYTES, (slot + 1) * BLOCK_BYTES),
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

/** The blocks of a run that are in the page of this span. */
export function partOf({ block, bytes }: BlockRun, { at, first, last }: Span): BlockRun {
  const end = at + last - first + 1
  return { block: block + at, bytes: bytes.subarray(at * BLOCK_BYTES, end * BLOCK_BYTES) }
}

/** A part of the page, not a copy. */
export function entriesOf(page: Uint8Array, { first, last }: Span): Uint8Array {
  return page.subarray(first * INDEX_ENTRY_BYTES, (last + 1) * INDEX_ENTRY_BYTES)
}

/** Zeroes what is `zeroes` or does not fit, and names the latter. */
export function verify(entries: Uint8Array, { block, bytes: into }: BlockRun): BlockIndex[] {
  const corrupt: BlockIndex[] = []
  for (let slot = 0; slot * BLOCK_BYTES < into.length; slot++) {
    const state = stateOf(entries, slot)
    if (state === 'absent') continue
    const bytes = blockAt(into, slot)
    if (state === 'data' && crc32(bytes) === checksumOf(entries, slot)) continue
    bytes.fill(0)
    if (state !== 'zeroes') corrupt.push(blockIndex(block + slot))
  }
  return corrupt
}

/** Most calls are about one block: then it is the buffer itself. */
function blockAt(bytes: Uint8Array, slot: number): Uint8Array {
  if (bytes.length === BLOCK_BYTES) return bytes
  return bytes.subarray(slot * BLOCK_BYTES, (slot + 1) * BLOCK_BYTES)
}
