// Whole clusters in virtual time, on the production code of every role. Scenarios first, then
// random faults from seeds: reads are checked against a model of every block, and after the faults
// the cluster must heal by itself and all replicas be equal.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import { differences, runSeed } from './run-seed.js'
import { SimulatedCluster, type Client } from './simulated-cluster.js'
import { content } from './workload.js'

const MIB = 2 ** 20
const SEEDS = 15

async function readBlock(
  cluster: SimulatedCluster,
  client: Client,
  block: number,
): Promise<Uint8Array> {
  const into = new Uint8Array(BLOCK_BYTES)
  const read = client.driver.open('data')!.read(byteOffset(block * BLOCK_BYTES), into)
  await cluster.clock.settle('a read', read)
  return into
}

test('a client writes, reads and flushes through three replicas', async t => {
  const cluster = await SimulatedCluster.start({ seed: 1, servers: 3 })
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  await cluster.clock.settle('a write', volume.write(byteOffset(4096), content(7)))
  await cluster.clock.settle('a flush', volume.flush())
  t.deepEqual(await readBlock(cluster, client, 1), content(7), 'what was written is read')
  t.deepEqual(await readBlock(cluster, client, 2), new Uint8Array(BLOCK_BYTES), 'the rest is zero')
  const odd = Uint8Array.from({ length: 700 }, (_, i) => i % 251)
  await cluster.clock.settle('a partial write', volume.write(byteOffset(4096 + 3900), odd))
  const pair = new Uint8Array(2 * BLOCK_BYTES)
  await cluster.clock.settle('a read', volume.read(byteOffset(4096), pair))
  const expected = new Uint8Array(2 * BLOCK_BYTES)
  expected.set(content(7))
  expected.set(odd, 3900)
  t.deepEqual(pair, expected, 'partial blocks are merged')
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

test('all servers lose their power after a flush: everything flushed is there', async t => {
  const cluster = await SimulatedCluster.start({ seed: 2, servers: 3 })
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  for (let block = 0; block < 40; block++) {
    const offset = byteOffset(block * 97 * BLOCK_BYTES)
    await cluster.clock.settle('a write', volume.write(offset, content(block + 1)))
  }
  await cluster.clock.settle('a flush', volume.flush())
  // Acknowledged but not flushed: the client lives, so it must come back from its memory.
  await cluster.clock.settle('a write', volume.write(byteOffset(0), content(4711)))
  for (const name of cluster.serverNames) await cluster.endServer(name, 'power')
  for (const name of cluster.serverNames) await cluster.startServer(name)
  await cluster.clock.until('all is in-sync again', () => cluster.healthy)
  for (let block = 0; block < 40; block++) {
    const expected = block === 0 ? 4711 : block + 1
    t.deepEqual(await readBlock(cluster, client, block * 97), content(expected), `block ${block}`)
  }
  await cluster.clock.settle('a flush', volume.flush())
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

test('what a dead client left unflushed is durable after the first FLUSH of the next', async t => {
  const cluster = await SimulatedCluster.start({ seed: 4, servers: 3 })
  const first = await cluster.startClient()
  const volume = await cluster.createVolume(first, { name: 'data', size: 64 * MIB })
  for (let block = 0; block < 40; block++) {
    const offset = byteOffset(block * 97 * BLOCK_BYTES)
    await cluster.clock.settle('a write', volume.write(offset, content(block + 1)))
  }
  first.die()
  const next = await cluster.startClient()
  t.deepEqual(await readBlock(cluster, next, 97), content(2), 'the next one reads it')
  await cluster.clock.settle('a flush', next.driver.open('data')!.flush())
  for (const name of cluster.serverNames) await cluster.endServer(name, 'power')
  for (const name of cluster.serverNames) await cluster.startServer(name)
  await cluster.clock.until('all is in-sync again', () => cluster.healthy)
  let lost = 0
  for (let block = 0; block < 40; block++) {
    const found = await readBlock(cluster, next, block * 97)
    if (!Buffer.from(found).equals(content(block + 1))) lost++
  }
  t.equal(lost, 0, 'nothing is lost')
  await next.stop()
})

test('one server is away: reads go on, writes wait and then complete', async t => {
  const cluster = await SimulatedCluster.start({ seed: 3, servers: 3 })
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  const offset = (block: number): ReturnType<typeof byteOffset> =>
    byteOffset(block * 1024 * BLOCK_BYTES)
  for (let block = 0; block < 16; block++) {
    await cluster.clock.settle('a write', volume.write(offset(block), content(block + 1)))
  }
  await cluster.endServer('b', 'kill')
  for (let block = 0; block < 16; block++) {
    t.deepEqual(await readBlock(cluster, client, block * 1024), content(block + 1), 'a read')
  }
  let done = false
  const write = volume.write(offset(3), content(99)).then(() => {
    done = true
  })
  await cluster.clock.until('the write is held', () => client.driver.held() !== null)
  t.match(client.driver.held()?.reason ?? '', /\bb\b/, 'the reason names the server')
  t.notOk(done, 'the write waits')
  await cluster.startServer('b')
  await cluster.clock.settle('the held write', write)
  t.equal(client.driver.held(), null, 'nothing is held any more')
  await cluster.clock.until('all is in-sync again', () => cluster.healthy)
  t.deepEqual(await readBlock(cluster, client, 3 * 1024), content(99), 'it is there')
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

let operations = 0

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`random faults, seed ${seed}`, async t => {
    const outcome = await runSeed(seed)
    operations += outcome.operations
    t.deepEqual(outcome.findings, [], `npm run simulate -- --seeds 1 --seed ${seed}`)
  })
}

test('the workloads went on between the faults', t => {
  t.ok(operations > SEEDS * 100, `${operations} operations in ${SEEDS} seeds`)
  t.end()
})
