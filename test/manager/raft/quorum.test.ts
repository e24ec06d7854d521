// Counting of managers.
import test from 'tape'
import { majority, reached } from '../../../src/manager/raft/quorum.js'

test('a majority is more than half', t => {
  t.deepEqual([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3])
  t.end()
})

test('what a majority has reached', t => {
  t.equal(reached([7]), 7)
  t.equal(reached([7, 3]), 3, 'two of two')
  t.equal(reached([7, 1, 3]), 3, 'two of three')
  t.equal(reached([4, 1, 3, 2]), 2, 'three of four')
  t.equal(reached([5, 1, 3, 2, 4]), 3, 'three of five')
  t.equal(reached([Infinity, -Infinity, 10]), 10, 'whoever is always and never there')
  t.throws(() => reached([]), /somebody votes/)
  t.end()
})
