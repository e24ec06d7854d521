// The bytes of a layer file, one for each shard and layer: where things are, the header, and the
// entries of an index page. docs/on-disk-format.md draws it. An entry checks itself: `absent` is
// all zero and `zeroes` carries the checksum of a block of zeroes, so that no flipped bit turns
// one state into another.
import { crc32 } from 'node:zlib'
import { assert, exhaustive } from '../../base/assert.js'
import { epoch, type ClusterId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import {
  BLOCK_BYTES,
  BLOCKS_PER_EXTENT,
  BLOCKS_PER_INDEX_PAGE,
  EXTENT_BYTES,
  INDEX_ENTRY_BYTES,
} from '../../base/limits.js'
import type { BlockState, IndexEntry } from '../shard-store.js'

export const LAYER_VERSION = 1
export const LAYER_HEADER_BYTES = BLOCK_BYTES
export const INDEX_PAGE_BYTES = BLOCKS_PER_INDEX_PAGE * INDEX_ENTRY_BYTES
/** Not to be written into. */
export const EMPTY_PAGE = new Uint8Array(INDEX_PAGE_BYTES)
const PAGES_PER_EXTENT = BLOCKS_PER_EXTENT / BLOCKS_PER_INDEX_PAGE
const EXTENT_INDEX_BYTES = PAGES_PER_EXTENT * INDEX_PAGE_BYTES
const EXTENT_STRIDE = EXTENT_INDEX_BYTES + EXTENT_BYTES
const MAGIC = 'SWDLAYER'
const NO_CLUSTER = '0'.repeat(32)

/** What a `zeroes` entry carries: the crc32 of 4096 zero bytes. */
export const ZEROES_CHECKSUM = crc32(new Uint8Array(BLOCK_BYTES))

assert(INDEX_PAGE_BYTES === BLOCK_BYTES, 'an index page is written as one block')

export interface LayerName {
  readonly volume: number
  readonly shard: number
  readonly layer: number
}

// ---- where things are ------------------------------------------------------------------------

export function pageOffset(page: number): number {
  const extent = Math.floor(page / PAGES_PER_EXTENT)
  const inExtent = (page % PAGES_PER_EXTENT) * INDEX_PAGE_BYTES
  return LAYER_HEADER_BYTES + extent * EXTENT_STRIDE + inExtent
}

/** The pages of all extents that a file of this size has, be it in part. */
export function pagesOfSize(size: number): number {
  const extents = Math.ceil(Math.max(0, size - LAYER_HEADER_BYTES) / EXTENT_STRIDE)
  return extents * PAGES_PER_EXTENT
}

export function blockOffset(block: number): number {
  const extent = Math.floor(block / BLOCKS_PER_EXTENT)
  const inExtent = (block % BLOCKS_PER_EXTENT) * BLOCK_BYTES
  return LAYER_HEADER_BYTES + extent * EXTENT_STRIDE + EXTENT_INDEX_BYTES + inExtent
}

/** A range of blocks cut at the borders of index pages. */
export interface Span {
  readonly page: number
  /** First and last slot of the page. */
  readonly first: number
  readonly last: number
  /** The first slot's place in the range. */
  readonly at: number
}

export interface BlockRange {
  readonly first: number
  readonly last: number
}

export function pageOf(block: number): number {
  return Math.floor(block / BLOCKS_PER_INDEX_PAGE)
}

export function spansOf(range: BlockRange): Span[] {
  const spans: Span[] = []
  for (let block = range.first; block <= range.last;) {
    const page = pageOf(block)
    const start = page * BLOCKS_PER_INDEX_PAGE
    const last = Math.min(range.last - start, BLOCKS_PER_INDEX_PAGE - 1)
    spans.push({ page, first: block - start, last, at: block - range.first })
    block = start + last + 1
  }
  return spans
}

/** Null: the blocks are in several pages. */
export function onlySpanOf({ first, last }: BlockRange): Span | null {
  const page = pageOf(first)
  if (pageOf(last) !== page) return null
  const start = page * BLOCKS_PER_INDEX_PAGE
  return { page, first: first - start, last: last - start, at: 0 }
}

/** How many of these blocks lie next to each other in the file: up to the end of the extent. */
export function contiguousBlocks(block: number, count: number): number {
  return Math.min(count, BLOCKS_PER_EXTENT - (block % BLOCKS_PER_EXTENT))
}

// ---- entries ---------------------------------------------------------------------------------

/** Null: no swarmdisk wrote this. */
export function decodeEntry(bytes: Uint8Array, slot: number): IndexEntry | null {
  const state = stateOf(bytes, slot)
  if (state === null) return null
  return { state, epoch: epoch(firstWord(bytes, slot) >>> 2), checksum: checksumOf(bytes, slot) }
}

/** As decodeEntry(), for those who look at many entries and want nothing else of them. */
export function stateOf(bytes: Uint8Array, slot: number): BlockState | null {
  const word = firstWord(bytes, slot)
  switch (word & 3) {
    case 0:
      return word === 0 && checksumOf(bytes, slot) === 0 ? 'absent' : null
    case 1:
      return 'data'
    case 2:
      return checksumOf(bytes, slot) === ZEROES_CHECKSUM ? 'zeroes' : null
    default:
      return null
  }
}

export function checksumOf(bytes: Uint8Array, slot: number): number {
  return wordAt(bytes, slot * INDEX_ENTRY_BYTES + 4)
}

export function encodeEntry(bytes: Uint8Array, slot: number, entry: IndexEntry): void {
  let [word, checksum] = [0, 0]
  switch (entry.state) {
    case 'absent':
      break
    case 'data':
      word = ((entry.epoch << 2) | 1) >>> 0
      checksum = entry.checksum
      break
    case 'zeroes':
      word = ((entry.epoch << 2) | 2) >>> 0
      checksum = ZEROES_CHECKSUM
      break
    default:
      exhaustive(entry.state)
  }
  setWord(bytes, slot * INDEX_ENTRY_BYTES, word)
  setWord(bytes, slot * INDEX_ENTRY_BYTES + 4, checksum)
}

/** Whether something was written there, be it damaged: what is below is not seen. */
export function isPresent(bytes: Uint8Array, slot: number): boolean {
  return firstWord(bytes, slot) !== 0 || checksumOf(bytes, slot) !== 0
}

function firstWord(bytes: Uint8Array, slot: number): number {
  return wordAt(bytes, slot * INDEX_ENTRY_BYTES)
}

/** Little-endian, by hand: a DataView for each entry was much of what a server allocated. */
function wordAt(bytes: Uint8Array, at: number): number {
  assert(at >= 0 && at + 4 <= bytes.length, 'entries are read within their bytes')
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
  return (low | (bytes[at + 3]! << 24)) >>> 0
}

function setWord(bytes: Uint8Array, at: number, word: number): void {
  assert(at >= 0 && at + 4 <= bytes.length, 'entries are written within their bytes')
  bytes[at] = word
  bytes[at + 1] = word >>> 8
  bytes[at + 2] = word >>> 16
  bytes[at + 3] = word >>> 24
}

/** Whether none of these slots of a page was written: they are all zero then. */
export function isAbsent(
  page: Uint8Array,
  { first, last }: { readonly first: number; readonly last: number },
): boolean {
  if (isPresent(page, first)) return false
  const bytes = page.subarray(first * INDEX_ENTRY_BYTES, (last + 1) * INDEX_ENTRY_BYTES)
  return ZEROES.subarray(0, bytes.length).equals(bytes)
}

/** Fills what is absent in a page with the entries of a lower one. */
export function overlay(page: Uint8Array, lower: Uint8Array): void {
  for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
    if (!isPresent(page, slot)) copyEntry(page, lower, slot)
  }
}

export function copyEntry(to: Uint8Array, from: Uint8Array, slot: number): void {
  const at = slot * INDEX_ENTRY_BYTES
  to.set(from.subarray(at, at + INDEX_ENTRY_BYTES), at)
}

export function isEmptyPage(bytes: Uint8Array): boolean {
  return isZero(bytes)
}

const ZEROES = Buffer.alloc(BLOCK_BYTES)

/** Of a block or an index page. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && ZEROES.equals(bytes)
}

// ---- header ----------------------------------------------------------------------------------

export function encodeHeader(name: LayerName, cluster: ClusterId | null): Uint8Array {
  const bytes = Buffer.alloc(LAYER_HEADER_BYTES)
  bytes.write(MAGIC, 0, 'latin1')
  bytes.writeUInt32LE(LAYER_VERSION, 8)
  bytes.writeUInt32LE(name.layer, 12)
  bytes.write(cluster ?? NO_CLUSTER, 16, 'hex')
  bytes.writeUInt32LE(name.volume, 32)
  bytes.writeUInt32LE(name.shard, 36)
  bytes.writeUInt32LE(BLOCK_BYTES, 40)
  bytes.writeUInt32LE(BLOCKS_PER_EXTENT, 44)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, LAYER_HEADER_BYTES - 4)), LAYER_HEADER_BYTES - 4)
  return bytes
}

export interface ExpectedHeader {
  readonly path: string
  readonly name: LayerName
  readonly cluster: ClusterId | null
}

/** Throws what is wrong with it, in one sentence. */
export function checkHeader(header: Uint8Array, expected: ExpectedHeader): void {
  const { path, name, cluster } = expected
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.length)
  const bad = (why: string): SwarmdiskError =>
    new SwarmdiskError('corrupt', `${path} is damaged: ${why}; move it away to start afresh`)
  if (bytes.length < LAYER_HEADER_BYTES) throw bad('it is shorter than its header')
  if (bytes.toString('latin1', 0, 8) !== MAGIC) throw bad(`it does not begin with ${MAGIC}`)
  const version = bytes.readUInt32LE(8)
  if (version > LAYER_VERSION) {
    throw new SwarmdiskError(
      'data-directory',
      `${path} has format ${version}, this release knows ${LAYER_VERSION}: use a newer release`,
    )
  }
  const checksum = crc32(bytes.subarray(0, LAYER_HEADER_BYTES - 4))
  if (bytes.readUInt32LE(LAYER_HEADER_BYTES - 4) !== checksum) throw bad('its header is corrupt')
  if (version < 1) throw bad('its version is 0')
  const owner = bytes.toString('hex', 16, 32)
  if (cluster && owner !== NO_CLUSTER && owner !== cluster) {
    throw new SwarmdiskError('wrong-cluster', `${path} belongs to cluster ${owner}, not ${cluster}`)
  }
  const [volume, shard] = [bytes.readUInt32LE(32), bytes.readUInt32LE(36)]
  const layer = bytes.readUInt32LE(12)
  const found = `${volume}/${shard}/${layer}`
  const wanted = `${name.volume}/${name.shard}/${name.layer}`
  // A clone has files that were made for its origin, which is older.
  const fits = volume <= name.volume && shard === name.shard && layer === name.layer
  if (!fits) throw bad(`it is volume/shard/layer ${found} where ${wanted} belongs`)
  if (bytes.readUInt32LE(40) !== BLOCK_BYTES || bytes.readUInt32LE(44) !== BLOCKS_PER_EXTENT) {
    throw bad('its block or extent size is not ours')
  }
}
