// FLUSH: what it covers, what is kept until then, and what happens when all replicas lose their
// memory in between (design §5).
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { FLUSHES_FORESEEN_AFTER, KEPT_WRITES_BYTES } from '../../src/base/limits.js'
import { inSync, reallocated, SERVER_A, SERVER_B } from '../helpers/configurations.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { codeOf, filled, ScriptedCluster, type Arrival } from './scripted-cluster.js'

const MiB = 1024 * 1024
const EXTENT = 4 * MiB

test('FLUSH goes to all shards once, then to those written since the last one', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const flushed = () =>
    cluster.log
      .splice(0)
      .filter(sent => sent.kind === 'flush')
      .map(sent => sent.shard)
  await cluster.clock.settle('nothing', volume.flush())
  const { shards } = [...cluster.configuration.volumes.values()][0]!
  t.deepEqual(flushed(), [...shards.keys()], 'a client before us may have died without one')
  for (const shard of [0, 2, 5]) {
    await cluster.clock.settle('write', volume.write(byteOffset(shard * EXTENT), filled(4096, 1)))
  }
  await cluster.clock.settle('read', volume.read(byteOffset(EXTENT), new Uint8Array(10)))
  await cluster.clock.settle('flush', volume.flush())
  t.deepEqual(flushed(), [0, 2, 5])
  t.deepEqual(cluster.servers.durable(2, 0), filled(4096, 1))
  await cluster.clock.settle('again', volume.flush())
  t.deepEqual(flushed(), [], 'clean')
})

test('a FLUSH covers what was acknowledged before the call, one under way does not', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  await cluster.clock.settle('to all shards', volume.flush())
  await cluster.clock.settle('first', volume.write(byteOffset(0), filled(4096, 1)))
  const arrivals: Arrival[] = []
  cluster.intercept = arrival => {
    if (arrival.sent.kind === 'flush') arrivals.push(arrival)
    return arrival.sent.kind === 'flush'
  }
  const one = volume.flush()
  await cluster.clock.settle('second', volume.write(byteOffset(4096), filled(4096, 2)))
  const two = volume.flush()
  await cluster.clock.advance(10)
  t.equal(arrivals.length, 1, 'one at a time')
  arrivals[0]!.answer(arrivals[0]!.execute())
  await cluster.clock.settle('one', one)
  await cluster.clock.until('the next', () => arrivals.length === 2)
  arrivals[1]!.answer(arrivals[1]!.execute())
  await cluster.clock.settle('two', two)
})

test('FLUSH is repeated over stale epochs and lost links', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  cluster.configuration = reallocated(cluster.configuration, 0, { replicas: inSync(SERVER_B) })
  cluster.latency = 10
  const flushed = volume.flush()
  await cluster.clock.advance(15)
  cluster.peers.reroute(SERVER_B)
  await cluster.clock.settle('flush', flushed)
  t.deepEqual(cluster.servers.durable(0, 0), filled(4096, 1))
})

test('memory lost while idle: unflushed writes come back, without any call', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  for (const value of [1, 2, 3]) {
    await cluster.clock.settle('write', volume.write(byteOffset(value), filled(4096, value)))
  }
  const numbers = new Set(cluster.log.map(sent => sent.request))
  const before = cluster.servers.content(0, 0, 8192)
  cluster.resume(1)
  t.notDeepEqual(cluster.servers.content(0, 0, 8192), before)
  cluster.push()
  // They overlap, so one write repeats them all, and nothing older ever shows over something newer.
  await cluster.clock.until('replayed', () => cluster.log.length === 4)
  await cluster.clock.advance(10)
  t.deepEqual(cluster.servers.content(0, 0, 8192), before)
  const replays = cluster.log.slice(3)
  t.ok(
    replays.every(sent => !numbers.has(sent.request)),
    'new numbers',
  )
  t.ok(replays.every(sent => sent.to === SERVER_B))
  await cluster.clock.settle('flush', volume.flush())
  cluster.resume(2)
  cluster.push()
  await cluster.clock.advance(1_000)
  t.equal(cluster.log.filter(sent => sent.kind === 'write').length, 4, 'flushed is not repeated')
})

test('nothing new passes the replay, and FLUSH waits for it', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  await cluster.clock.settle('old', volume.write(byteOffset(0), filled(4096, 1)))
  cluster.resume(1)
  cluster.latency = 50
  const into = new Uint8Array(4096)
  // The client does not know yet: these are refused, and bring it up to date.
  const read = volume.read(byteOffset(0), into)
  const written = volume.write(byteOffset(100), filled(10, 2))
  const flushed = volume.flush()
  await cluster.clock.settle('all', Promise.all([read, written, flushed]))
  t.deepEqual(into, filled(4096, 1), 'the read saw the replayed write')
  const served = cluster.log.filter(sent => sent.epoch === 6)
  t.deepEqual(served[0]?.payload, filled(4096, 1), 'the replay first')
  await cluster.clock.settle('flush', volume.flush())
  t.deepEqual(
    cluster.servers.durable(0, 0)?.subarray(99, 111),
    Uint8Array.from([1, ...filled(10, 2), 1]),
  )
})

test('a write under way when the memory was lost gets a new number, after the replay', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  await cluster.clock.settle('old', volume.write(byteOffset(0), filled(4096, 1)))
  const held: Arrival[] = []
  cluster.intercept = arrival => {
    if (arrival.sent.kind === 'write') held.push(arrival)
    return true
  }
  const written = volume.write(byteOffset(0), filled(4096, 2))
  await cluster.clock.advance(10)
  // Executed, but the answer is under way when the client hears of the new generation.
  const late = held[0]!.execute()
  cluster.resume(1)
  cluster.intercept = () => false
  cluster.push()
  held[0]!.answer(late)
  await cluster.clock.settle('write', written)
  t.deepEqual(cluster.servers.content(0, 0, 4096), filled(4096, 2))
  const [, first, ...again] = cluster.log
  t.deepEqual(
    again.map(sent => sent.payload[0]),
    [2, 2],
    'the replay brings along what it would be over',
  )
  t.notEqual(again[1]!.request, first!.request)
})

test('the replay never undoes a write under way that has survived', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  await cluster.clock.settle('old', volume.write(byteOffset(0), filled(4096, 1)))
  const held: Arrival[] = []
  cluster.intercept = arrival => arrival.sent.kind === 'write' && held.push(arrival) > 0
  const written = volume.write(byteOffset(1024), filled(1024, 2))
  await cluster.clock.advance(10)
  // On the disk by chance, but the client has not heard of it, and dies in the middle.
  cluster.resume(1)
  const [lost] = held.splice(0)
  cluster.push()
  await cluster.clock.until('the replay is sent', () => held.length > 0)
  const { sent } = held[0]!
  t.equal(sent.length, 4096, 'one write')
  t.deepEqual(sent.payload.subarray(1023, 2049), Uint8Array.from([1, ...filled(1024, 2), 1]))
  t.notEqual(sent.request, lost!.sent.request)
  cluster.intercept = () => false
  held[0]!.answer(held[0]!.execute())
  await cluster.clock.settle('write', written)
  t.deepEqual(cluster.servers.content(0, 1024, 1024), filled(1024, 2))
})

test('memory lost again during the replay: it begins anew', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  for (let i = 0; i < 5; i++) {
    await cluster.clock.settle('write', volume.write(byteOffset(i * 4096), filled(4096, i + 1)))
  }
  cluster.latency = 10
  cluster.resume(1)
  cluster.push()
  await cluster.clock.advance(15) // the replay is under way
  cluster.resume(2)
  cluster.push()
  await cluster.clock.settle('flush', volume.flush())
  for (let i = 0; i < 5; i++) {
    t.deepEqual(cluster.servers.durable(0, i), filled(4096, i + 1), `block ${i}`)
  }
  const sentUnder = (epoch: number): (number | undefined)[] =>
    cluster.log
      .filter(sent => sent.kind === 'write' && sent.epoch === epoch)
      .map(sent => sent.payload[0])
  t.ok(sentUnder(6).length > 0, 'it had begun')
  t.deepEqual(sentUnder(7).sort(), [1, 2, 3, 4, 5], 'and began anew, with all of them')
})

test('what cannot be replayed: the next FLUSH says so, once', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  await cluster.clock.settle('part', volume.write(byteOffset(10), filled(10, 1)))
  await cluster.clock.settle('whole', volume.write(byteOffset(8192), filled(4096, 2)))
  cluster.resume(1)
  cluster.intercept = arrival => {
    if (arrival.sent.kind !== 'write' || arrival.sent.offset !== 10) return false
    arrival.refuse('corrupt')
    return true
  }
  cluster.push()
  t.equal(await cluster.clock.settle('flush', codeOf(volume.flush())), 'data-lost')
  t.deepEqual(cluster.servers.durable(0, 2), filled(4096, 2), 'what could be was')
  await cluster.clock.settle('flush', volume.flush())
})

test('half full of unflushed writes: a FLUSH starts; full: writes wait for it', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const flushes: Arrival[] = []
  cluster.intercept = arrival => {
    if (arrival.sent.kind !== 'flush') return false
    flushes.push(arrival)
    return true
  }
  const written: number[] = []
  const write = (i: number) => {
    const offset = byteOffset((i % 64) * MiB)
    return volume.write(offset, filled(MiB, i)).then(() => written.push(i))
  }
  const all = KEPT_WRITES_BYTES / MiB
  for (let i = 0; i < all / 2 - 1; i++) await cluster.clock.settle('write', write(i))
  await cluster.clock.advance(10)
  t.equal(flushes.length, 0)
  const rest = Array.from({ length: all }, (_, i) => write(all / 2 - 1 + i))
  await cluster.clock.advance(5_000)
  t.ok(flushes.length > 0, 'a FLUSH has started')
  t.equal(written.length, all, 'full')
  t.ok(cluster.driver.held(), 'and the others are held')
  cluster.intercept = () => false
  for (const flush of flushes) flush.answer(flush.execute())
  await cluster.clock.settle('rest', Promise.all(rest))
  await cluster.clock.settle('flush', volume.flush())
})

test('random crashes: what was flushed or acknowledged is what is read', async t => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed)
    const cluster = new ScriptedCluster({
      flushesForeseenAfter: random.pick([0, 1, FLUSHES_FORESEEN_AFTER]),
    })
    const volume = cluster.open()
    const model = new Uint8Array(64 * 1024)
    let lost = 0
    cluster.intercept = arrival => {
      if (random.chance(0.05)) arrival.refuse('not-serving')
      else return false
      return true
    }
    for (let step = 0; step < 60; step++) {
      cluster.latency = 1 + random.below(5)
      cluster.servers.makesDurable = random.chance(0.8)
      if (random.chance(0.1)) cluster.resume(++lost)
      if (random.chance(0.1)) cluster.push()
      if (random.chance(0.1)) cluster.peers.reroute(SERVER_A)
      if (random.chance(0.1)) await cluster.clock.settle('flush', volume.flush())
      const calls = Array.from({ length: random.below(4) }, () => {
        const from = random.below(model.length - 1)
        const data = filled(1 + random.below(Math.min(9_000, model.length - from)), step + 1)
        model.set(data, from)
        return volume.write(byteOffset(EXTENT - 32 * 1024 + from), data)
      })
      await cluster.clock.settle('writes', Promise.all(calls))
    }
    const into = new Uint8Array(model.length)
    await cluster.clock.settle('read', volume.read(byteOffset(EXTENT - 32 * 1024), into))
    if (Buffer.compare(into, model) !== 0) t.fail(`seed ${seed}`)
  }
  t.pass('20 seeds')
})
