// Replicas that live and keep their shards waiting: a link between two servers that stays broken, a
// disk that refuses or is full, of a follower and of a primary. Writes go on without them, within
// a bound, and they come back by themselves.
import test from 'tape'
import { byteOffset, type PeerId } from '../../src/base/brands.js'
import { SwarmdiskError } from '../../src/base/errors.js'
import {
  ADOPTION_STUCK_MS,
  BLOCK_BYTES,
  LEASE_MS,
  PATIENCE_FAILING_MS,
  PATIENCE_INTERVAL_MS,
  PATIENCE_STUCK_MS,
  PATIENCE_UNREACHABLE_MS,
} from '../../src/base/limits.js'
import { differences } from './check/holdings.js'
import { content } from './run/workload.js'
import { SimulatedCluster, type Client } from './simulated-cluster.js'

const MIB = 2 ** 20
const SHARDS = 8
/** Voting and committing, and a client that asks again. */
const ROUND_MS = 2_000

interface Story {
  readonly cluster: SimulatedCluster
  readonly client: Client
  /** Of shard 0. */
  readonly primary: string
  readonly follower: string
  readonly third: string
  /** The longest of one write to each shard, in virtual milliseconds. */
  readonly writeAll: (value: number) => Promise<number>
}

function scenario(
  title: string,
  seed: number,
  story: (t: test.Test, parts: Story) => Promise<void>,
): void {
  test(title, async t => {
    const cluster = await SimulatedCluster.start({ seed, servers: 3 })
    await cluster.run(title, whole(t, cluster, story), 600_000)
    t.deepEqual(cluster.findings, [], 'no rule of the protocol was broken')
  })
}

const at = (shard: number): ReturnType<typeof byteOffset> => byteOffset(shard * 1024 * BLOCK_BYTES)

async function whole(
  t: test.Test,
  cluster: SimulatedCluster,
  story: (t: test.Test, parts: Story) => Promise<void>,
): Promise<void> {
  const client = await cluster.startClient()
  const wish = { name: 'data', size: 64 * MIB, replicas: 3, minInSync: 2 }
  const volume = await cluster.createVolume(client, wish)
  let last = 0
  const writeAll = async (value: number): Promise<number> => {
    last = value
    const took = Array.from({ length: SHARDS }, async (_, shard) => {
      const before = cluster.clock.now()
      await volume.write(at(shard), content(value))
      return cluster.clock.now() - before
    })
    return Math.max(...(await Promise.all(took)))
  }
  await writeAll(1)
  await volume.flush()
  const [primary = '', follower = '', third = ''] = cluster
    .shards()[0]!
    .replicas.map(({ server }) => cluster.nameOf(server))
  await story(t, { cluster, client, primary, follower, third, writeAll })
  await cluster.until('all is in-sync again', () => cluster.healthy)
  for (let shard = 0; shard < SHARDS; shard++) {
    const into = new Uint8Array(BLOCK_BYTES)
    await volume.read(at(shard), into)
    t.deepEqual(into, content(last), `shard ${shard} has what was written last`)
  }
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
}

/** In how many of the shards that are written to. */
function inSync(cluster: SimulatedCluster, server: PeerId): number {
  const is = (r: { server: PeerId; state: string }): boolean =>
    r.server === server && r.state === 'in-sync'
  const written = cluster.shards().slice(0, SHARDS)
  return written.filter(({ replicas }) => replicas.some(is)).length
}

scenario('two servers that do not reach each other', 11, async (t, story) => {
  const { cluster, primary, follower, writeAll } = story
  cluster.swarm.partition(cluster.idOf(primary), cluster.idOf(follower))
  const stall = await writeAll(2)
  const limit = PATIENCE_UNREACHABLE_MS + 2 * PATIENCE_INTERVAL_MS + ROUND_MS
  t.ok(stall > PATIENCE_UNREACHABLE_MS, 'one that may be dead is declared down first')
  t.ok(stall < limit, `writes go on after ${stall.toFixed(0)} ms`)
  t.ok((await writeAll(3)) < 100, 'and are as quick as ever from then on')
  const states = [...cluster.configuration.servers.values()].map(({ state }) => state)
  t.deepEqual(states, ['up', 'up', 'up'], 'nobody is taken for dead')
  cluster.swarm.heal()
})

scenario('a primary that reaches none of the others', 12, async (t, story) => {
  const { cluster, primary, follower, third, writeAll } = story
  cluster.swarm.partition(cluster.idOf(primary), cluster.idOf(follower))
  cluster.swarm.partition(cluster.idOf(primary), cluster.idOf(third))
  const stall = await writeAll(2)
  const limit = PATIENCE_UNREACHABLE_MS + 2 * PATIENCE_INTERVAL_MS + 2 * ROUND_MS
  t.ok(stall < limit, `writes go on after ${stall.toFixed(0)} ms`)
  t.equal(inSync(cluster, cluster.idOf(primary)), 0, 'it gives up its place')
  cluster.swarm.heal()
})

for (const [seed, who] of [
  [13, 'follower'],
  [14, 'primary'],
] as const) {
  scenario(`the disk of a ${who} refuses`, seed, async (t, story) => {
    const { cluster, writeAll } = story
    const disk = cluster.diskOf(story[who])
    disk.fail = (operation, path) => {
      if (operation !== 'write' || !path.includes('/layer-')) return null
      return new SwarmdiskError('disk-error', `cannot write ${path}`)
    }
    const stall = await writeAll(2)
    const limit = PATIENCE_FAILING_MS + 2 * PATIENCE_INTERVAL_MS + ROUND_MS
    t.ok(stall < limit, `writes go on after ${stall.toFixed(0)} ms`)
    t.ok((await writeAll(3)) < 100, 'and are as quick as ever from then on')
    t.equal(inSync(cluster, cluster.idOf(story[who])), 0, 'it is in-sync for nothing')
    disk.fail = null
  })
}

scenario('the disk of a follower hangs', 18, async (t, story) => {
  const { cluster, follower, writeAll } = story
  const disk = cluster.diskOf(follower)
  disk.setLatency({ read: 40_000, write: 40_000, sync: 40_000 })
  const stall = await writeAll(2)
  // It cannot take up the first configuration that goes on without it, so it cannot agree to the
  // second one: it is its lease that ends.
  const patience = PATIENCE_STUCK_MS + 2 * PATIENCE_INTERVAL_MS
  const limit = patience + ADOPTION_STUCK_MS + LEASE_MS + 2 * ROUND_MS
  t.ok(stall < limit, `writes go on after ${stall.toFixed(0)} ms`)
  t.ok((await writeAll(3)) < 1_000, 'and are quick again')
  disk.setLatency(null)
  // What has begun takes its time.
  await cluster.until('it catches up', () => cluster.healthy, 300_000)
})

scenario('the disk of a primary is full', 15, async (t, story) => {
  const { cluster, primary, writeAll } = story
  const disk = cluster.diskOf(primary)
  disk.setCapacity(disk.used())
  const stall = await writeAll(2)
  // It cannot even take up the next configuration, so it is its lease that ends.
  const limit = PATIENCE_FAILING_MS + 2 * PATIENCE_INTERVAL_MS + LEASE_MS + 2 * ROUND_MS
  t.ok(stall < limit, `writes go on after ${stall.toFixed(0)} ms`)
  disk.setCapacity(2 ** 40)
})

scenario('all disks are full: writes wait, nobody is suspended for it', 16, async (t, story) => {
  const { cluster, client, writeAll } = story
  const disks = cluster.serverNames.map(name => cluster.diskOf(name))
  for (const disk of disks) disk.setCapacity(disk.used())
  const written = writeAll(2)
  await cluster.until('writes are held', () => client.driver.held() !== null)
  const { epoch } = cluster.configuration
  await cluster.within(30_000, () => cluster.configuration.epoch > epoch + 4)
  t.ok(cluster.configuration.epoch <= epoch + 4, 'the managers do not go round in circles')
  for (const disk of disks) disk.setCapacity(2 ** 40)
  await written
})

scenario('too few would stay for writing: they wait', 17, async (t, story) => {
  const { cluster, client, primary, follower, third, writeAll } = story
  for (const name of [follower, third]) {
    cluster.diskOf(name).fail = (operation, path) => {
      if (operation !== 'write' || !path.includes('/layer-')) return null
      return new SwarmdiskError('disk-error', `cannot write ${path}`)
    }
  }
  const written = writeAll(2)
  await cluster.until('writes are held', () => client.driver.held() !== null)
  await cluster.within(20_000, () => false)
  const shard = cluster.shards()[0]!
  t.equal(cluster.nameOf(shard.replicas[0]!.server), primary, 'the primary stays')
  t.ok(shard.replicas.filter(({ state }) => state === 'in-sync').length >= 2, 'with another one')
  for (const name of [follower, third]) cluster.diskOf(name).fail = null
  await written
})
