import test from 'tape'
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import { Interruption } from '../../../src/base/interruption.js'
import {
  BENCH_LOOK_BYTES,
  BENCH_PARTS_MAX,
  BENCH_UNITS_MAX,
  VOLUME_BYTES_MAX,
} from '../../../src/base/limits.js'
import { findData, partsOf } from '../../../src/client/bench/find-data.js'
import { UnitSample } from '../../../src/client/bench/units.js'
import type { ByteRange } from '../../../src/layout/geometry.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

const MiB = 2 ** 20
const STRIPE = 32 * MiB

interface Looked {
  readonly sample: UnitSample
  /** Parts that were asked for. */
  readonly parts: readonly ByteRange[]
  readonly ranges: number
}

/** In a volume whose data are these. */
async function look(
  size: number,
  data: (within: ByteRange) => Iterable<ByteRange>,
  { interruptAt = Infinity, stripe = STRIPE } = {},
): Promise<Looked> {
  const random = new SeededRandom(3)
  const interruption = new Interruption()
  const sample = new UnitSample({ unit: 4096, order: 'random' }, random)
  const parts: ByteRange[] = []
  let count = 0
  const ranges = async function* (within: ByteRange): AsyncGenerator<ByteRange> {
    parts.push(within)
    for (const range of data(within)) {
      if (++count >= interruptAt) interruption.ask()
      yield await Promise.resolve(range)
    }
  }
  const place = { size, stripe, ranges }
  await findData(place, [sample], { random, interruption, reached: () => undefined })
  return { sample, parts, ranges: count }
}

function* everywhere({ offset, length }: ByteRange): Generator<ByteRange> {
  for (let at = 0; at < length; at += 16 * MiB) {
    const part = Math.min(16 * MiB, length - at)
    yield { offset: byteOffset(offset + at), length: byteCount(part) }
  }
}

test('parts cover a volume once, in whole stripes, and are not many', t => {
  const sizes = [4096, STRIPE - 4096, STRIPE, 10 * STRIPE + 8192, 2 ** 40, VOLUME_BYTES_MAX]
  for (const size of sizes) {
    const parts = partsOf({ size, stripe: STRIPE })
    let end = 0
    for (const { offset, length } of parts) {
      if (offset !== end || length === 0 || offset % STRIPE !== 0) t.fail(`a gap at ${offset}`)
      end = offset + length
    }
    t.equal(end, size, `all of ${size}`)
    t.ok(parts.length <= BENCH_PARTS_MAX, `${parts.length} parts`)
  }
  t.end()
})

test('a small volume is looked through as a whole', async t => {
  const { sample, parts } = await look(8 * STRIPE, everywhere)
  t.equal(parts.length, 8)
  t.equal(sample.units().count, (8 * STRIPE) / 4096, 'all that there is')
})

test('of the largest volume, full, only so much is looked at, from many parts', async t => {
  const { sample, parts, ranges } = await look(VOLUME_BYTES_MAX, everywhere)
  t.equal(sample.units().count, BENCH_UNITS_MAX, 'as many units as are kept')
  t.equal(parts.length, 64, 'each of them asked once')
  const most = Math.max(...parts.map(({ length }) => length))
  t.ok(most <= 2 * STRIPE, 'and for no more than is wanted of it')
  t.ok(ranges <= BENCH_LOOK_BYTES / (16 * MiB) + parts.length, `${ranges} ranges`)
})

test('little data in the largest volume is found', async t => {
  const only = { offset: byteOffset(VOLUME_BYTES_MAX / 3 - ((VOLUME_BYTES_MAX / 3) % 4096)) }
  const { sample, parts } = await look(VOLUME_BYTES_MAX, within => {
    const here = only.offset >= within.offset && only.offset < within.offset + within.length
    return here ? [{ ...only, length: byteCount(8192) }] : []
  })
  const units = sample.units()
  t.deepEqual([units.count, units.offset(0)], [2, only.offset])
  const looked = parts.reduce((sum, { length }) => sum + length, 0)
  t.equal(looked, VOLUME_BYTES_MAX, 'all of it was looked at')
  t.ok(parts.length < 16 * BENCH_PARTS_MAX, `in ${parts.length} steps`)
})

test('an interruption ends it', async t => {
  const { ranges, parts } = await look(8 * STRIPE, everywhere, { interruptAt: 3 })
  t.ok(ranges === 3 && parts.length === 2, `${ranges} ranges in ${parts.length} parts`)
})
