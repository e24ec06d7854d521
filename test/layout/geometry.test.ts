import test from 'tape'
import {
  blockIndex,
  byteCount,
  byteOffset,
  shardIndex,
  type ShardIndex,
} from '../../src/base/brands.js'
import {
  BLOCK_BYTES,
  EXTENT_BYTES,
  SPREAD_SHARDS_MAX,
  VOLUME_BYTES_MAX,
} from '../../src/base/limits.js'
import {
  blockRange,
  blocksOfShard,
  byteRange,
  firstBlockOfPage,
  indexPageOf,
  isAligned,
  pageRange,
  pagesOfShard,
  shardBytes,
  shardCountFor,
  shardSpan,
  slotInPage,
  spanInVolume,
  splitRange,
  volumeOffset,
  withinOneExtent,
} from '../../src/layout/geometry.js'
import { SeededRandom } from '../simulator/seeded-random.js'

const range = (
  offset: number,
  length: number,
): { offset: ReturnType<typeof byteOffset>; length: ReturnType<typeof byteCount> } => ({
  offset: byteOffset(offset),
  length: byteCount(length),
})

test('the sizes of the shards add up to the volume, and differ by at most an extent', t => {
  for (const size of [1, 7, 8, 9, 23].map(n => n * EXTENT_BYTES)) {
    for (const rest of [0, BLOCK_BYTES, EXTENT_BYTES - BLOCK_BYTES]) {
      for (const shardCount of [8, 9, 13]) {
        const sizes = Array.from({ length: shardCount }, (_, shard) =>
          shardBytes({ size: byteCount(size + rest), shardCount, shard: shardIndex(shard) }),
        )
        const sum = sizes.reduce((a, b) => a + b, 0)
        if (sum !== size + rest) t.fail(`${size}+${rest} in ${shardCount}: ${sum}`)
        if (Math.max(...sizes) - Math.min(...sizes) > EXTENT_BYTES) t.fail('uneven')
      }
    }
  }
  const small = { size: byteCount(BLOCK_BYTES), shardCount: 8 }
  t.equal(blocksOfShard({ ...small, shard: shardIndex(0) }), 1)
  t.equal(blocksOfShard({ ...small, shard: shardIndex(7) }), 0, 'a shard may be empty')
  t.equal(pagesOfShard({ ...small, shard: shardIndex(0) }), 1)
  t.end()
})

test('pieces cover a range in order, end at extent borders, and fit their shards', t => {
  const random = new SeededRandom(1)
  const size = byteCount(29 * EXTENT_BYTES + 5 * BLOCK_BYTES)
  for (let i = 0; i < 2_000; i++) {
    const shardCount = 8 + random.below(6)
    const offset = random.below(size)
    const length = random.below(Math.min(size - offset, 3 * EXTENT_BYTES)) + 1
    let at = offset
    for (const piece of splitRange(range(offset, length), shardCount)) {
      const within = { offset: piece.shardOffset, length: piece.length }
      const end = shardBytes({ size, shardCount, shard: piece.shard })
      const good =
        piece.offset === at &&
        withinOneExtent(within) &&
        withinOneExtent(piece) &&
        piece.shardOffset + piece.length <= end &&
        volumeOffset(piece, shardCount) === piece.offset
      if (!good) t.fail(JSON.stringify({ offset, length, shardCount, piece }))
      at += piece.length
    }
    if (at !== offset + length) t.fail(`${offset}+${length} is not covered`)
  }
  t.deepEqual(splitRange(range(0, 0), 8), [], 'nothing has no pieces')
  t.end()
})

test('blocks of a shard in the volume are the pieces of the volume in the shard', t => {
  const random = new SeededRandom(3)
  const size = byteCount(29 * EXTENT_BYTES + 5 * BLOCK_BYTES)
  for (let i = 0; i < 500; i++) {
    const shardCount = 8 + random.below(6)
    const offset = random.below(size / BLOCK_BYTES) * BLOCK_BYTES
    const length = (1 + random.below((size - offset) / BLOCK_BYTES)) * BLOCK_BYTES
    for (const { shard, shardOffset, ...piece } of splitRange(range(offset, length), shardCount)) {
      const place = { size, shardCount, shard }
      const span = blockRange(range(shardOffset, piece.length))
      const back = [...spanInVolume(span, place)]
      if (JSON.stringify(back) !== JSON.stringify([piece])) t.fail(`${offset} ${length}`)
      const { block, blocks } = shardSpan(range(offset, length), place)
      const inside = block <= span.block && span.block + span.blocks <= block + blocks
      if (!inside || block + blocks > blocksOfShard(place)) t.fail(`not within: ${offset}`)
    }
  }
  const place = { size, shardCount: 8, shard: shardIndex(1) }
  const two = [...spanInVolume({ block: blockIndex(1023), blocks: 2 }, place)]
  t.deepEqual(two, [
    range(2 * EXTENT_BYTES - BLOCK_BYTES, BLOCK_BYTES),
    range(9 * EXTENT_BYTES, BLOCK_BYTES),
  ])
  t.equal(shardSpan(range(0, 0), place).blocks, 0)
  t.end()
})

test('neighbouring extents are separate pieces, whichever shard they are in', t => {
  const pieces = splitRange(range(EXTENT_BYTES - 100, EXTENT_BYTES + 200), 8)
  t.deepEqual(
    pieces.map(piece => [piece.shard, piece.shardOffset, piece.length]),
    [
      [0, EXTENT_BYTES - 100, 100],
      [1, 0, EXTENT_BYTES],
      [2, 0, 100],
    ],
  )
  const wrapped = splitRange(range(7 * EXTENT_BYTES, 2 * EXTENT_BYTES), 8)
  t.deepEqual(
    wrapped.map(piece => [piece.shard, piece.shardOffset]),
    [
      [7, 0],
      [0, EXTENT_BYTES],
    ],
    'the ninth extent is the second of shard 0',
  )
  t.equal(splitRange(range(0, 2 * EXTENT_BYTES), 1).length, 2, 'also in one shard')
  t.end()
})

test('different bytes of a volume lie in different places', t => {
  const seen = new Set<string>()
  for (const piece of splitRange(range(0, 64 * EXTENT_BYTES), 9)) {
    const place = `${piece.shard}/${piece.shardOffset}`
    if (seen.has(place)) t.fail(place)
    seen.add(place)
  }
  t.equal(seen.size, 64)
  t.end()
})

test('blocks and index pages', t => {
  t.deepEqual(blockRange(range(0, 1)), { block: 0, blocks: 1 })
  t.deepEqual(blockRange(range(4095, 2)), { block: 0, blocks: 2 }, 'a border touches two')
  t.deepEqual(blockRange(range(4096, 4096)), { block: 1, blocks: 1 })
  t.deepEqual(blockRange(range(5000, 0)), { block: 1, blocks: 0 })
  t.deepEqual(byteRange({ block: blockIndex(3), blocks: 2 }), range(12288, 8192))
  t.ok(isAligned(range(4096, 8192)))
  t.notOk(isAligned(range(4096, 100)))
  t.equal(indexPageOf(blockIndex(511)), 0)
  t.equal(indexPageOf(blockIndex(512)), 1)
  t.equal(slotInPage(blockIndex(515)), 3)
  t.equal(firstBlockOfPage(2), 1024)
  t.deepEqual(pageRange({ block: blockIndex(511), blocks: 2 }), { page: 0, pages: 2 })
  t.deepEqual(pageRange({ block: blockIndex(512), blocks: 512 }), { page: 1, pages: 1 })
  t.deepEqual(pageRange({ block: blockIndex(512), blocks: 0 }), { page: 1, pages: 0 })
  t.ok(withinOneExtent(range(EXTENT_BYTES - 1, 1)))
  t.notOk(withinOneExtent(range(EXTENT_BYTES - 1, 2)))
  t.end()
})

test('the number of shards lies in its range, and each server of a small cluster has some', t => {
  const sizes = [BLOCK_BYTES, 2 ** 30, 2 ** 40, VOLUME_BYTES_MAX]
  for (const size of sizes) {
    for (const servers of [1, 2, 3, 5, 10, 100, 1000, 4096]) {
      const count = shardCountFor(byteCount(size), servers)
      if (count < 8 || count > 1024) t.fail(`${size} on ${servers}: ${count}`)
      if (servers > SPREAD_SHARDS_MAX) continue
      if (count < 1024 && count % servers !== 0) t.fail(`${size} on ${servers}: ${count}`)
    }
  }
  t.equal(shardCountFor(byteCount(2 ** 30), 3), 9)
  t.equal(shardCountFor(byteCount(2 ** 40), 3), 129)
  t.equal(shardCountFor(byteCount(VOLUME_BYTES_MAX), 3), 1024)
  t.end()
})

test('what a volume costs does not grow with the servers', t => {
  for (const servers of [12, 24, 100, 1000, 4096]) {
    t.equal(shardCountFor(byteCount(2 ** 30), servers), SPREAD_SHARDS_MAX, `on ${servers}`)
  }
  t.equal(shardCountFor(byteCount(2 ** 30), 8), 24, 'up to here each server has three')
  t.equal(shardCountFor(byteCount(2 ** 40), 1000), 128, 'the size asks for more')
  t.end()
})

test('the largest volume is within the numbers', t => {
  const last = range(VOLUME_BYTES_MAX - 1, 1)
  const [piece] = splitRange(last, 8)
  t.equal(volumeOffset(piece!, 8), VOLUME_BYTES_MAX - 1)
  const shard: ShardIndex = shardIndex(7)
  t.equal(
    shardBytes({ size: byteCount(VOLUME_BYTES_MAX), shardCount: 8, shard }),
    VOLUME_BYTES_MAX / 8,
  )
  t.end()
})
