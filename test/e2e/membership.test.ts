// Managers join, wait, leave and come back.
import test, { type Test } from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import type { ManagerListResult } from '../../src/net/admin.js'
import type { ManagerChangeResult } from '../../src/cli/render/managers.js'
import { TestCluster } from './cluster.js'
import { agreed } from './history.js'
import { eventually, within } from './tools.js'

async function list(cluster: TestCluster): Promise<ManagerListResult> {
  return (await cluster.json(['manager', 'list'])) as ManagerListResult
}

test('a manager that finds no cluster waits, says so, and joins when there is one', async t => {
  const cluster = await TestCluster.bootstrapped(t, { managers: 2, servers: 0 })
  const early = cluster.startManager('m2')
  await eventually('it says that it waits', () =>
    Promise.resolve(/No manager of the cluster/.test(cluster.log('m2'))),
  )
  await cluster.startManager('m1', ['--new'])
  await cluster.says('m1', /One manager does not survive/)
  t.pass('creation says what one is worth')
  await within('it joins by itself', early)
  await cluster.says('m2', /Two managers do not survive/)
  t.pass('and of two')
  const { managers } = await list(cluster)
  t.equal(managers.length, 2, 'both are listed')
})

test('managers are removed and taken back', async t => {
  const cluster = await TestCluster.start(t, { managers: 3, servers: 1 })
  const { managers, candidates } = await list(cluster)
  t.equal(managers.length, 3, 'three managers')
  t.equal(managers.filter(manager => manager.leader).length, 1, 'one of them leads')
  t.ok(
    managers.every(manager => manager.reachable && manager.addresses.length > 0),
    'all are reachable',
  )
  t.deepEqual(candidates, [], 'nobody waits')
  await refusals(t, cluster)

  const leader = await cluster.leader()
  const follower = cluster.managers.find(name => name !== leader) ?? ''
  await remove(t, cluster, follower)
  await eventually('its process is a candidate', async () =>
    (await list(cluster)).candidates.some(({ id }) => id.startsWith(cluster.idOf(follower))),
  )
  await cluster.json(['manager', 'add', cluster.idOf(follower)])
  t.equal((await list(cluster)).managers.length, 3, 'three managers again')

  await remove(t, cluster, leader)
  const others = cluster.managers.filter(name => name !== leader)
  t.ok(others.includes(await cluster.leader()), 'another one leads')
  await cluster.json(['volume', 'create', 'after', '--size', '64M', '--replicas', '1'])
  await agreed(t, cluster, others)
})

async function remove(t: Test, cluster: TestCluster, name: string): Promise<void> {
  const words = ['manager', 'remove', cluster.idOf(name)]
  const { id, epoch } = (await cluster.json(words)) as ManagerChangeResult
  t.ok(id.startsWith(cluster.idOf(name)) && epoch > 1, `${name} was removed in epoch ${epoch}`)
  const left = (await list(cluster)).managers
  t.notOk(
    left.some(manager => manager.id === id),
    'it is not listed any more',
  )
}

async function refusals(t: Test, cluster: TestCluster): Promise<void> {
  const nobody = await cluster.run(['manager', 'remove', '0123456789abcdef'])
  t.equal(nobody.code, EXIT_CODES['not-found'], `there is no such manager: ${nobody.stderr}`)
  const absent = await cluster.run(['manager', 'add', '0123456789abcdef'])
  t.equal(absent.code, EXIT_CODES['not-found'], `nor such a candidate: ${absent.stderr}`)
}
