// Managers in the status, in their list, and as members that come and go.
import test from 'tape'
import type { PeerId } from '../../../src/base/brands.js'
import type { ManagerListResult, StatusResult } from '../../../src/net/admin.js'
import { testCluster } from '../../helpers/configurations.js'
import { resultOf } from '../manager-fixture.js'
import { M2, M3, M4, SELF } from '../proposals/proposals-fixture.js'
import { AdminBench, recordOf, refusal, THREE_MANAGERS } from './admin-fixture.js'

function connect(bench: AdminBench, ...managers: readonly PeerId[]): void {
  for (const id of managers) bench.peers.connect(id, ['manager'], recordOf(id))
}

async function statusOf(bench: AdminBench): Promise<StatusResult> {
  return resultOf(await bench.admin({ command: 'status' }))
}

async function listOf(bench: AdminBench): Promise<ManagerListResult> {
  return resultOf(await bench.admin({ command: 'manager-list' }))
}

test('the status says who leads and who can be reached', async t => {
  const bench = await AdminBench.withServers(THREE_MANAGERS)
  connect(bench, M2, M3)
  const well = await statusOf(bench)
  t.equal(well.health, 'ok')
  t.deepEqual(well.problems, [])
  t.deepEqual(well.managers, [
    { id: SELF, leader: true, reachable: true, addresses: ['hostf:7000'] },
    { id: M2, leader: false, reachable: true, addresses: ['host2:7000'] },
    { id: M3, leader: false, reachable: true, addresses: ['host3:7000'] },
  ])
  bench.peers.disconnect(M3)
  bench.history.lead(M2)
  const one = await statusOf(bench)
  t.equal(one.health, 'degraded')
  t.deepEqual(one.problems, ['Manager 30000000 is not reachable: start it again.'])
  t.deepEqual(
    one.managers.map(({ leader, reachable }) => [leader, reachable]),
    [
      [false, true],
      [true, true],
      [false, false],
    ],
  )
  t.end()
})

test('without a leader: what is missing, and what goes on', async t => {
  const bench = await AdminBench.withServers(THREE_MANAGERS)
  bench.history.lead(null)
  const status = await statusOf(bench)
  t.equal(status.health, 'degraded', 'no volume is hurt by it')
  t.equal(
    status.problems[0],
    'No manager leads: a majority, 2 of 3, must reach each other, and 00000000 reaches 1 with ' +
      'itself; start the others. Changes are refused until then, I/O goes on.',
  )
  t.equal(status.problems.length, 3)
  t.notOk(status.managers.some(({ leader }) => leader))
  t.end()
})

test('two managers are no safer than one, and it says so', async t => {
  const bench = await AdminBench.withServers([SELF, M2])
  connect(bench, M2)
  const status = await statusOf(bench)
  t.equal(status.health, 'ok')
  t.deepEqual(status.problems, ['2 managers tolerate no loss: add a third.'])
  t.end()
})

test('who could become a member', async t => {
  const bench = await AdminBench.withServers([SELF, M2])
  connect(bench, M2, M3)
  bench.peers.connect(M4, ['manager'], { cluster: testCluster(7) })
  const { managers, candidates } = await listOf(bench)
  t.deepEqual(
    managers.map(({ id }) => id),
    [SELF, M2],
  )
  t.deepEqual(candidates, [{ id: M3, addresses: ['host3:7000'] }], 'not one of another cluster')
  t.end()
})

test('a candidate is added by the beginning of its identity', async t => {
  const bench = await AdminBench.withServers([SELF, M2])
  connect(bench, M2, M3)
  const add = (manager: string) => bench.admin({ command: 'manager-add', manager, force: true })
  t.match(refusal(await add('4')), /^not-found: No manager 4 is running/)
  t.match(refusal(await add('20')), /^not-found: Manager 20000000 is a member already/)
  const like = `31${M3.slice(2)}` as PeerId
  connect(bench, like)
  t.match(refusal(await add('3')), /^bad-input: Several managers begin with 3/)
  t.deepEqual(bench.proposed, [])
  t.deepEqual(resultOf(await add('30')), { id: M3, epoch: 6 })
  const [kind, { force, proposer }] = bench.proposed[0]!
  t.deepEqual([kind, force], ['manager-added', true])
  t.match(proposer, /^operator at client/)
  t.deepEqual(bench.history.current().managers.at(-1), recordOf(M3), 'with its addresses')
  t.end()
})

test('a member is removed by the beginning of its identity, running or not', async t => {
  const like = `21${M2.slice(2)}` as PeerId
  const bench = await AdminBench.withServers([SELF, M2, like])
  const remove = (manager: string) =>
    bench.admin({ command: 'manager-remove', manager, force: false })
  t.match(refusal(await remove('3')), /^not-found: There is no manager 3/)
  t.match(refusal(await remove('2')), /^bad-input: Several managers begin with 2/)
  t.deepEqual(resultOf(await remove('21')), { id: like, epoch: 7 })
  bench.answer = { kind: 'refused', code: 'last-manager', reason: 'It is the only one.' }
  t.equal(refusal(await remove(SELF)), 'refused: It is the only one.')
  t.end()
})

test('a manager that was not taken in yet says so', async t => {
  const bench = new AdminBench()
  Object.assign(bench.history, { current: () => null })
  t.match(
    refusal(await bench.admin({ command: 'status' })),
    /^unreachable: This manager is not a member of a cluster yet/,
  )
  t.end()
})
