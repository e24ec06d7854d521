// Where a byte of a volume lives: the only file that divides by the block or the extent size.
//
//   volume   | e0 | e1 | e2 | e3 | e4 | e5 | e6 ...   extents of 4 MiB, the last may be partial
//   shard 0  | e0 |              | e3 |               extent e belongs to shard e mod S,
//   shard 1       | e1 |              | e4 |          where it is local extent floor(e / S)
//   shard 2            | e2 |
//
// A shard has its own space of bytes and blocks, its extents one after the other. Sizes of volumes
// are whole blocks. A volume with fewer extents than shards leaves the last shards empty.
import { assert } from '../base/assert.js'
import {
  blockIndex,
  byteCount,
  byteOffset,
  extentIndex,
  shardIndex,
  type BlockIndex,
  type ByteCount,
  type ByteOffset,
  type ExtentIndex,
  type ShardIndex,
} from '../base/brands.js'
import {
  BLOCK_BYTES,
  BLOCKS_PER_EXTENT,
  BLOCKS_PER_INDEX_PAGE,
  EXTENT_BYTES,
  SHARD_BYTES_AIM,
  SHARDS_MAX,
  SHARDS_MIN,
  SHARDS_PER_SERVER_AIM,
  SPREAD_SHARDS_MAX,
  VOLUME_BYTES_MAX,
} from '../base/limits.js'

export interface ByteRange {
  readonly offset: ByteOffset
  readonly length: ByteCount
}

export interface BlockSpan {
  readonly block: BlockIndex
  readonly blocks: number
}

/** The part of a range that lies in one extent. */
export interface Piece {
  readonly shard: ShardIndex
  /** In the shard's own space. */
  readonly shardOffset: ByteOffset
  /** In the volume. */
  readonly offset: ByteOffset
  readonly length: ByteCount
}

export interface ShardOfVolume {
  readonly size: ByteCount
  readonly shardCount: number
  readonly shard: ShardIndex
}

/**
 * The number of shards of a new volume: enough for none to be long to copy, and for every server of
 * a small cluster to hold some, in whole rounds of servers so that each gets the same number of
 * primaries. In a large cluster a volume is on a part of the servers.
 */
export function shardCountFor(size: ByteCount, servers: number): number {
  assert(size > 0 && servers > 0, 'a volume has a size and a server')
  const aim = Math.max(
    SHARDS_MIN,
    Math.min(servers * SHARDS_PER_SERVER_AIM, SPREAD_SHARDS_MAX),
    Math.ceil(size / SHARD_BYTES_AIM),
  )
  const rounded = aim < servers ? aim : Math.ceil(aim / servers) * servers
  return rounded <= SHARDS_MAX ? rounded : SHARDS_MAX
}

/** Bytes of one shard's own space; shards of one volume differ by up to an extent. */
export function shardBytes({ size, shardCount, shard }: ShardOfVolume): ByteCount {
  assert(size % BLOCK_BYTES === 0, 'a volume has whole blocks')
  assert(shard < shardCount, 'a shard of this volume')
  const wholeExtents = Math.floor(size / EXTENT_BYTES)
  const rest = size % EXTENT_BYTES
  const whole = Math.floor((wholeExtents + shardCount - 1 - shard) / shardCount)
  const endsHere = wholeExtents % shardCount === shard
  return byteCount(whole * EXTENT_BYTES + (endsHere ? rest : 0))
}

export function blocksOfShard(shard: ShardOfVolume): number {
  return shardBytes(shard) / BLOCK_BYTES
}

/** Index pages that a shard's blocks need. */
export function pagesOfShard(shard: ShardOfVolume): number {
  return Math.ceil(blocksOfShard(shard) / BLOCKS_PER_INDEX_PAGE)
}

/** Splits a range of a volume at extent borders, also where neighbours are of one shard. */
export function splitRange({ offset, length }: ByteRange, shardCount: number): readonly Piece[] {
  assert(shardCount > 0, 'a volume has shards')
  const pieces: Piece[] = []
  const end = offset + length
  for (let at: number = offset; at < end;) {
    const extent = Math.floor(at / EXTENT_BYTES)
    const within = at - extent * EXTENT_BYTES
    const part = Math.min(EXTENT_BYTES - within, end - at)
    pieces.push({
      shard: shardIndex(extent % shardCount),
      shardOffset: byteOffset(Math.floor(extent / shardCount) * EXTENT_BYTES + within),
      offset: byteOffset(at),
      length: byteCount(part),
    })
    at += part
  }
  return pieces
}

/** The inverse of splitRange for one byte. */
export function volumeOffset(
  at: { readonly shard: ShardIndex; readonly shardOffset: ByteOffset },
  shardCount: number,
): ByteOffset {
  const local = Math.floor(at.shardOffset / EXTENT_BYTES)
  const within = at.shardOffset - local * EXTENT_BYTES
  return byteOffset((local * shardCount + at.shard) * EXTENT_BYTES + within)
}

/** Blocks of a shard as the ranges of the volume that they are, one for each extent. */
export function* spanInVolume(
  { block, blocks }: BlockSpan,
  { shard, shardCount }: Pick<ShardOfVolume, 'shardCount'> & { readonly shard: ShardIndex },
): Generator<ByteRange> {
  const end = block + blocks
  for (let at: number = block; at < end;) {
    const part = Math.min(end - at, BLOCKS_PER_EXTENT - (at % BLOCKS_PER_EXTENT))
    const shardOffset = offsetOfBlock(blockIndex(at))
    yield { offset: volumeOffset({ shard, shardOffset }, shardCount), length: bytesOfBlocks(part) }
    at += part
  }
}

/** Blocks of a shard among which are all those of this range of the volume. */
export function shardSpan({ offset, length }: ByteRange, of: ShardOfVolume): BlockSpan {
  const firstRow = Math.floor(offset / EXTENT_BYTES / of.shardCount)
  const lastRow = Math.floor((offset + Math.max(0, length - 1)) / EXTENT_BYTES / of.shardCount)
  const limit = blocksOfShard(of)
  const first = Math.min(firstRow * BLOCKS_PER_EXTENT, limit)
  const end = Math.min((lastRow + 1) * BLOCKS_PER_EXTENT, limit)
  return { block: blockIndex(first), blocks: length === 0 ? 0 : end - first }
}

/** The blocks that a range of bytes touches, whole or in part. */
export function blockRange({ offset, length }: ByteRange): BlockSpan {
  const first = Math.floor(offset / BLOCK_BYTES)
  const end = Math.ceil((offset + length) / BLOCK_BYTES)
  return { block: blockIndex(first), blocks: length === 0 ? 0 : end - first }
}

/** The bytes of whole blocks. */
export function byteRange({ block, blocks }: BlockSpan): ByteRange {
  return { offset: offsetOfBlock(block), length: bytesOfBlocks(blocks) }
}

export function isAligned({ offset, length }: ByteRange): boolean {
  return offset % BLOCK_BYTES === 0 && length % BLOCK_BYTES === 0
}

export function offsetOfBlock(block: BlockIndex): ByteOffset {
  return byteOffset(block * BLOCK_BYTES)
}

export function bytesOfBlocks(blocks: number): ByteCount {
  return byteCount(blocks * BLOCK_BYTES)
}

/** Of whole blocks only. */
export function blocksOfBytes(bytes: number): number {
  assert(bytes % BLOCK_BYTES === 0, 'whole blocks')
  return bytes / BLOCK_BYTES
}

/** The index page that describes a block. */
export function indexPageOf(block: BlockIndex): number {
  return Math.floor(block / BLOCKS_PER_INDEX_PAGE)
}

/** The place of a block in its index page. */
export function slotInPage(block: BlockIndex): number {
  return block % BLOCKS_PER_INDEX_PAGE
}

export function firstBlockOfPage(page: number): BlockIndex {
  return blockIndex(page * BLOCKS_PER_INDEX_PAGE)
}

/** The index pages that a span of blocks touches. */
export function pageRange({ block, blocks }: BlockSpan): {
  readonly page: number
  readonly pages: number
} {
  const page = indexPageOf(block)
  if (blocks === 0) return { page, pages: 0 }
  return { page, pages: indexPageOf(blockIndex(block + blocks - 1)) - page + 1 }
}

/** Whether there may be such blocks, all of one index page: as far as volumes go, none is known. */
export function withinOnePage({ block, blocks }: BlockSpan): boolean {
  const fits = block + blocks <= VOLUME_BYTES_MAX / BLOCK_BYTES
  return fits && slotInPage(block) + blocks <= BLOCKS_PER_INDEX_PAGE
}

/** The extent of a byte, in the space (volume or shard) in which the offset counts. */
export function extentOf(offset: ByteOffset): ExtentIndex {
  return extentIndex(Math.floor(offset / EXTENT_BYTES))
}

/** Whether a range lies within one extent, as requests to storage servers must. */
export function withinOneExtent({ offset, length }: ByteRange): boolean {
  return length === 0 || extentOf(offset) === extentOf(byteOffset(offset + length - 1))
}
