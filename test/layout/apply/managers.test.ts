// Managers come and go, one at a time, and the last one stays.
import test from 'tape'
import { apply } from '../../../src/layout/apply.js'
import type { Change } from '../../../src/layout/change.js'
import type { Address } from '../../../src/layout/configuration.js'
import { checkConfiguration } from '../../../src/layout/invariants.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { clusterWithVolume, CREATED, MANAGER, must, refusal } from '../clusters.js'

const added = (n: number, addresses: readonly Address[] = []): Change => ({
  kind: 'manager-added',
  manager: { id: testPeer(n), addresses },
})
const removed = (n: number): Change => ({ kind: 'manager-removed', manager: testPeer(n) })

test('managers are added up to five', t => {
  const addresses = [{ host: 'm2', port: 4000 }]
  let configuration = must(clusterWithVolume(), added(2, addresses))
  t.deepEqual(configuration.managers, [
    { id: MANAGER, addresses: [] },
    { id: testPeer(2), addresses },
  ])
  t.equal(refusal(configuration, added(2)), 'no-change', 'the same identity')
  t.equal(refusal(configuration, added(3, [{ host: '', port: 1 }])), 'bad-server')
  for (const n of [3, 4, 5]) configuration = must(configuration, added(n))
  t.equal(refusal(configuration, added(6)), 'too-many')
  t.equal(refusal(configuration, added(5)), 'no-change', 'also when there is no room')
  t.equal(refusal(null, added(2)), 'no-cluster')
  t.end()
})

test('managers are removed down to one', t => {
  const two = must(must(null, CREATED), added(2))
  t.equal(refusal(two, removed(3)), 'no-such-manager')
  const one = must(two, removed(1))
  t.deepEqual(one.managers, [{ id: testPeer(2), addresses: [] }], 'also the first one')
  t.equal(refusal(one, removed(2)), 'last-manager')
  t.equal(refusal(one, removed(1)), 'no-such-manager')
  t.deepEqual(must(one, added(1)).managers.length, 2, 'and may come back')
  t.end()
})

test('refusals say what to do', t => {
  const one = must(null, CREATED)
  for (const change of [added(1), removed(1), removed(2)]) {
    const outcome = apply(one, change)
    t.match(outcome.kind === 'refused' ? outcome.reason : '', /^[A-Z0-9].*\.$/, change.kind)
  }
  t.end()
})

test('two managers at once are a bug', t => {
  const before = must(null, CREATED)
  const managers = [1, 2, 3].map(n => ({ id: testPeer(n), addresses: [] }))
  const after = { ...must(before, added(2)), managers }
  t.throws(() => checkConfiguration(after, before), /one at a time/)
  t.end()
})
