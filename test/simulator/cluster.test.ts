// Whole clusters in virtual time, on the production code of every role. Scenarios first, then
// random faults from seeds: reads are checked against a model of every block, and after the faults
// the cluster must heal by itself and all replicas be equal.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import { compareShard } from './equal-replicas.js'
import { SimulatedCluster, type Client, type Death } from './simulated-cluster.js'
import { content, Workload } from './workload.js'

const MIB = 2 ** 20
const SEEDS = 12

async function differences(cluster: SimulatedCluster): Promise<string[]> {
  const { volumes } = cluster.configuration
  const stores = await cluster.stores()
  const found: string[] = []
  for (const volume of volumes.values()) {
    for (const [shard, allocation] of volume.shards.entries()) {
      const held = allocation.replicas.map(replica => stores.get(replica.server)!)
      const compared = compareShard({ volume: volume.id, shard, stores: held })
      found.push(...(await cluster.clock.settle('replicas are compared', compared)))
    }
  }
  return found
}

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
  const volume = await cluster.createVolume(client, 'data', 64 * MIB)
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
  const volume = await cluster.createVolume(client, 'data', 64 * MIB)
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

test('one server is away: reads go on, writes wait and then complete', async t => {
  const cluster = await SimulatedCluster.start({ seed: 3, servers: 3 })
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, 'data', 64 * MIB)
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

/** One fault, then virtual time; servers that are down come back sooner or later. */
async function disturb(cluster: SimulatedCluster): Promise<void> {
  const { random } = cluster
  const name = random.pick(cluster.serverNames)
  const others = cluster.serverNames.filter(other => other !== name)
  const kind = random.below(6)
  if (!cluster.isUp(name)) await cluster.startServer(name)
  else if (kind < 3) await cluster.endServer(name, random.pick<Death>(['stop', 'kill', 'power']))
  else if (kind === 3) cluster.swarm.break(cluster.idOf(name), cluster.idOf(random.pick(others)))
  else if (kind === 4)
    cluster.swarm.partition(cluster.idOf(name), cluster.idOf(random.pick(others)))
  else cluster.swarm.heal()
  await cluster.clock.advance(random.below(3_000))
}

let operations = 0

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`random faults, seed ${seed}`, async t => {
    const cluster = await SimulatedCluster.start({ seed, servers: 3 })
    const client = await cluster.startClient()
    const volume = await cluster.createVolume(client, 'data', 64 * MIB)
    const { random } = cluster
    const blocks = { blocks: 24, volumeBlocks: 64 * 256 }
    const workload = new Workload({ random, volume, ...blocks })
    workload.run(4)
    for (let fault = 0; fault < 12; fault++) await disturb(cluster)
    cluster.swarm.heal()
    for (const name of cluster.serverNames) {
      if (!cluster.isUp(name)) await cluster.startServer(name)
    }
    await cluster.clock.settle('the workload ends', workload.stop(), 300_000)
    await cluster.clock.until('all is in-sync again', () => cluster.healthy, 300_000)
    await cluster.clock.settle('all blocks are read', workload.checkAll())
    await cluster.clock.settle('a flush', volume.flush())
    t.deepEqual(workload.findings, [], `${workload.operations} operations are linearizable`)
    operations += workload.operations
    await client.stop()
    t.deepEqual(await differences(cluster), [], 'replicas are equal')
  })
}

test('the workloads went on between the faults', t => {
  t.ok(operations > SEEDS * 100, `${operations} operations in ${SEEDS} seeds`)
  t.end()
})
