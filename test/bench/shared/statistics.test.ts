import test from 'tape'
import {
  isFlat,
  lastThird,
  mean,
  middleBy,
  ratio,
  showRatio,
  trend,
} from '../../../bench/shared/statistics.js'

test('the middle is an item that was measured', t => {
  const by = (value: number): number => value
  t.equal(middleBy([3, 1, 2], by), 2, 'of three')
  t.equal(middleBy([4, 1, 3, 2], by), 2, 'the lower of the two in the middle')
  t.equal(middleBy([7], by), 7, 'of one')
  t.throws(() => middleBy([], by), /something to take the middle of/, 'of none there is none')
  t.end()
})

test('a ratio needs something to compare with', t => {
  t.equal(ratio(5, 10), 0.5)
  t.equal(ratio(5, 0), null, 'nothing')
  t.equal(showRatio(ratio(2, 3)), '0.67')
  t.equal(showRatio(null), '-')
  t.equal(mean([1, 2, 6]), 3)
  t.equal(mean([]), null)
  t.end()
})

test('the trend of a line', t => {
  const line = [0, 1, 2, 3].map(x => ({ x, y: 100 + 2.5 * x }))
  t.deepEqual(trend(line), { slope: 2.5, error: 0 }, 'is its slope, without an error')
  const around = [1, -1, -1, 1].map((off, x) => ({ x, y: 50 + off }))
  t.equal(trend(around).slope, 0, 'noise on both sides has none')
  t.ok(Math.abs(trend(around).error - Math.sqrt(2 / 5)) < 1e-9, 'but an error')
  t.equal(trend(line.slice(0, 2)).error, Infinity, 'two points always are a line')
  t.equal(trend([1, 2, 3].map(y => ({ x: 7, y }))).error, Infinity, 'all at one time')
  t.end()
})

test('what is flat', t => {
  t.equal(isFlat({ slope: 0.9, error: 0.1 }, 1), true, 'below what is tolerated')
  t.equal(isFlat({ slope: 3, error: 2 }, 1), true, 'not to be told from noise')
  t.equal(isFlat({ slope: 3, error: 1 }, 1), false, 'it grows')
  t.equal(isFlat({ slope: -9, error: 1 }, 1), true, 'what shrinks does not grow')
  t.equal(isFlat({ slope: 0, error: Infinity }, 1), null, 'too few points to say')
  t.end()
})

test('the last third', t => {
  t.deepEqual(lastThird([1, 2, 3, 4, 5, 6]), [5, 6])
  t.deepEqual(lastThird([1, 2, 3, 4]), [3, 4], 'rather more than less')
  t.deepEqual(lastThird([1]), [1])
  t.deepEqual(lastThird([]), [])
  t.end()
})
