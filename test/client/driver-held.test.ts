// I/O that cannot go on: why it is held, what --io-timeout, abort and close make of it, and what
// the managers are told.
import test from 'tape'
import { byteOffset, epoch, volumeId } from '../../src/base/brands.js'
import type { ClientReport } from '../../src/net/messages.js'
import {
  inSync,
  MANAGER,
  reallocated,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  testConfiguration,
} from '../helpers/configurations.js'
import { codeOf, filled, ScriptedCluster } from './scripted-cluster.js'

const EXTENT = 4 * 1024 * 1024

function reports(cluster: ScriptedCluster): ClientReport[] {
  return cluster.peers.notified
    .filter(({ operation }) => operation === 'client-report')
    .map(({ message }) => message as ClientReport)
}

test('the reason names the servers that must come back', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  // The primary, a, is there and cannot answer: it waits for b.
  cluster.intercept = ({ sent }) => sent.kind === 'write'
  cluster.peers.disconnect(SERVER_B)
  const written = codeOf(volume.write(byteOffset(0), filled(4096, 1)))
  await cluster.clock.advance(500)
  t.equal(cluster.driver.held(), null, 'a hiccup')
  await cluster.clock.advance(1_000)
  t.deepEqual(cluster.driver.held(), {
    requests: 1,
    reason:
      'waiting for storage server b, which is not reachable and holds an in-sync copy of ' +
      'volume data',
    since: '2026-01-01T00:00:00.000Z',
  })
  cluster.peers.disconnect(SERVER_C)
  t.match(cluster.driver.held()?.reason ?? '', /servers b, c, which are not reachable and hold an/)
  const read = volume.read(byteOffset(0), new Uint8Array(10))
  const other = volume.read(byteOffset(EXTENT), new Uint8Array(10))
  await cluster.clock.settle('reads go on', other, 3_000)
  cluster.driver.abort()
  t.equal(await written, 'aborted')
  t.equal(await codeOf(read), 'aborted')
})

test('other reasons: too few copies, a server that is down, no reason at all', async t => {
  const few = testConfiguration()
  const one = new ScriptedCluster({
    configuration: reallocated(few, 0, { replicas: inSync(SERVER_A) }),
  })
  one.intercept = () => true
  const volume = one.open()
  void codeOf(volume.write(byteOffset(0), filled(4096, 1)))
  await one.clock.advance(2_000)
  t.match(one.driver.held()?.reason ?? '', /shard 0 has 1 of the 2 it needs for writing/)
  const read = new ScriptedCluster()
  read.intercept = () => true
  void codeOf(read.open().read(byteOffset(0), new Uint8Array(10)))
  await read.clock.advance(1_500)
  t.match(read.driver.held()?.reason ?? '', /waiting for an answer of storage server a/)
  for (const server of [SERVER_A, SERVER_B, SERVER_C]) read.peers.disconnect(server)
  const servers = [...read.configuration.servers.entries()]
  read.configuration = {
    ...read.configuration,
    epoch: epoch(6),
    servers: new Map(servers.map(([id, server]) => [id, { ...server, state: 'down' }])),
  }
  read.push()
  t.match(read.driver.held()?.reason ?? '', /servers a, b, c, which are down and hold an in-sync/)
  one.driver.abort()
  read.driver.abort()
})

test('the managers hear of it at once, when it is over, and every few seconds', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  await cluster.clock.advance(11_000)
  const quiet = reports(cluster).length
  t.ok(quiet >= 2 && quiet <= 4, `${quiet} reports in 11 s`)
  t.deepEqual(reports(cluster)[0], { host: 'host', mountPoint: '/mnt', epoch: 5, held: null })
  cluster.peers.disconnect(SERVER_A)
  const written = volume.write(byteOffset(0), filled(4096, 1))
  await cluster.clock.advance(2_500)
  t.match(reports(cluster).at(-1)?.held?.reason ?? '', /storage server a/)
  cluster.peers.connect(SERVER_A, ['storage'])
  await cluster.clock.settle('write', written)
  await cluster.clock.advance(1_100)
  t.equal(reports(cluster).at(-1)?.held, null)
  const before = reports(cluster).length
  cluster.peers.disconnect(MANAGER)
  cluster.peers.connect(MANAGER, ['manager'])
  t.equal(reports(cluster).length, before + 1, 'a manager that connects is told')
})

test('--io-timeout: an error after that time, and later writes still come after', async t => {
  const cluster = new ScriptedCluster({ ioTimeout: 5_000 })
  const volume = cluster.open()
  cluster.peers.disconnect(SERVER_A)
  const first = codeOf(volume.write(byteOffset(0), filled(4096, 1)))
  const second = codeOf(volume.write(byteOffset(0), filled(4096, 2))) // never sent
  await cluster.clock.advance(4_990)
  t.equal(cluster.driver.held()?.requests, 2)
  t.equal(await cluster.clock.settle('first', first, 20), 'io-timeout')
  t.equal(await cluster.clock.settle('second', second, 20), 'io-timeout')
  const third = volume.write(byteOffset(100), filled(10, 3))
  const other = volume.write(byteOffset(EXTENT), filled(10, 4))
  await cluster.clock.settle('another shard', other, 100)
  t.equal(cluster.driver.held()?.requests, 1, 'the first is still to be decided')
  cluster.peers.connect(SERVER_A, ['storage'])
  await cluster.clock.settle('third', third)
  const expected = [...filled(100, 1), ...filled(10, 3), ...filled(10, 1)]
  t.deepEqual(cluster.servers.content(0, 0, 120), Uint8Array.from(expected))
  t.equal(cluster.driver.held(), null)
})

test('--io-timeout of a read leaves the buffer alone, of a FLUSH the next one alive', async t => {
  const cluster = new ScriptedCluster({ ioTimeout: 1_000 })
  const volume = cluster.open()
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  cluster.latency = 1_500
  const into = new Uint8Array(4096)
  const read = codeOf(volume.read(byteOffset(0), into))
  const flush = codeOf(volume.flush())
  t.equal(await cluster.clock.settle('read', read), 'io-timeout')
  t.equal(await cluster.clock.settle('flush', flush), 'io-timeout')
  cluster.latency = 1
  await cluster.clock.advance(1_000)
  t.deepEqual(into, new Uint8Array(4096))
  t.deepEqual(cluster.servers.durable(0, 0), filled(4096, 1))
  await cluster.clock.settle('next', volume.flush())
})

test('abort ends everything at once, close ends what cannot be flushed', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.intercept = () => true
  const calls = [
    volume.write(byteOffset(0), filled(4096, 1)),
    volume.write(byteOffset(0), filled(4096, 1)), // in the order
    volume.read(byteOffset(EXTENT), new Uint8Array(10)),
  ]
  await cluster.clock.advance(10)
  cluster.driver.abort()
  for (const call of calls) t.equal(await codeOf(call), 'aborted')
  t.equal(await codeOf(volume.write(byteOffset(0), filled(1, 1))), 'aborted')
  t.equal(await codeOf(volume.flush()), 'aborted')
  t.equal(cluster.driver.held(), null)
  const before = cluster.log.length
  await cluster.clock.advance(60_000)
  t.equal(cluster.log.length, before, 'silence')

  const clean = new ScriptedCluster()
  const open = clean.open()
  await clean.clock.settle('write', open.write(byteOffset(0), filled(4096, 1)))
  await clean.clock.settle('close', clean.driver.close())
  t.deepEqual(clean.servers.durable(0, 0), filled(4096, 1), 'flushed at the end')
  t.equal(await codeOf(open.read(byteOffset(0), new Uint8Array(1))), 'aborted')

  const stuck = new ScriptedCluster()
  const held = stuck.open()
  await stuck.clock.settle('write', held.write(byteOffset(0), filled(4096, 1)))
  stuck.peers.disconnect(SERVER_A)
  await stuck.clock.settle('close', stuck.driver.close(), 6_000)
  t.equal(stuck.configuration.volumes.get(volumeId(1))?.name, 'data')
})
