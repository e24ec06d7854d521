// Writes that ask to be durable because a FLUSH is expected: what they spare, what is kept where
// they were not made durable, and what happens when all replicas lose their memory.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { FLUSHES_FORESEEN_AFTER } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { filled, ScriptedCluster, type Arrival } from './scripted-cluster.js'

/** What was sent since it was last asked: `w` for a write, `W` for one to be durable, `f`. */
function sent(cluster: ScriptedCluster): string {
  const marks = { write: 'w', flush: 'f' } as Record<string, string>
  return cluster.log
    .splice(0)
    .map(({ kind, durable }) => (durable ? 'W' : (marks[kind] ?? '?')))
    .join('')
}

/** Attached, and flushed once: no shard has anything to flush. */
async function clean(
  flushesForeseenAfter = FLUSHES_FORESEEN_AFTER,
): Promise<{ readonly cluster: ScriptedCluster; readonly volume: OpenVolume }> {
  const cluster = new ScriptedCluster({ flushesForeseenAfter })
  const volume = cluster.open()
  await cluster.clock.settle('to all shards', volume.flush())
  cluster.log.splice(0)
  return { cluster, volume }
}

test('who writes and flushes by turns soon needs one request for both', async t => {
  const { cluster, volume } = await clean()
  for (let i = 0; i <= FLUSHES_FORESEEN_AFTER; i++) {
    await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, i)))
    await cluster.clock.settle('flush', volume.flush())
  }
  t.equal(sent(cluster), `${'wf'.repeat(FLUSHES_FORESEEN_AFTER)}W`)
  t.deepEqual(cluster.servers.durable(0, 0), filled(4096, FLUSHES_FORESEEN_AFTER))
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 2)))
  t.equal(sent(cluster), 'Ww', 'no FLUSH came, so none is expected')
  cluster.resume(1)
  cluster.push()
  await cluster.clock.until('it is repeated', () => cluster.servers.content(0, 0, 1)[0] === 2)
})

test('where the servers did not make it durable it is kept, and FLUSH goes to them', async t => {
  const { cluster, volume } = await clean(0)
  cluster.servers.makesDurable = false
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  cluster.resume(1)
  cluster.push()
  await cluster.clock.until('it is repeated', () => cluster.servers.content(0, 0, 1)[0] === 1)
  sent(cluster)
  await cluster.clock.settle('flush', volume.flush())
  t.equal(sent(cluster), 'f')
  t.deepEqual(cluster.servers.durable(0, 0), filled(4096, 1))
})

test('an answer that got lost: the retry is not known to be durable', async t => {
  const { cluster, volume } = await clean(0)
  cluster.intercept = arrival => {
    t.ok(arrival.execute().durable)
    cluster.intercept = () => false
    cluster.peers.reroute(arrival.sent.to)
    return true
  }
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  t.equal(sent(cluster), 'WW')
  await cluster.clock.settle('flush', volume.flush())
  t.equal(sent(cluster), 'f')
})

test('it covers what was acknowledged before it was sent, and no more', async t => {
  const { cluster, volume } = await clean(0)
  const { servers } = cluster
  servers.makesDurable = false
  await cluster.clock.settle('before', volume.write(byteOffset(0), filled(4096, 1)))
  servers.makesDurable = true
  const held: Arrival[] = []
  cluster.intercept = arrival => held.length === 0 && held.push(arrival) > 0
  const durable = volume.write(byteOffset(4096), filled(4096, 2))
  await cluster.clock.until('it is under way', () => held.length === 1)
  const reply = held[0]!.execute()
  servers.makesDurable = false
  await cluster.clock.settle('after', volume.write(byteOffset(8192), filled(4096, 3)))
  held[0]!.answer(reply)
  await cluster.clock.settle('durable', durable)
  sent(cluster)
  cluster.resume(1)
  cluster.push()
  await cluster.clock.until('it is repeated', () => servers.content(0, 8192, 1)[0] === 3)
  t.equal(sent(cluster), 'w', 'the one after it')
  t.deepEqual(
    [0, 4096].map(at => servers.content(0, at, 1)[0]),
    [1, 2],
    'the others are there',
  )
})

test('an older FLUSH that ends later releases nothing twice', async t => {
  const { cluster, volume } = await clean(0)
  cluster.servers.makesDurable = false
  await cluster.clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  cluster.servers.makesDurable = true
  const held: Arrival[] = []
  cluster.intercept = arrival => arrival.sent.kind === 'flush' && held.push(arrival) > 0
  const flush = volume.flush()
  await cluster.clock.until('it is under way', () => held.length === 1)
  await cluster.clock.settle('durable', volume.write(byteOffset(4096), filled(4096, 2)))
  cluster.intercept = () => false
  held[0]!.answer(held[0]!.execute())
  await cluster.clock.settle('flush', flush)
  sent(cluster)
  await cluster.clock.settle('again', volume.flush())
  t.equal(sent(cluster), '', 'clean')
})
