// Leases by the clock of the leader, as a state: who is live, whose lease is over, who is
// condemned.
import test from 'tape'
import { incarnation } from '../../../src/base/brands.js'
import { LEASE_MARGIN_MS, LEASE_MS } from '../../../src/base/limits.js'
import type { Configuration, ServerRecord } from '../../../src/layout/configuration.js'
import { LeasesState } from '../../../src/manager/leases/leases-state.js'
import { SERVER_A, SERVER_B, SERVER_C, testConfiguration } from '../../helpers/configurations.js'

const [A, B, C] = [SERVER_A, SERVER_B, SERVER_C]
const END = LEASE_MS + LEASE_MARGIN_MS

function withC(fields: Partial<ServerRecord>): Configuration {
  const before = testConfiguration()
  const servers = new Map(before.servers).set(C, { ...before.servers.get(C)!, ...fields })
  return { ...before, servers }
}

function started(): LeasesState {
  const state = new LeasesState()
  state.adopt(testConfiguration(), 1000)
  return state
}

test('at first everybody counts as heard of, but nobody is live', t => {
  const state = started()
  t.equal(state.live(1000).size, 0)
  t.equal(state.silence(A, 1500), null)
  t.equal(state.nextEnd(), 1000 + END)
  t.deepEqual(state.over(1000 + END - 1), [])
  t.deepEqual([...state.over(1000 + END)].sort(), [A, B, C])
  t.end()
})

test('a heartbeat makes live for a lease, and keeps from being over for a margin more', t => {
  const state = started()
  t.ok(state.heard(A, 2000), 'it is live now')
  t.notOk(state.heard(A, 2100), 'as it was')
  t.deepEqual([...state.live(2100 + LEASE_MS - 1)], [[A, incarnation(1)]])
  t.equal(state.live(2100 + LEASE_MS).size, 0)
  t.deepEqual([...state.over(1000 + END)].sort(), [B, C])
  t.deepEqual([...state.over(2100 + END)].sort(), [A, B, C])
  t.equal(state.silence(A, 2600), 500)
  t.ok(state.heard(A, 2100 + LEASE_MS), 'it is live again')
  t.end()
})

test('a condemned server gets nothing and is not live, whatever is heard of it', t => {
  const state = started()
  t.ok(state.mayServe(C, incarnation(1)))
  t.notOk(state.mayServe(C, incarnation(2)))
  state.condemn(C)
  t.ok(state.isCondemned(C))
  t.notOk(state.mayServe(C, incarnation(1)))
  t.notOk(state.heard(C, 2000))
  t.equal(state.live(2000).size, 0)
  t.notOk(state.over(9999).includes(C), 'once is enough')
  state.adopt(testConfiguration(), 2000)
  t.ok(state.isCondemned(C), 'an unrelated configuration changes nothing')
  state.pardon(C)
  t.ok(state.mayServe(C, incarnation(1)))
  t.end()
})

test('registered with another start, it begins anew', t => {
  const state = started()
  state.condemn(C)
  state.adopt(withC({ incarnation: incarnation(2) }), 5000)
  t.notOk(state.mayServe(C, incarnation(1)))
  t.ok(state.mayServe(C, incarnation(2)))
  t.notOk(state.over(5000 + END - 1).includes(C))
  t.ok(state.over(5000 + END).includes(C))
  t.end()
})

test('recorded as down it is not watched; up again it begins anew', t => {
  const state = started()
  state.condemn(C)
  state.adopt(withC({ state: 'down' }), 5000)
  t.notOk(state.mayServe(C, incarnation(1)))
  t.equal(state.incarnationOf(C), null)
  t.notOk(state.over(99_999).includes(C))
  state.adopt(testConfiguration(), 6000)
  t.ok(state.mayServe(C, incarnation(1)))
  t.notOk(state.over(6000 + END - 1).includes(C))
  t.end()
})

test('down and registered again in one step', t => {
  const state = started()
  state.condemn(C)
  state.declared(C, testConfiguration(), 7000)
  t.ok(state.mayServe(C, incarnation(1)))
  t.notOk(state.over(7000 + END - 1).includes(C))
  t.end()
})

test('a draining server is watched, a removed one is not, a new one is', t => {
  const state = started()
  state.adopt(withC({ state: 'draining' }), 2000)
  t.ok(state.mayServe(C, incarnation(1)))
  const { servers, ...rest } = testConfiguration()
  const fewer = new Map(servers)
  fewer.delete(C)
  state.adopt({ ...rest, servers: fewer }, 3000)
  t.notOk(state.mayServe(C, incarnation(1)))
  t.notOk(state.heard(C, 3000))
  state.adopt(testConfiguration(), 4000)
  t.ok(state.mayServe(C, incarnation(1)))
  for (const id of [A, B, C]) state.condemn(id)
  t.equal(state.nextEnd(), null, 'nothing to wait for')
  t.end()
})
