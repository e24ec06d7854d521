// Reads that take far longer than usual, against scripted servers: they are also asked of another
// replica, the first good answer decides, and nothing that comes later is looked at.
import test from 'tape'
import { byteOffset, generation, type PeerId } from '../../src/base/brands.js'
import {
  CLIENT_WINDOW_REQUESTS,
  HEDGE_DELAY_MIN_MS,
  READ_DEADLINE_MS,
} from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import {
  inSync,
  reallocated,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  SERVERS,
  testConfiguration,
} from '../helpers/configurations.js'
import { codeOf, filled, ScriptedCluster, type Arrival } from './scripted-cluster.js'

const BLOCK = 4096
/** A read of a fast cluster is hedged after this. */
const SOON = HEDGE_DELAY_MIN_MS + 5

/** A cluster whose client knows that reads take a millisecond; what it was asked is forgotten. */
async function warm(options: ConstructorParameters<typeof ScriptedCluster>[0] = {}): Promise<{
  readonly cluster: ScriptedCluster
  readonly volume: OpenVolume
}> {
  const cluster = new ScriptedCluster(options)
  const volume = cluster.open()
  for (let i = 0; i < 60; i++) {
    await cluster.clock.settle('a read', volume.read(byteOffset(0), new Uint8Array(BLOCK)))
  }
  cluster.log.length = 0
  return { cluster, volume }
}

/** Keeps what arrives at servers, for all or for those named. */
function keepArrivals(cluster: ScriptedCluster, at: readonly PeerId[] = SERVERS): Arrival[] {
  const kept: Arrival[] = []
  cluster.intercept = arrival => {
    if (!at.includes(arrival.sent.to)) return false
    kept.push(arrival)
    return true
  }
  return kept
}

test('a slow read is asked of another replica too, and a late answer is not looked at', async t => {
  const { cluster, volume } = await warm()
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(BLOCK, 1)))
  const kept = keepArrivals(cluster)
  const into = new Uint8Array(BLOCK)
  const read = volume.read(byteOffset(0), into)
  await cluster.clock.advance(HEDGE_DELAY_MIN_MS - 5)
  t.equal(kept.length, 1, 'not before its time')
  await cluster.clock.advance(10)
  t.equal(kept.length, 2)
  t.notEqual(kept[0]!.sent.to, kept[1]!.sent.to)
  await cluster.clock.advance(200)
  t.equal(kept.length, 2, 'never a third one meanwhile')
  kept[1]!.answer(kept[1]!.execute())
  await cluster.clock.settle('read', read, 1)
  t.deepEqual(into, filled(BLOCK, 1))
  cluster.intercept = () => false
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(BLOCK, 2)))
  // It executed the read only now, or it says anything else.
  kept[0]!.answer(kept[0]!.execute())
  await cluster.clock.advance(10)
  t.deepEqual(into, filled(BLOCK, 1), 'the buffer of the caller is not touched')
})

test('the slow one may still win, and a hedge that is refused changes nothing', async t => {
  for (const refusal of ['not-serving', 'corrupt', 'disk-error'] as const) {
    const { cluster, volume } = await warm()
    const kept = keepArrivals(cluster)
    const read = volume.read(byteOffset(0), new Uint8Array(BLOCK))
    await cluster.clock.advance(SOON)
    kept[1]!.refuse(refusal)
    await cluster.clock.advance(1)
    t.equal(kept.length, 3, `${refusal}: the third replica is asked`)
    t.equal(new Set(kept.map(({ sent }) => sent.to)).size, 3)
    kept[2]!.refuse(refusal)
    await cluster.clock.advance(100)
    t.equal(kept.length, 3, 'nobody is asked twice while the first one may answer')
    kept[0]!.answer(kept[0]!.execute())
    await cluster.clock.settle('read', read, 1)
  }
})

test('when all copies are bad the read fails only after the last one has said so', async t => {
  const { cluster, volume } = await warm()
  const kept = keepArrivals(cluster)
  const failed = codeOf(volume.read(byteOffset(0), new Uint8Array(BLOCK)))
  await cluster.clock.advance(SOON)
  kept[1]!.refuse('corrupt')
  await cluster.clock.advance(1)
  kept[2]!.refuse('corrupt')
  await cluster.clock.advance(1)
  t.equal(cluster.peers.outstanding(), 1)
  kept[0]!.refuse('corrupt')
  t.equal(await cluster.clock.settle('none', failed, 1), 'corrupt')
})

test('answers of a generation that is over decide nothing, from whomever they come', async t => {
  const { cluster, volume } = await warm()
  const kept = keepArrivals(cluster)
  const into = new Uint8Array(BLOCK)
  const read = volume.read(byteOffset(0), into)
  await cluster.clock.advance(SOON)
  const old = kept.map(arrival => arrival.execute())
  cluster.configuration = reallocated(cluster.configuration, 0, { generation: generation(1) })
  cluster.push()
  await cluster.clock.advance(1)
  for (const [i, arrival] of [...kept].entries()) {
    arrival.answer({ ...old[i]!, payload: filled(BLOCK, 9) })
  }
  await cluster.clock.advance(1)
  t.ok(kept.length > 2, 'it is asked again')
  t.deepEqual(into, new Uint8Array(BLOCK))
  for (const arrival of kept.slice(2)) arrival.answer(arrival.execute())
  await cluster.clock.settle('read', read, 1_000)
  t.deepEqual(into, new Uint8Array(BLOCK), 'from the new generation')
})

test('a hedge goes to a replica of the newest configuration', async t => {
  const { cluster, volume } = await warm()
  const kept = keepArrivals(cluster)
  const read = volume.read(byteOffset(0), new Uint8Array(BLOCK))
  await cluster.clock.advance(1)
  const [first] = kept
  const [gone, stays] = SERVERS.filter(server => server !== first!.sent.to)
  const replicas = inSync(first!.sent.to, stays!)
  cluster.configuration = reallocated(cluster.configuration, 0, { replicas, stale: [gone!] })
  cluster.push()
  await cluster.clock.advance(SOON)
  t.deepEqual(
    kept.map(({ sent }) => [sent.to, sent.epoch]),
    [
      [first!.sent.to, 5],
      [stays, 6],
    ],
  )
  // Both answer in one turn: one decides, the other one is dropped.
  for (const arrival of kept) {
    arrival.answer(cluster.servers.reply(arrival.sent, 'ok', new Uint8Array(BLOCK)))
  }
  await cluster.clock.settle('read', read, 1)
})

test('writes and FLUSHes are never sent to a second server, nor twice', async t => {
  const { cluster, volume } = await warm()
  const kept = keepArrivals(cluster)
  const written = volume.write(byteOffset(0), filled(BLOCK, 1))
  await cluster.clock.advance(3 * READ_DEADLINE_MS)
  t.equal(kept.length, 1)
  kept[0]!.answer(kept[0]!.execute())
  await cluster.clock.settle('write', written, 1)
  const flushed = volume.flush()
  await cluster.clock.advance(3 * READ_DEADLINE_MS)
  const flushes = kept.filter(({ sent }) => sent.kind === 'flush')
  t.equal(flushes.length, new Set(flushes.map(({ sent }) => sent.shard)).size)
  for (const flush of flushes) flush.answer(flush.execute())
  await cluster.clock.settle('flush', flushed, 1)
})

test('a read that ended by its timeout takes no answer of either', async t => {
  const { cluster, volume } = await warm({ ioTimeout: 100 })
  const kept = keepArrivals(cluster)
  const into = new Uint8Array(BLOCK)
  const failed = codeOf(volume.read(byteOffset(0), into))
  await cluster.clock.advance(150)
  t.equal(kept.length, 2)
  for (const arrival of kept) {
    arrival.answer({ ...arrival.execute(), payload: filled(BLOCK, 9) })
  }
  t.equal(await cluster.clock.settle('late', failed, 5), 'io-timeout')
  t.deepEqual(into, new Uint8Array(BLOCK), 'nothing came to the buffer')
})

test('a server that stops answering is not felt for a second, and is spared', async t => {
  const { cluster, volume } = await warm()
  const depth = 32
  const silent = SERVER_B
  const readers = { longest: 0, done: 0, until: cluster.clock.now() + 5_000 }
  cluster.intercept = ({ sent }) => sent.to === silent // it never answers
  const reader = async (line: number): Promise<void> => {
    for (let i = 0; cluster.clock.now() < readers.until; i++) {
      const before = cluster.clock.now()
      const offset = byteOffset((line * 500 + (i % 500)) * BLOCK)
      await volume.read(offset, new Uint8Array(BLOCK))
      readers.longest = Math.max(readers.longest, cluster.clock.now() - before)
      readers.done++
    }
  }
  const all = Promise.all(Array.from({ length: depth }, (_, i) => reader(i)))
  await cluster.clock.settle('reads', all, 20_000)
  t.ok(readers.longest < 200, `the longest read took ${readers.longest.toFixed(0)} ms`)
  const share = cluster.log.filter(({ to }) => to === silent).length / cluster.log.length
  t.ok(share < 0.01, `${(100 * share).toFixed(2)} % of ${readers.done} reads were sent there`)
})

test('with all servers silent, what is outstanding stays within two windows', async t => {
  const { cluster, volume } = await warm()
  cluster.intercept = () => true
  const reads = Array.from({ length: 3 * CLIENT_WINDOW_REQUESTS }, (_, i) =>
    volume.read(byteOffset(i * BLOCK), new Uint8Array(BLOCK)),
  )
  let most = 0
  for (let i = 0; i < 40; i++) {
    await cluster.clock.advance(READ_DEADLINE_MS / 20)
    most = Math.max(most, cluster.peers.outstanding())
  }
  t.ok(most > CLIENT_WINDOW_REQUESTS, 'hedged')
  t.ok(most <= 2 * CLIENT_WINDOW_REQUESTS, `${most} at the most`)
  cluster.intercept = () => false
  await cluster.clock.settle('reads', Promise.all(reads), 60_000)
})

test('a single copy is waited for', async t => {
  const configuration = reallocated(testConfiguration(), 'all', { replicas: inSync(SERVER_C) })
  const { cluster, volume } = await warm({ configuration })
  const kept = keepArrivals(cluster, [SERVER_A, SERVER_C])
  const read = volume.read(byteOffset(0), new Uint8Array(BLOCK))
  await cluster.clock.advance(2 * READ_DEADLINE_MS)
  t.equal(kept.length, 1)
  kept[0]!.answer(kept[0]!.execute())
  await cluster.clock.settle('read', read, 1)
})
