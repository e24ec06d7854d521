// The manager role: whose data directory it is, registration, mismatches, restarted servers,
// replicas that caught up.
import test from 'tape'
import { epoch, incarnation, shardIndex, volumeId } from '../../src/base/brands.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { goneNotice } from '../../src/net/codecs/gone-notice.js'
import { keyPairFromSeed, peerIdOf } from '../../src/net/identity.js'
import type { GoneNotice } from '../../src/net/manager-messages.js'
import type { ShardAllocation } from '../../src/layout/configuration.js'
import { testCluster } from '../helpers/configurations.js'
import { SimulatedDisk } from '../simulator/simulated-disk.js'
import { A, B, Bench, C, CLIENT, follow, GIB, resultOf } from './manager-fixture.js'

async function withVolume(bench: Bench): Promise<void> {
  for (const id of [A, B, C]) await bench.server(id)
  const volume = { name: 'data', size: GIB, replicas: 3, minInSync: null, force: false }
  resultOf(await bench.admin({ command: 'volume-create', ...volume }))
}

function shardsOf(bench: Bench): readonly ShardAllocation[] {
  return bench.manager.configuration.volumes.get(volumeId(1))!.shards
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  return null
}

test('--new makes a cluster, and only once', async t => {
  const bench = await Bench.start()
  t.equal(bench.manager.configuration.epoch, 1)
  t.deepEqual(bench.manager.configuration.managers, [{ id: bench.peers.self, addresses: [] }])
  await bench.manager.stop()
  const { disk } = bench
  const again = await failureOf(Bench.start({ disk }))
  t.ok(isSwarmdiskError(again, 'data-directory'), String(again))
  t.match(String(again), /without --new/)
  const joined = await Bench.start({ disk, newCluster: false })
  t.deepEqual(joined.manager.configuration, bench.manager.configuration, 'without it, it goes on')
  await joined.manager.stop()
  const other = await Bench.start({ newCluster: false })
  let taken = false
  void other.manager.joined.then(() => {
    taken = true
  })
  await other.settle()
  t.notOk(taken, 'an empty directory without it waits for the managers of a cluster')
  await other.manager.stop()
})

test('clusters have different names', async t => {
  const one = await Bench.start({ seed: 1 })
  const other = await Bench.start({ seed: 2 })
  t.notEqual(one.manager.configuration.cluster, other.manager.configuration.cluster)
  await one.manager.stop()
  await other.manager.stop()
})

test('a server that is said to be gone is declared down at once, if it is signed', async t => {
  const bench = await Bench.start()
  const keys = keyPairFromSeed(new Uint8Array(32).fill(1))
  const id = peerIdOf(keys.publicKey)
  await bench.server(A)
  await bench.server(id, { start: 4 })
  bench.peers.connect(CLIENT, ['client'])
  const state = () => bench.manager.configuration.servers.get(id)?.state
  const told = async (notice: GoneNotice): Promise<boolean> =>
    (await bench.clock.settle('an answer', bench.peers.ask(CLIENT, 'gone', notice))).ok
  const notice = goneNotice(keys, incarnation(4))
  t.notOk(await told({ ...notice, server: A }), 'of another server')
  t.notOk(await told({ ...notice, signature: new Uint8Array(64) }), 'by somebody else')
  t.notOk(await told(goneNotice(keys, incarnation(3))), 'of a start before')
  t.equal(state(), 'up')
  t.ok(await told(notice))
  t.equal(state(), 'down')
  t.ok(await told(notice), 'said again it is as true')
  await bench.manager.stop()
})

test('a server registers: only what is new makes an epoch', async t => {
  const bench = await Bench.start()
  t.deepEqual(await bench.server(A), { kind: 'registered', epoch: epoch(2) })
  t.deepEqual(await bench.register(A), { kind: 'registered', epoch: epoch(2) }, 'the same again')
  const started = await bench.register(A, { start: 2 })
  t.deepEqual(started, { kind: 'registered', epoch: epoch(3) }, 'started again')
  t.equal(bench.manager.configuration.servers.get(A)!.incarnation, incarnation(2))
  t.deepEqual(
    bench.peers.remembered.map(({ id }) => id),
    [A],
    'members are remembered',
  )
  await bench.manager.stop()
})

test('registrations that are refused say why', async t => {
  const bench = await Bench.start()
  await bench.server(A, { start: 5 })
  const old = await bench.register(A, { start: 4 })
  t.match(old.kind === 'refused' ? old.reason : '', /old copy/, 'an older start')
  bench.connectServer(B)
  const taken = await bench.register(B, { request: { name: 'a' } })
  t.match(taken.kind === 'refused' ? taken.reason : '', /--name/, 'a name that is taken')
  bench.connectServer(C, { info: { cluster: testCluster(9) } })
  const foreign = await bench.register(C)
  t.match(foreign.kind === 'refused' ? foreign.reason : '', /another cluster/, 'a foreign server')
  t.deepEqual(bench.pushed(C), [], 'which is not told anything')
  t.equal(bench.manager.configuration.epoch, 2, 'nothing was changed')
  await bench.manager.stop()
})

test('addresses of the manager become known when peers connect', async t => {
  let port = 0
  const addresses = (): { host: string; port: number }[] =>
    port === 0 ? [] : [{ host: '127.0.0.1', port }]
  const bench = await Bench.start({ addresses })
  port = 4711
  bench.peers.connect(CLIENT, ['client'])
  await bench.until('the address', () => bench.manager.configuration.epoch === 2)
  t.deepEqual(bench.manager.configuration.managers[0]!.addresses, addresses())
  await bench.manager.stop()
})

test('the configuration is fetched: current, as a delta, or whole', async t => {
  const bench = await Bench.start()
  await bench.server(A)
  await bench.server(B)
  const ask = (have: number): Promise<{ kind: string }> =>
    bench.peers.ask(A, 'fetch-configuration', { have: epoch(have) })
  t.equal((await ask(3)).kind, 'current')
  t.equal((await ask(2)).kind, 'delta')
  t.equal((await ask(0)).kind, 'full')
  await bench.manager.stop()
})

test('a reported mismatch brings both sides the newest configuration', async t => {
  const bench = await Bench.start()
  await bench.server(A)
  await bench.server(B)
  bench.peers.connect(CLIENT, ['client'])
  await bench.settle()
  const sent = bench.pushed(CLIENT).length
  const report = { volume: volumeId(1), shard: shardIndex(0), seen: epoch(1), from: CLIENT }
  bench.peers.deliver(A, 'mismatch', { ...report, own: epoch(2) })
  await bench.clock.advance(30)
  t.equal(bench.manager.mismatches, 1, 'counted')
  t.equal(bench.pushed(CLIENT).length, sent + 1, 'the client is sent it again')
  t.equal(follow(bench.pushed(CLIENT).slice(0, 1))?.epoch, 3)
  const again = bench.pushed(CLIENT).at(-1)!
  t.ok(again.kind === 'delta' && again.delta.from === 1 && again.delta.to === 3, 'as a delta')
  t.equal(bench.pushed(A).at(-1)!.kind, 'delta', 'and so is the server')
  bench.peers.deliver(A, 'mismatch', { ...report, own: epoch(3) })
  await bench.clock.advance(10)
  t.equal(bench.pushed(CLIENT).length, sent + 1, 'but not while it is on its way')
  await bench.manager.stop()
})

test('a server that restarted syncs, is counted, and is in-sync again', async t => {
  const bench = await Bench.start()
  await withVolume(bench)
  bench.peers.disconnect(B)
  await bench.settle()
  const before = bench.manager.configuration.epoch
  t.ok(
    shardsOf(bench).every(({ replicas }) => replicas.length === 3),
    'absence changes nothing',
  )
  bench.connectServer(B, { start: 2 })
  await bench.settle()
  t.equal(bench.manager.configuration.epoch, before, 'nor does a connection')
  await bench.register(B, { start: 2 })
  await bench.until('the plan', () => bench.manager.configuration.epoch === before + 2)
  const replicaOfB = (shard: ShardAllocation): unknown =>
    shard.replicas.find(({ server }) => server === B)
  const syncing = { server: B, state: 'syncing', incarnation: incarnation(2) }
  t.ok(
    shardsOf(bench).every(shard => JSON.stringify(replicaOfB(shard)) === JSON.stringify(syncing)),
  )
  const status = resultOf<{ health: string }>(await bench.admin({ command: 'status' }))
  t.equal(status.health, 'degraded')
  const allocation = epoch(before + 2)
  for (const [i, { replicas }] of shardsOf(bench).entries()) {
    const one = { volume: volumeId(1), shard: shardIndex(i), server: B, allocation }
    bench.peers.deliver(replicas[0]!.server, 'caught-up-proposal', { replicas: [one] })
  }
  await bench.until('in-sync', () =>
    shardsOf(bench).every(({ replicas }) => replicas.every(({ state }) => state === 'in-sync')),
  )
  t.equal(bench.manager.configuration.epoch, before + 3, 'all in one change')
  t.ok(
    shardsOf(bench).every(({ replicas }) => replicas[2]!.server === B),
    'behind the others',
  )
  await bench.manager.stop()
})

test('stale and foreign reports of having caught up are dropped', async t => {
  const bench = await Bench.start()
  await withVolume(bench)
  bench.peers.disconnect(B)
  await bench.server(B, { start: 2 })
  await bench.settle()
  const { epoch: at } = bench.manager.configuration
  const shard = shardsOf(bench)[0]!
  const primary = shard.replicas[0]!.server
  const other = primary === A ? C : A
  const one = { volume: volumeId(1), shard: shardIndex(0), server: B, allocation: shard.epoch }
  bench.peers.deliver(other, 'caught-up-proposal', { replicas: [one] })
  const old = { ...one, allocation: epoch(shard.epoch - 1) }
  bench.peers.deliver(primary, 'caught-up-proposal', { replicas: [old] })
  const none = { ...one, volume: volumeId(7) }
  bench.peers.deliver(primary, 'caught-up-proposal', { replicas: [none, { ...one, server: C }] })
  await bench.settle()
  t.equal(bench.manager.configuration.epoch, at, 'none of them changed anything')
  bench.peers.deliver(primary, 'caught-up-proposal', { replicas: [old, one, one] })
  await bench.until('the valid one', () => bench.manager.configuration.epoch === at + 1)
  t.equal(shardsOf(bench)[0]!.replicas.filter(({ state }) => state === 'in-sync').length, 3)
  await bench.manager.stop()
})

test('when all servers restarted, shards resume in a new generation', async t => {
  const bench = await Bench.start()
  await withVolume(bench)
  for (const id of [A, B, C]) bench.peers.disconnect(id)
  await bench.server(B, { start: 2 })
  await bench.settle()
  t.ok(
    shardsOf(bench).every(({ generation }) => generation === 0),
    'the others may know more',
  )
  await bench.server(A, { start: 2 })
  await bench.server(C, { start: 2 })
  await bench.until('a new generation', () =>
    shardsOf(bench).every(({ generation, replicas }) => generation === 1 && replicas.length === 3),
  )
  t.ok(shardsOf(bench).every(({ replicas }) => replicas[0]!.state === 'in-sync'))
  await bench.manager.stop()
})

test('a manager whose directory is an old copy commits nothing', async t => {
  const bench = await Bench.start()
  const { cluster } = bench.manager.configuration
  bench.connectServer(A, { info: { cluster, epoch: epoch(9) } })
  const reply = await bench.register(A)
  t.match(reply.kind === 'refused' ? reply.reason : '', /old cop.*epoch 9/)
  const status = resultOf<{ health: string; problems: string[] }>(
    await bench.admin({ command: 'status' }),
  )
  t.equal(status.health, 'unavailable')
  t.match(status.problems[0]!, /epoch 9/)
  await bench.manager.stop()
})

test('what was answered survives a power cut of the manager', async t => {
  const bench = await Bench.start()
  await withVolume(bench)
  const before = bench.manager.configuration
  if (!(bench.disk instanceof SimulatedDisk)) throw new Error('a simulated disk')
  const again = await Bench.start({ disk: bench.disk.crash(), newCluster: false })
  t.deepEqual(again.manager.configuration, before)
  await again.manager.stop()
})
