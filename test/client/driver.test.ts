// The volume driver against scripted servers, the ordinary ways: splitting, routing, old epochs,
// lost links, servers that refuse, bounds. What is held and ended is in driver-held.test.ts, FLUSH
// and replay in driver-flush.test.ts.
import test from 'tape'
import { byteOffset, epoch } from '../../src/base/brands.js'
import { CLIENT_WINDOW_REQUESTS, JUST_WRITTEN_MS } from '../../src/base/limits.js'
import {
  inSync,
  MANAGER,
  reallocated,
  SERVER_A,
  SERVER_B,
  SERVER_C,
} from '../helpers/configurations.js'
import { codeOf, filled, ScriptedCluster } from './scripted-cluster.js'

const MiB = 1024 * 1024

test('volumes are listed by name, and unknown ones are not opened', t => {
  const { driver } = new ScriptedCluster()
  t.deepEqual(driver.volumes(), [{ name: 'data', size: 64 * MiB }])
  t.equal(driver.open('other'), null)
  t.equal(driver.size('data'), 64 * MiB)
  t.equal(driver.size('other'), null)
  t.equal(driver.open('data'), driver.open('data'), 'one order of requests for all')
  t.end()
})

test('a call is split at extents and at the largest request, and reads back', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const data = new Uint8Array(6 * MiB).map((_, i) => i % 251)
  const offset = byteOffset(3 * MiB + 100)
  await cluster.clock.settle('write', volume.write(offset, data))
  const writes = cluster.log.filter(sent => sent.kind === 'write')
  t.ok(writes.every(sent => sent.length <= MiB))
  t.ok(
    writes.every(({ offset: from, length }) => {
      return Math.floor(from / (4 * MiB)) === Math.floor((from + length - 1) / (4 * MiB))
    }),
    'each within an extent',
  )
  t.deepEqual([...new Set(writes.map(sent => sent.shard))], [0, 1, 2])
  t.deepEqual(
    writes.map(sent => sent.to),
    writes.map(sent => [SERVER_A, SERVER_B, SERVER_C][sent.shard % 3]),
    'to the primaries',
  )
  const into = new Uint8Array(data.length)
  await cluster.clock.settle('read', volume.read(offset, into))
  t.ok(Buffer.compare(into, data) === 0)
  t.equal(new Set(writes.map(sent => sent.request)).size, writes.length, 'numbers are unique')
  await cluster.clock.settle('empty', volume.write(offset, new Uint8Array(0)))
})

test('the caller may use its buffer again, also while a retry is under way', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  let first = true
  cluster.intercept = arrival => {
    if (!first) return false
    first = false
    arrival.refuse('not-serving')
    return true
  }
  // A Buffer, whose slice() would be a view.
  const data = Buffer.alloc(4096, 7)
  const written = volume.write(byteOffset(0), data)
  await cluster.clock.advance(0)
  data.fill(9)
  await cluster.clock.settle('write', written)
  t.deepEqual(cluster.servers.content(0, 0, 4096), filled(4096, 7))
})

test('writes and FLUSHes that take long keep no reads away from their primary', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.latency = 400
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  await cluster.clock.settle('flush', volume.flush())
  cluster.latency = 1
  cluster.log.length = 0
  await cluster.clock.advance(JUST_WRITTEN_MS)
  for (let i = 0; i < 30; i++) {
    await cluster.clock.settle('read', volume.read(byteOffset(0), new Uint8Array(4096)))
  }
  const primary = cluster.log.filter(({ to }) => to === SERVER_A)
  t.ok(primary.length > 3, `${primary.length} of 30 reads`)
})

test('reads are spread over the in-sync replicas', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const reads = Array.from({ length: 30 }, (_, i) =>
    volume.read(byteOffset(i * 4096), new Uint8Array(4096)),
  )
  await cluster.clock.settle('reads', Promise.all(reads))
  for (const server of [SERVER_A, SERVER_B, SERVER_C]) {
    t.equal(cluster.log.filter(sent => sent.to === server).length, 10)
  }
})

test('what we have just written is read at the primary, and soon anywhere', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const readers = async (extent: number, reads: number): Promise<Set<string>> => {
    cluster.log.length = 0
    const offset = byteOffset(extent * 4 * MiB)
    const all = Array.from({ length: reads }, () => volume.read(offset, new Uint8Array(4096)))
    await cluster.clock.settle('reads', Promise.all(all))
    return new Set(cluster.log.map(({ to }) => to))
  }
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  t.deepEqual([...(await readers(0, 9))], [SERVER_A], 'who knows that it is committed')
  t.equal((await readers(1, 9)).size, 3, 'of another shard at all')
  await cluster.clock.advance(JUST_WRITTEN_MS)
  t.equal((await readers(0, 9)).size, 3, 'later the others know it too')
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 2)))
  cluster.intercept = arrival => {
    const atPrimary = arrival.sent.to === SERVER_A
    if (atPrimary) arrival.refuse('not-serving')
    return atPrimary
  }
  t.ok((await readers(0, 9)).has(SERVER_B), 'nor is a primary waited for that does not serve')
  t.end()
})

test('a stale epoch is refreshed without anybody noticing', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const fields = { replicas: inSync(SERVER_B, SERVER_C) }
  cluster.configuration = reallocated(cluster.configuration, 0, fields)
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  t.deepEqual(
    cluster.log.map(sent => [sent.to, sent.epoch]),
    [
      [SERVER_A, 5],
      [SERVER_B, 6],
    ],
  )
  t.equal(cluster.log[0]!.request, cluster.log[1]!.request, 'the same number for a retry')
  t.equal(cluster.watch.current()?.epoch, 6)
})

test('without the newer configuration nothing is sent again until it comes', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.managerAnswers = false
  cluster.configuration = reallocated(cluster.configuration, 0, {})
  const written = volume.write(byteOffset(0), filled(4096, 1))
  await cluster.clock.advance(30_000)
  t.equal(cluster.log.length, 1, 'no busy retry')
  t.match(cluster.driver.held()?.reason ?? '', /waiting for configuration 6/)
  cluster.push()
  await cluster.clock.settle('write', written)
  t.equal(cluster.log.length, 2)
})

test('a server that is ahead is answered by fetching, not by failing', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.configuration = { ...cluster.configuration, epoch: epoch(9) }
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  await cluster.clock.until('epoch 9', () => cluster.watch.current()?.epoch === 9)
  t.equal(cluster.log.length, 1, 'served at once')
})

test('a lost link: the write is repeated under the same number, and executed once', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.latency = 10
  const written = volume.write(byteOffset(0), filled(4096, 1))
  await cluster.clock.advance(1)
  cluster.peers.reroute(SERVER_A)
  await cluster.clock.advance(1)
  cluster.peers.disconnect(SERVER_A)
  await cluster.clock.advance(5_000)
  t.equal(cluster.log.length, 2)
  cluster.peers.connect(SERVER_A, ['storage'])
  await cluster.clock.settle('write', written)
  t.equal(new Set(cluster.log.map(sent => sent.request)).size, 1)
  t.equal(cluster.log.length, 3)
})

test('a primary that left is not waited for', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.intercept = ({ sent }) => sent.to === SERVER_A // it never answers
  const written = volume.write(byteOffset(0), filled(4096, 1))
  await cluster.clock.advance(10)
  const fields = { replicas: inSync(SERVER_B, SERVER_C) }
  cluster.configuration = reallocated(cluster.configuration, 0, fields)
  cluster.push()
  await cluster.clock.settle('write', written, 1_000)
  t.equal(cluster.log.at(-1)?.to, SERVER_B)
})

test('a silent replica: the read goes to another one after a while', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const [silent, silent2] = [SERVER_B, SERVER_C]
  cluster.intercept = ({ sent }) => sent.to === silent || sent.to === silent2
  const reads = Array.from({ length: 3 }, (_, i) =>
    volume.read(byteOffset(i * 4096), new Uint8Array(4096)),
  )
  await cluster.clock.settle('reads', Promise.all(reads), 5_000)
  const before = cluster.log.length
  await cluster.clock.settle('next', volume.read(byteOffset(0), new Uint8Array(4096)), 100)
  t.equal(cluster.log.length, before + 1, 'the slow ones are spared')
})

test('not serving, disk full, disk error on a write: repeated until it goes', async t => {
  for (const status of ['not-serving', 'disk-full', 'disk-error'] as const) {
    const cluster = new ScriptedCluster()
    const volume = cluster.open()
    let refusing = true
    cluster.intercept = arrival => {
      if (refusing) arrival.refuse(status)
      return refusing
    }
    const written = volume.write(byteOffset(0), filled(4096, 1))
    await cluster.clock.advance(30_000)
    const attempts = cluster.log.length
    t.ok(attempts > 10 && attempts < 60, `${status}: ${attempts} attempts in 30 s`)
    t.match(cluster.driver.held()?.reason ?? '', /storage server a/)
    refusing = false
    await cluster.clock.settle('write', written, 3_000)
    t.equal(cluster.driver.held(), null)
  }
})

test('a corrupt copy is passed over; without a good one the read fails, and only then', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const bad = new Set([SERVER_A, SERVER_C])
  cluster.intercept = arrival => {
    if (!bad.has(arrival.sent.to)) return false
    arrival.refuse('corrupt')
    return true
  }
  for (let i = 0; i < 6; i++) {
    await cluster.clock.settle('good copy', volume.read(byteOffset(0), new Uint8Array(4096)), 100)
  }
  t.ok(cluster.log.some(sent => bad.has(sent.to)))
  bad.add(SERVER_B)
  const failed = codeOf(volume.read(byteOffset(0), new Uint8Array(4096)))
  t.equal(await cluster.clock.settle('none', failed), 'corrupt')
  cluster.peers.disconnect(SERVER_B)
  const waiting = volume.read(byteOffset(0), new Uint8Array(4096))
  await cluster.clock.advance(10_000)
  t.match(cluster.driver.held()?.reason ?? '', /server b, .*not reachable/, 'b may have it')
  bad.delete(SERVER_B)
  cluster.peers.connect(SERVER_B, ['storage'])
  await cluster.clock.settle('back', waiting)
})

test('overlapping requests keep their order over retries', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  let refusals = 3
  cluster.intercept = arrival => {
    if (refusals-- <= 0) return false
    arrival.refuse('not-serving')
    return true
  }
  const into = new Uint8Array(8192)
  const calls = [
    volume.write(byteOffset(0), filled(8192, 1)),
    volume.write(byteOffset(4096), filled(8192, 2)),
    volume.read(byteOffset(0), into),
    volume.write(byteOffset(0), filled(100, 3)),
  ]
  await cluster.clock.settle('all', Promise.all(calls))
  t.deepEqual(into, Uint8Array.from([...filled(4096, 1), ...filled(4096, 2)]))
  t.deepEqual(cluster.servers.content(0, 0, 101), Uint8Array.from([...filled(100, 3), 1]))
})

test('the window bounds what is outstanding, reads and writes apart', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.intercept = ({ sent }) => sent.kind === 'write'
  const many = CLIENT_WINDOW_REQUESTS + 50
  const writes = Array.from({ length: many }, (_, i) =>
    volume.write(byteOffset(i * 4096), filled(4096, 1)),
  )
  await cluster.clock.advance(100)
  t.equal(cluster.log.length, CLIENT_WINDOW_REQUESTS)
  const read = volume.read(byteOffset(32 * MiB), new Uint8Array(4096))
  await cluster.clock.settle('read', read, 100)
  t.pass('reads go on')
  cluster.intercept = () => false
  cluster.peers.reroute(SERVER_A)
  await cluster.clock.settle('writes', Promise.all(writes))
  t.equal(cluster.log.filter(sent => sent.kind === 'write').length, many + CLIENT_WINDOW_REQUESTS)

  cluster.intercept = ({ sent }) => sent.kind === 'write'
  const before = cluster.log.length
  const big = volume.write(byteOffset(0), filled(32 * MiB, 2))
  await cluster.clock.advance(100)
  t.equal(cluster.log.length - before, 16, '16 MiB at once')
  cluster.driver.abort()
  t.equal(await codeOf(big), 'aborted')
})

test('a deleted volume: not-found, now and later', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  cluster.intercept = () => true
  const written = codeOf(volume.write(byteOffset(0), filled(4096, 1)))
  await cluster.clock.advance(10)
  cluster.configuration = { ...cluster.configuration, epoch: epoch(6), volumes: new Map() }
  cluster.peers.deliver(MANAGER, 'configuration', {
    kind: 'full',
    configuration: cluster.configuration,
  })
  t.equal(await written, 'not-found')
  t.equal(await codeOf(volume.read(byteOffset(0), new Uint8Array(1))), 'not-found')
  t.equal(await codeOf(volume.flush()), 'not-found')
  t.equal(cluster.driver.open('data'), null)
  t.deepEqual(cluster.driver.volumes(), [])
})
