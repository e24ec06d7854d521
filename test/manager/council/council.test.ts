// Several managers: taken in, leading, failing, cut off, coming back; what each of them knows.
import test from 'tape'
import { byteCount, epoch as toEpoch, incarnation, peerId } from '../../../src/base/brands.js'
import type { EpochResult } from '../../../src/net/admin.js'
import { Council } from './council-fixture.js'

interface Epochs {
  readonly epochs: readonly EpochResult[]
}

async function epochsOf(council: Council, name: string): Promise<readonly EpochResult[]> {
  const answer = await council.admin(name, { command: 'epoch-list', from: 1, limit: 1000 })
  if (!answer.ok) throw new Error(answer.message)
  return (answer.result as Epochs).epochs
}

/** A change that needs no storage server. */
async function change(council: Council, name: string, nth: number): Promise<boolean> {
  const id = peerId((0xbb00 + nth).toString(16).padStart(64, '0'))
  const answer = await council.admin(name, {
    command: 'manager-remove',
    manager: id,
    force: false,
  })
  return answer.ok
}

test('managers are taken in one after the other, and know the same', async t => {
  const council = await Council.of(3)
  const configuration = await council.agree()
  t.equal(configuration.managers.length, 3)
  t.deepEqual(
    configuration.managers.map(({ addresses }) => addresses[0]?.host),
    ['m1', 'm2', 'm3'],
    'with their addresses',
  )
  const lists = await Promise.all(council.names.map(name => epochsOf(council, name)))
  t.deepEqual(lists[1], lists[0])
  t.deepEqual(lists[2], lists[0])
  t.deepEqual(
    lists[0]!.map(({ epoch }) => epoch),
    lists[0]!.map((_, i) => i + 1),
    'epochs without gaps',
  )
  t.notOk(await change(council, 'm2', 1), 'a change that cannot be is refused at any manager')
  await council.end()
})

test('the leader dies: another leads soon, and the old one follows when it is back', async t => {
  const council = await Council.of(3)
  for (let round = 0; round < 4; round++) {
    const old = await council.leader()
    const before = council.clock.now()
    council.kill(old, round % 2 === 0 ? 'kill' : 'power')
    const next = await council.leader()
    t.notEqual(next, old)
    t.ok(council.clock.now() - before < 3_000, 'within three seconds')
    await council.start(old)
    await council.agree()
  }
  await council.end()
})

test('all managers lose their power and come back', async t => {
  const council = await Council.of(3)
  const before = await council.agree()
  for (const name of council.names) council.kill(name, 'power')
  for (const name of council.names) await council.start(name)
  await council.leader()
  const after = await council.agree()
  t.deepEqual(after.managers, before.managers)
  t.ok(after.epoch >= before.epoch)
  await council.end()
})

test('a leader that is cut off commits nothing; healed, there is one history', async t => {
  const council = await Council.of(3)
  const old = await council.leader()
  const known = council.configuration(old).epoch
  council.isolate(old)
  const others = council.names.filter(name => name !== old)
  await council.clock.until('another leads', () => others.some(name => council.manager(name).leads))
  await council.clock.until('the old one does not', () => !council.manager(old).leads)
  const fourth = council.start('m4', { wait: false })
  await council.clock.settle('a fourth starts', fourth)
  await council.clock.settle('it is taken in', council.manager('m4').joined)
  t.equal(council.configuration(old).epoch, known, 'the old leader knows nothing of it')
  const refused = await council.admin(old, {
    command: 'manager-remove',
    manager: council.id('m4'),
    force: false,
  })
  t.notOk(refused.ok, 'and changes nothing')
  council.swarm.heal()
  const agreed = await council.agree()
  t.equal(agreed.managers.length, 4)
  t.deepEqual(await epochsOf(council, old), await epochsOf(council, others[0]!))
  await council.end()
})

test('a leader that may have been replaced does not take itself for an old copy', async t => {
  const council = await Council.of(3)
  const old = await council.leader()
  const { cluster, epoch: known } = council.configuration(old)
  for (const name of council.names) if (name !== old) council.kill(name)
  await council.clock.until('its lease is over', () => !council.leads(old).surely)
  t.ok(council.leads(old).asFarAsItKnows, 'and it has not noticed yet')
  const server = await council.stranger({ cluster, epoch: toEpoch(known + 1) })
  await council.clock.until('they are linked', () => server.find(council.id(old)) !== undefined)
  const request = { ...{ name: 'a', domain: 'a', addresses: [] }, weight: 1 }
  const reply = server.request(council.id(old), 'register', {
    ...{ ...request, capacity: byteCount(2 ** 30), incarnation: incarnation(1) },
  })
  t.deepEqual(await council.clock.settle('its answer', reply), { kind: 'wait' })
  await server.stop()
  await council.end()
})

test('a majority is away: changes are refused, questions answered; then all goes on', async t => {
  const council = await Council.of(3)
  const leader = await council.leader()
  const others = council.names.filter(name => name !== leader)
  for (const name of others) council.kill(name)
  await council.clock.until('nobody leads', () => council.leaders.length === 0)
  const answer = await council.admin(leader, {
    command: 'manager-remove',
    manager: council.id(others[0]!),
    force: true,
  })
  t.notOk(answer.ok)
  t.match(answer.ok ? '' : answer.message, /manager/, 'with a sentence')
  t.ok((await council.admin(leader, { command: 'status' })).ok, 'status is answered')
  for (const name of others) await council.start(name)
  await council.leader()
  await council.agree()
  await council.end()
  t.end()
})

test('a manager that was removed while it was down hears of it', async t => {
  const council = await Council.of(3)
  const leader = await council.leader()
  const away = council.names.find(name => name !== leader)!
  council.kill(away)
  const id = council.id(away)
  const removed = await council.admin(leader, {
    ...{ command: 'manager-remove', manager: id, force: false },
  })
  t.ok(removed.ok, removed.ok ? 'removed' : removed.message)
  await council.start(away, { wait: false })
  await council.clock.until('it has heard', () => council.waitsFor(away) !== '')
  t.match(council.waitsFor(away), /was removed.*manager add/)
  await council.clock.advance(1_000) // all have found each other by then
  const added = await council.admin(leader, {
    ...{ command: 'manager-add', manager: id, force: false },
  })
  t.ok(added.ok, added.ok ? 'added' : added.message)
  await council.clock.settle('it is a member again', council.manager(away).joined)
  t.equal((await council.agree()).managers.length, 3)
  await council.end()
})

test('a removed manager leads no more, and can be added again', async t => {
  const council = await Council.of(3)
  const leader = await council.leader()
  const removed = await council.admin(leader, {
    command: 'manager-remove',
    manager: council.id(leader),
    force: false,
  })
  t.ok(removed.ok, removed.ok ? 'removed' : removed.message)
  const others = council.names.filter(name => name !== leader)
  await council.clock.until('another leads', () => others.some(name => council.manager(name).leads))
  t.equal(council.configuration(others[0]!).managers.length, 2)
  council.kill(leader)
  await council.start(leader, { wait: false })
  await council.clock.advance(5_000)
  t.notOk(council.manager(leader).leads, 'started again, it waits')
  const asked = await council.admin(leader, { command: 'status' })
  t.equal(asked.ok ? '' : asked.code, 'unreachable', 'others know better how things are')
  const added = await council.admin(others[0]!, {
    command: 'manager-add',
    manager: council.id(leader),
    force: false,
  })
  t.ok(added.ok, added.ok ? 'added' : added.message)
  await council.clock.settle('it is a member', council.manager(leader).joined)
  t.equal((await council.agree()).managers.length, 3)
  await council.end()
})
