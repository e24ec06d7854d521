// One manager at a time: heartbeats, registering, and what happens when it fails.
import test from 'tape'
import { epoch, shardIndex, volumeId } from '../../../src/base/brands.js'
import {
  HEARTBEAT_INTERVAL_MS,
  LEASE_MS,
  LEAVE_DEADLINE_MS,
  MANAGER_DOUBTED_MS,
} from '../../../src/base/limits.js'
import { CLIENT, SHARD } from '../storage-cluster.js'
import { ContactFixture, ONE, THREE, TWO } from './contact-fixture.js'

const count = (asked: readonly string[], what: string): number =>
  asked.filter(each => each === what).length

test('a manager connects: registered, a lease at once, then regular heartbeats', async t => {
  const fixture = new ContactFixture()
  fixture.contact.start()
  await fixture.clock.advance(2_000)
  t.deepEqual(fixture.asked, [], 'nobody to ask')
  fixture.connect(ONE)
  await fixture.clock.advance(5)
  t.deepEqual([...new Set(fixture.asked)].sort(), ['heartbeat 1', 'register 1'])
  t.ok(fixture.leaseValid)
  t.deepEqual(fixture.answered, [{ kind: 'registered', epoch: 5 }])
  fixture.connect(TWO, THREE)
  await fixture.clock.advance(5)
  const later = await fixture.during(10 * HEARTBEAT_INTERVAL_MS)
  t.deepEqual(
    later,
    Array.from({ length: 10 }, () => 'heartbeat 1'),
    'only with the one',
  )
  t.ok(await fixture.leaseHolds(2 * LEASE_MS))
  t.ok(fixture.wanted.every(mentioned => mentioned === 5) && fixture.wanted.length > 10)
  fixture.heartbeat = () => null
  fixture.peers.disconnect(TWO)
  fixture.peers.disconnect(THREE)
  await fixture.clock.advance(LEASE_MS + 1)
  t.notOk(fixture.leaseValid, 'the lease is over when nobody answers')
  t.end()
})

test('the leader is asked where it is known and connected', async t => {
  const fixture = new ContactFixture()
  fixture.leader = THREE
  fixture.contact.start()
  fixture.connect(ONE, TWO)
  t.equal(count(await fixture.during(1_000), 'heartbeat 3'), 0, 'not connected')
  fixture.connect(THREE)
  await fixture.clock.advance(HEARTBEAT_INTERVAL_MS)
  t.deepEqual([...new Set(await fixture.during(2_000))], ['heartbeat 3'])
  t.end()
})

test('the manager dies, or falls silent: the next one is asked within the lease', async t => {
  for (const silent of [false, true]) {
    const fixture = new ContactFixture()
    fixture.contact.start()
    fixture.connect(ONE, TWO)
    await fixture.clock.advance(1_200)
    const begun = fixture.asked.length
    if (silent) fixture.heartbeat = manager => (manager === 1 ? null : fixture.granted(manager))
    else fixture.peers.disconnect(ONE)
    t.ok(await fixture.leaseHolds(10 * LEASE_MS), `silent ${silent}: a lease at every moment`)
    const vain = count(fixture.asked.slice(begun), 'heartbeat 1')
    const most = Math.ceil((10 * LEASE_MS) / MANAGER_DOUBTED_MS)
    t.ok(vain <= most, `though others call it the leader it is asked ${vain} times at most ${most}`)
  }
  t.end()
})

test('no leader: the next manager at once, then all in turn after pauses', async t => {
  const fixture = new ContactFixture()
  fixture.heartbeat = () => ({ kind: 'no-leader' })
  fixture.contact.start()
  fixture.connect(ONE, TWO, THREE)
  await fixture.clock.advance(100)
  const asked = (await fixture.during(3_000)).filter(each => each.startsWith('heartbeat'))
  t.ok(asked.length >= 10 && asked.length <= 15, `${asked.length} times in 3 s`)
  for (const id of [1, 2, 3]) t.ok(count(asked, `heartbeat ${id}`) >= 3, `manager ${id} too`)
  fixture.heartbeat = manager => fixture.granted(manager)
  await fixture.clock.advance(300)
  t.ok(fixture.leaseValid, 'found soon after the election')
  t.end()
})

test('registering: when we are not known, until there is an answer', async t => {
  const fixture = new ContactFixture()
  fixture.contact.start()
  fixture.connect(ONE, TWO)
  await fixture.clock.advance(1_000)
  t.equal(count(fixture.asked, 'register 1'), 1)
  fixture.heartbeat = () => ({ kind: 'unregistered', leader: ONE })
  fixture.register = () => ({ kind: 'wait' })
  await fixture.clock.advance(3_000)
  t.notOk(fixture.leaseValid, 'no lease for a server that is not known')
  t.ok(count(fixture.asked, 'register 1') > 2, 'asked again')
  t.equal(fixture.answered.length, 1, 'no decision yet')
  fixture.register = () => {
    fixture.heartbeat = manager => fixture.granted(manager)
    return { kind: 'registered', epoch: epoch(6) }
  }
  await fixture.clock.advance(2_000)
  t.deepEqual(fixture.answered.slice(1), [{ kind: 'registered', epoch: 6 }])
  t.ok(fixture.leaseValid, 'a lease at once')
  fixture.heartbeat = () => ({ kind: 'unregistered', leader: ONE })
  fixture.register = () => ({ kind: 'refused', reason: 'an old copy' })
  const refused = await fixture.during(5_000)
  t.equal(count(refused, 'register 1'), 1, 'a refusal is final')
  t.deepEqual(fixture.answered.at(-1), { kind: 'refused', reason: 'an old copy' })
  fixture.peers.disconnect(ONE)
  fixture.peers.disconnect(TWO)
  fixture.connect(TWO)
  await fixture.clock.advance(1_000)
  t.equal(count(fixture.asked, 'register 2'), 1, 'but not for other managers')
  t.end()
})

test('a lost registration is repeated, with another manager when that one is gone', async t => {
  const fixture = new ContactFixture()
  fixture.register = () => null
  fixture.contact.start()
  fixture.connect(ONE, TWO)
  await fixture.clock.advance(500)
  fixture.register = () => ({ kind: 'registered', epoch: epoch(5) })
  fixture.peers.disconnect(ONE)
  t.equal(count(await fixture.during(2_000), 'register 2'), 1)
  t.equal(fixture.answered.length, 1)
  t.end()
})

test('a server that was removed does not register again', async t => {
  const fixture = new ContactFixture()
  fixture.contact.start()
  fixture.connect(ONE)
  await fixture.clock.advance(1_000)
  fixture.removed = true
  fixture.heartbeat = () => ({ kind: 'unregistered', leader: ONE })
  t.equal(count(await fixture.during(5_000), 'register 1'), 0)
  t.end()
})

test('proposals and mismatches go to one manager, reports to all', async t => {
  const fixture = new ContactFixture()
  fixture.contact.start()
  fixture.connect(ONE, TWO)
  await fixture.clock.advance(1_100)
  const shard = { volume: volumeId(1), shard: shardIndex(0) }
  const proposal = { ...shard, allocation: epoch(5), server: THREE }
  const mismatch = { ...SHARD, seen: epoch(4), own: epoch(5), from: CLIENT }
  fixture.contact.propose([proposal])
  fixture.contact.mismatch(mismatch)
  t.deepEqual(fixture.notifiedOf('caught-up-proposal'), [1])
  t.deepEqual(fixture.notifiedOf('mismatch'), [1])
  t.deepEqual([...new Set(fixture.notifiedOf('storage-report'))], [1, 2])
  fixture.peers.disconnect(ONE)
  fixture.contact.propose([proposal])
  fixture.contact.mismatch({ ...mismatch, seen: epoch(6) })
  t.deepEqual(fixture.notifiedOf('caught-up-proposal'), [1, 2], 'to another one when it is gone')
  t.deepEqual(fixture.notifiedOf('mismatch'), [1, 2])
  t.end()
})

test('a fence is told with the heartbeats, and ended by what they bring', async t => {
  const fixture = new ContactFixture()
  fixture.contact.start()
  fixture.connect(ONE)
  await fixture.clock.advance(100)
  // The answer to a heartbeat that is under way when the vote is given.
  fixture.heartbeat = () => {
    const reply = fixture.granted(1, 5)
    if (fixture.fence.base === 0) fixture.fence.raise(epoch(5), [SHARD])
    return reply
  }
  await fixture.clock.advance(HEARTBEAT_INTERVAL_MS)
  t.equal(fixture.fence.base, 5, 'it may speak of an earlier proposal')
  t.equal(fixture.fenced.at(-1), 0)
  await fixture.clock.advance(HEARTBEAT_INTERVAL_MS)
  t.equal(fixture.fenced.at(-1), 5)
  t.equal(fixture.fence.base, 0)
  t.end()
})

test('after a stop nothing is sent', async t => {
  const fixture = new ContactFixture()
  fixture.register = () => null
  fixture.contact.start()
  fixture.connect(ONE)
  await fixture.clock.advance(700)
  fixture.contact.stop()
  const notified = fixture.peers.notified.length
  t.deepEqual(await fixture.during(10_000), [])
  t.equal(fixture.peers.notified.length, notified)
  t.end()
})

test('stopped, it gives up its lease and says so', async t => {
  const fixture = new ContactFixture()
  fixture.contact.start()
  fixture.connect(ONE)
  await fixture.clock.advance(5)
  t.ok(fixture.leaseValid)
  fixture.contact.stop()
  const left = fixture.contact.leave()
  t.notOk(fixture.leaseValid, 'before anybody hears of it')
  await fixture.clock.settle('leaving', left)
  t.equal(count(fixture.asked, 'leaving 1'), 1)
  t.notOk(await fixture.leaseHolds(HEARTBEAT_INTERVAL_MS), 'and asks for none')
})

test('stopped while no manager answers, it waits only for a while', async t => {
  const fixture = new ContactFixture()
  fixture.contact.start()
  fixture.connect(ONE)
  await fixture.clock.advance(5)
  fixture.leaving = () => null
  fixture.contact.stop()
  const before = fixture.clock.now()
  await fixture.clock.settle('leaving', fixture.contact.leave())
  t.equal(fixture.clock.now() - before, LEAVE_DEADLINE_MS)
})
