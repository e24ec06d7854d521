import test from 'tape'
import { epoch, shardIndex, volumeId } from '../../../src/base/brands.js'
import type { ShardPlace } from '../../../src/layout/effects-of-change.js'
import { FenceState } from '../../../src/storage/voting/fence-state.js'

const shard = (n: number): ShardPlace => ({ volume: volumeId(1), shard: shardIndex(n) })
const [ONE, TWO, THREE] = [shard(1), shard(2), shard(3)] as const

test('a fence ends with a configuration beyond its base', t => {
  const fence = new FenceState()
  fence.raise(epoch(5), [])
  t.equal(fence.base, 0, 'an approval that gives nothing away raises none')
  fence.raise(epoch(5), [ONE])
  fence.raise(epoch(5), [TWO])
  t.equal(fence.base, 5)
  t.deepEqual(
    [ONE, TWO, THREE].map(each => fence.holds(each)),
    [true, true, false],
    'all that was given away',
  )
  fence.learned(epoch(5))
  t.ok(fence.holds(ONE), 'the base itself says nothing')
  fence.learned(epoch(6))
  t.notOk(fence.holds(ONE) || fence.holds(TWO))
  t.equal(fence.base, 0)
  fence.raise(epoch(6), [THREE])
  t.ok(fence.holds(THREE) && !fence.holds(ONE))
  t.end()
})

test('a fence ends by the word of a leader that is still at its base', t => {
  const fence = new FenceState()
  fence.raise(epoch(5), [ONE])
  const { mark } = fence
  fence.released({ released: epoch(0), epoch: epoch(5), mark })
  t.ok(fence.holds(ONE), 'nothing said')
  fence.released({ released: epoch(5), epoch: epoch(6), mark })
  t.ok(fence.holds(ONE), 'the proposal may have become epoch 6')
  fence.raise(epoch(5), [TWO])
  fence.released({ released: epoch(5), epoch: epoch(5), mark })
  t.ok(fence.holds(ONE) && fence.holds(TWO), 'said before the newer approval was known')
  fence.released({ released: epoch(5), epoch: epoch(5), mark: fence.mark })
  t.notOk(fence.holds(ONE) || fence.holds(TWO), 'said after it')
  t.end()
})
