// Changes of membership: one at a time.
import test from 'tape'
import type { PeerId } from '../../../src/base/brands.js'
import { assertOneAtATime, membershipChange } from '../../../src/manager/raft/membership.js'
import { peer } from './raft-group.js'

const peers = (...names: readonly number[]): readonly PeerId[] => names.map(peer)

test('what a change of membership adds and removes', t => {
  const change = membershipChange(peers(1, 2, 3), peers(3, 1, 4))
  t.deepEqual(change, { added: peers(4), removed: peers(2) })
  t.end()
})

test('one member more or one less', t => {
  t.deepEqual(assertOneAtATime(peers(1, 2), peers(1, 2, 3)), { added: peers(3), removed: [] })
  t.deepEqual(assertOneAtATime(peers(1, 2), peers(2)), { added: [], removed: peers(1) })
  const one = /one member more or one less/
  t.throws(() => assertOneAtATime(peers(1, 2), peers(2, 1)), one, 'nothing')
  t.throws(() => assertOneAtATime(peers(1, 2), peers(1, 3)), one, 'a replacement')
  t.throws(() => assertOneAtATime(peers(1), peers(1, 2, 3)), one, 'two')
  t.throws(() => assertOneAtATime(peers(1), []), /0 members/, 'nobody')
  t.throws(() => assertOneAtATime(peers(1), peers(1, 1)), /nobody votes twice/)
  t.throws(() => assertOneAtATime(peers(1, 2, 3, 4, 5), peers(1, 2, 3, 4, 5, 6)), /6 members/)
  t.end()
})
