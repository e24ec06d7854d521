// Pushes: at once to whoever is connected, as deltas where they fit, spaced for each peer, and
// again to a peer that turns out to be behind.
import test from 'tape'
import { byteCount, epoch } from '../../src/base/brands.js'
import { CONFIGURATIONS_KEPT, PUSH_SPACING_MS } from '../../src/base/limits.js'
import { NOTHING_SERVED } from '../helpers/configurations.js'
import { A, B, Bench, C, CLIENT, follow } from './manager-fixture.js'

const kinds = (bench: Bench, peer: typeof A): readonly string[] =>
  bench.pushed(peer).map(({ kind }) => kind)

test('a peer that connects is sent what it lacks', async t => {
  const bench = await Bench.start()
  await bench.server(A)
  await bench.server(B)
  const { cluster } = bench.manager.configuration
  bench.peers.connect(CLIENT, ['client'])
  t.deepEqual(kinds(bench, CLIENT), ['full'], 'everything, if it has nothing')
  bench.connectServer(C, { info: { cluster, epoch: epoch(2) } })
  t.deepEqual(kinds(bench, C), ['delta'], 'the difference, if it has an older one')
  bench.peers.disconnect(CLIENT)
  bench.peers.connect(CLIENT, ['client'], { cluster, epoch: epoch(3) })
  t.deepEqual(kinds(bench, CLIENT), ['full'], 'nothing, if it has the newest')
  await bench.manager.stop()
})

test('every commit reaches every peer, and deltas fit each other', async t => {
  const bench = await Bench.start()
  bench.peers.connect(CLIENT, ['client'])
  for (const id of [A, B, C]) {
    await bench.server(id)
    await bench.clock.advance(PUSH_SPACING_MS)
  }
  t.deepEqual(kinds(bench, CLIENT), ['full', 'delta', 'delta', 'delta'])
  for (const id of [CLIENT, A, B, C]) {
    t.deepEqual(follow(bench.pushed(id)), bench.manager.configuration, 'equal to the manager’s')
  }
  await bench.manager.stop()
})

test('what is committed in quick succession is pushed together', async t => {
  const bench = await Bench.start()
  bench.peers.connect(CLIENT, ['client'])
  for (let start = 1; start <= 50; start++) await bench.server(A, { start })
  t.equal(bench.pushed(CLIENT).length, 1, 'none is sent on the heels of another')
  await bench.clock.advance(PUSH_SPACING_MS)
  t.deepEqual(kinds(bench, CLIENT), ['full', 'delta'], 'fifty changes in one delta')
  t.equal(follow(bench.pushed(CLIENT))?.epoch, 51)
  await bench.manager.stop()
})

test('too far behind for a delta, a peer gets everything', async t => {
  const bench = await Bench.start()
  const { cluster } = bench.manager.configuration
  for (let start = 1; start <= CONFIGURATIONS_KEPT + 5; start++) await bench.server(A, { start })
  bench.peers.connect(CLIENT, ['client'], { cluster, epoch: epoch(3) })
  t.deepEqual(kinds(bench, CLIENT), ['full'])
  await bench.manager.stop()
})

test('a peer that reports an old epoch for long is sent it again', async t => {
  const bench = await Bench.start()
  await bench.server(A)
  const report = {
    ...{ host: 'desk', mountPoint: '/mnt', held: null },
    epoch: epoch(1),
  }
  bench.peers.connect(CLIENT, ['client'])
  bench.peers.deliver(CLIENT, 'client-report', report)
  t.equal(bench.pushed(CLIENT).length, 1, 'it may have crossed with the push')
  await bench.settle()
  bench.peers.deliver(CLIENT, 'client-report', report)
  t.deepEqual(kinds(bench, CLIENT), ['full', 'delta'])
  await bench.manager.stop()
})

test('a silent peer delays nobody, and a stopped manager pushes nothing', async t => {
  const bench = await Bench.start()
  bench.peers.connect(CLIENT, ['client'])
  const blocked = bench.peers.notify.bind(bench.peers)
  bench.peers.notify = (to, operation, message) =>
    to === CLIENT ? false : blocked(to, operation, message)
  await bench.server(A)
  await bench.settle()
  t.equal(follow(bench.pushed(A))?.epoch, 2, 'the other has it')
  bench.peers.deliver(A, 'storage-report', {
    ...{ epoch: epoch(2), corruptBlocks: 0, problem: '', syncing: [] },
    merging: [],
    incarnation: bench.manager.configuration.servers.get(A)!.incarnation,
    used: byteCount(0),
    free: byteCount(1),
    served: NOTHING_SERVED,
    recovered: byteCount(0),
  })
  const sent = bench.peers.notified.length
  await bench.manager.stop()
  await bench.settle()
  t.equal(bench.peers.notified.length, sent)
})
