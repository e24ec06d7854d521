import test from 'tape'
import {
  allUnits,
  fewer,
  nextUnit,
  UnitSample,
  type Units,
} from '../../../src/client/bench/units.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

function offsets(units: Units): readonly number[] {
  return Array.from({ length: units.count }, (_, index) => units.offset(index))
}

function sampled(
  ranges: readonly (readonly [number, number])[],
  shape: ConstructorParameters<typeof UnitSample>[0],
  seed = 1,
): readonly number[] {
  const sample = new UnitSample(shape, new SeededRandom(seed))
  for (const [offset, length] of ranges) sample.offer({ offset, length })
  return offsets(sample.units())
}

test('only units that lie whole in a range', t => {
  const cases: readonly [string, readonly (readonly [number, number])[], readonly number[]][] = [
    ['nothing', [], []],
    ['exactly one', [[100, 100]], [100]],
    ['a part of two', [[150, 100]], []],
    ['two and parts', [[150, 300]], [200, 300]],
    ['less than one', [[0, 99]], []],
    [
      'ranges apart',
      [
        [0, 100],
        [300, 250],
      ],
      [0, 300, 400],
    ],
    [
      'that meet within a unit',
      [
        [0, 150],
        [150, 150],
      ],
      [0, 200],
    ],
    [
      'out of order',
      [
        [500, 100],
        [0, 200],
      ],
      [0, 100, 500],
    ],
  ]
  for (const order of ['random', 'sequential'] as const) {
    for (const [what, ranges, expected] of cases) {
      t.deepEqual(sampled(ranges, { unit: 100, order }), expected, `${what}, ${order}`)
    }
  }
  t.end()
})

test('a bounded number of them: the first, or any', t => {
  const many: readonly (readonly [number, number])[] = [
    [0, 1000],
    [5000, 1000],
  ]
  t.deepEqual(sampled(many, { unit: 100, order: 'sequential', most: 3 }), [0, 100, 200])
  const counts = new Map<number, number>()
  const rounds = 2_000
  for (let seed = 0; seed < rounds; seed++) {
    const some = sampled(many, { unit: 100, order: 'random', most: 5 }, seed)
    if (some.length !== 5 || new Set(some).size !== 5) t.fail(`not five: ${some.join(' ')}`)
    for (const offset of some) counts.set(offset, (counts.get(offset) ?? 0) + 1)
  }
  const expected = (rounds * 5) / 20
  t.equal(counts.size, 20, 'each is drawn now and then')
  const off = [...counts.values()].filter(count => Math.abs(count / expected - 1) > 0.2)
  t.deepEqual(off, [], 'and none more often than others')
  t.end()
})

test('fewer of them: the first in sequence, or any, in their order', t => {
  const units = allUnits(1050, 100)
  t.deepEqual(offsets(units), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900], 'whole ones')
  const first = fewer(units, { order: 'sequential', most: 4 }, new SeededRandom(1))
  t.deepEqual(offsets(first), [0, 100, 200, 300])
  const seen = new Set<number>()
  for (let seed = 0; seed < 100; seed++) {
    const some = offsets(fewer(units, { order: 'random', most: 4 }, new SeededRandom(seed)))
    if (some.length !== 4 || some.some((offset, i) => i > 0 && offset <= some[i - 1]!)) {
      t.fail(`not four in order: ${some.join(' ')}`)
    }
    for (const offset of some) seen.add(offset)
  }
  t.equal(seen.size, 10, 'all of them now and then')
  t.equal(fewer(units, { order: 'random', most: 10 }, new SeededRandom(1)), units, 'they fit')
  t.end()
})

test('the plan of requests', t => {
  const random = new SeededRandom(1)
  const next = nextUnit({ count: 3 }, 'sequential', random)
  t.deepEqual([next(), next(), next(), next(), next()], [0, 1, 2, 0, 1], 'round and round')
  const any = nextUnit({ count: 4 }, 'random', random)
  const drawn = Array.from({ length: 200 }, () => any())
  t.deepEqual([...new Set(drawn)].sort(), [0, 1, 2, 3], 'any of them, and no other')
  t.throws(() => nextUnit({ count: 0 }, 'random', random), /there is a unit/)
  t.end()
})
