import test from 'tape'
import { AssertionFailure } from '../../src/base/assert.js'
import { epoch } from '../../src/base/brands.js'
import { decideByEpoch, type EpochDecision } from '../../src/layout/epoch-rule.js'

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
    const decision = decideByEpoch({ client: epoch(c), allocation: epoch(a), server: epoch(s) })
    t.equal(decision, expected, `c=${c} a=${a} s=${s}: ${expected}`)
  }
  t.throws(
    () => decideByEpoch({ client: epoch(1), allocation: epoch(3), server: epoch(2) }),
    AssertionFailure,
    'an allocation from the future is a bug',
  )
  t.end()
})
