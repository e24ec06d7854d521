// What counts as one moment of a writer.
import test from 'tape'
import { isMoment, shown, type Place } from './moment.js'

const PLACES: readonly Place[] = [
  { volume: 'v0', block: 0, zeroes: false },
  { volume: 'v1', block: 0, zeroes: true },
  { volume: 'v0', block: 2048, zeroes: false },
]

test('a place that knows zeroes shows them for some values', t => {
  const values = [1, 2, 3, 4, 5, 6]
  t.deepEqual(
    values.map(value => shown(PLACES[1]!, value)),
    [1, 2, 0, 4, 5, 0],
  )
  t.deepEqual(
    values.map(value => shown(PLACES[0]!, value)),
    values,
  )
  t.end()
})

test('a picture is a moment, or none', t => {
  const cases: readonly (readonly [readonly number[], number, number, boolean])[] = [
    [[0, 0, 0], 0, 0, true],
    [[0, 0, 0], 0, 3, true],
    [[4, 4, 4], 4, 4, true],
    [[5, 4, 4], 4, 5, true],
    [[5, 5, 4], 4, 5, true],
    [[5, 5, 5], 4, 5, true],
    // The second has been brought to the last place only.
    [[4, 4, 5], 4, 5, false],
    // Older than what was acknowledged, newer than what was written.
    [[3, 0, 3], 4, 5, false],
    [[6, 0, 6], 4, 5, false],
    [[6, 0, 6], 4, 6, true],
    // Zeroes where they belong, and an older value where zeroes were brought.
    [[3, 0, 2], 2, 3, true],
    [[3, 2, 2], 2, 3, true],
    [[3, 2, 3], 2, 3, false],
    [[4, 0, 3], 3, 4, true],
    [[4, 2, 3], 3, 4, false],
    [[5, 0, 5], 4, 5, false],
    // Two rounds apart.
    [[6, 0, 4], 4, 6, false],
  ]
  for (const [picture, least, most, expected] of cases) {
    const name = `${picture.join(' ')} between ${least} and ${most}`
    t.equal(isMoment(PLACES, picture, { least, most }), expected, name)
  }
  t.end()
})
