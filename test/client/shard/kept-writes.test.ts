// Kept writes: released up to a mark, and flattened for the replay, so that nothing older ever
// shows over something newer.
import test from 'tape'
import { byteOffset } from '../../../src/base/brands.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import { flattened, KeptWrites, type KeptWrite } from '../../../src/client/shard/kept-writes.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

function write(offset: number, length: number, value = 1): KeptWrite {
  return { offset: byteOffset(offset), payload: new Uint8Array(length).fill(value) }
}

test('kept writes are released up to a mark', t => {
  const kept = new KeptWrites()
  kept.add(write(0, 10))
  kept.add(write(10, 10))
  const mark = kept.mark()
  kept.add(write(5, 2))
  t.deepEqual(kept.release(mark), { requests: 2, bytes: 20 })
  t.deepEqual(kept.release(mark), { requests: 0, bytes: 0 })
  t.equal(kept.size, 1)
  t.throws(() => kept.release(mark + 5), /mark of this list/)
  t.end()
})

test('writes that do not overlap are repeated as they are, without a copy', t => {
  const writes = [write(20, 10), write(0, 10), write(10, 10)]
  const flat = [...flattened(writes, BLOCK_BYTES)]
  t.deepEqual(
    flat.map(({ offset }) => offset),
    [0, 10, 20],
  )
  t.ok(
    flat.every(({ payload }) => writes.some(other => other.payload.buffer === payload.buffer)),
    'the same bytes',
  )
  t.deepEqual([...flattened([], BLOCK_BYTES)], [])
  t.end()
})

test('overlapping writes become one, as the last of them left it', t => {
  const [only, ...more] = flattened([write(2, 4, 1), write(0, 3, 2), write(4, 4, 3)], BLOCK_BYTES)
  t.equal(more.length, 0)
  t.deepEqual(only, { offset: 0, payload: Uint8Array.from([2, 2, 2, 1, 3, 3, 3, 3]) })
  t.end()
})

test('what is too long for one request is cut at block borders', t => {
  const longest = 2 * BLOCK_BYTES
  const writes = [write(100, 3 * BLOCK_BYTES, 1), write(BLOCK_BYTES, 3 * BLOCK_BYTES, 2)]
  const flat = [...flattened(writes, longest)]
  t.deepEqual(
    flat.map(({ offset, payload }) => [offset, offset + payload.length]),
    [
      [100, 2 * BLOCK_BYTES],
      [2 * BLOCK_BYTES, 4 * BLOCK_BYTES],
    ],
  )
  t.end()
})

test('a replay that ends anywhere leaves every byte as it was, or as it has to be', t => {
  const random = new SeededRandom(1)
  const size = 6 * BLOCK_BYTES
  const problems: string[] = []
  for (let round = 0; round < 300; round++) {
    const writes = Array.from({ length: 1 + random.below(8) }, (_, i) => {
      const offset = random.below(size - 1)
      return write(offset, 1 + random.below(Math.min(9_000, size - offset)), i + 1)
    })
    // Each replica kept some first part of the history.
    const disk = apply(new Uint8Array(size), writes.slice(0, random.below(writes.length + 1)))
    const wanted = apply(new Uint8Array(size), writes)
    const pieces = [...flattened(writes, BLOCK_BYTES)]
    const part = apply(disk, pieces.slice(0, random.below(pieces.length + 1)))
    if (part.some((byte, i) => byte !== disk[i] && byte !== wanted[i])) problems.push(`${round}`)
    const all = apply(disk, pieces.reverse())
    if (!Buffer.from(all).equals(wanted)) problems.push(`${round}: not what was written`)
  }
  t.deepEqual(problems, [], '300 histories')
  t.end()
})

function apply(content: Uint8Array, writes: readonly KeptWrite[]): Uint8Array {
  const result = content.slice()
  for (const { offset, payload } of writes) result.set(payload, offset)
  return result
}
