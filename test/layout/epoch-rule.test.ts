import test from 'tape'
import { AssertionFailure } from '../../src/base/assert.js'
import { epoch } from '../../src/base/brands.js'
import { decideByEpoch, type EpochDecision } from '../../src/layout/epoch-rule.js'

function decide(c: number, a: number, s: number, permitted: boolean): EpochDecision {
  const epochs = { client: epoch(c), allocation: epoch(a), server: epoch(s) }
  return decideByEpoch({ ...epochs, permitted })
}

test('the epoch rule', t => {
  const table: readonly (readonly [c: number, a: number, s: number, EpochDecision])[] = [
    [1, 5, 9, 'refuse-stale'],
    [4, 5, 9, 'refuse-stale'],
    [4, 5, 5, 'refuse-stale'],
    [5, 5, 9, 'serve-and-tell'],
    [8, 5, 9, 'serve-and-tell'],
    [9, 5, 9, 'serve'],
    [9, 9, 9, 'serve'],
    [10, 5, 9, 'ask-manager'],
    [10, 9, 9, 'ask-manager'],
    [10, 0, 0, 'ask-manager'],
  ]
  for (const [c, a, s, expected] of table) {
    t.equal(decide(c, a, s, true), expected, `c=${c} a=${a} s=${s}: ${expected}`)
    // A client that is ahead may have been attached by what the server does not know yet.
    const served = expected === 'serve' || expected === 'serve-and-tell'
    const without = served ? 'refuse-access' : expected
    t.equal(decide(c, a, s, false), without, `c=${c} a=${a} s=${s}, not attached: ${without}`)
  }
  t.throws(() => decide(1, 3, 2, true), AssertionFailure, 'an allocation from the future is a bug')
  t.end()
})
