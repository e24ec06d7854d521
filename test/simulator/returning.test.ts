// Whole clusters in virtual time: servers that come back with less than they had, or all at once,
// and processes that stand still and go on as if nothing had been.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { wait } from '../../src/base/clock.js'
import { SwarmdiskError } from '../../src/base/errors.js'
import { BLOCK_BYTES, LEASE_MS } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { differences } from './check/holdings.js'
import { content } from './run/workload.js'
import { SimulatedCluster, type Client } from './simulated-cluster.js'

const SIZE = 64 * 2 ** 20
const BLOCKS = 16
/** One block in each extent: every shard has two. */
const at = (block: number): ReturnType<typeof byteOffset> => byteOffset(block * 1024 * BLOCK_BYTES)

interface Stage {
  readonly cluster: SimulatedCluster
  readonly client: Client
  readonly volume: OpenVolume
  /** All blocks. */
  readonly writeAll: (value: number) => Promise<void>
  readonly readAll: (volume?: OpenVolume) => Promise<readonly Uint8Array[]>
}

const allOf = (value: number): readonly Uint8Array[] =>
  Array.from({ length: BLOCKS }, (_, block) => content(value + block))

async function stage(cluster: SimulatedCluster): Promise<Stage> {
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: SIZE, minInSync: 1 })
  const writeAll = async (value: number): Promise<void> => {
    for (let block = 0; block < BLOCKS; block++) {
      await volume.write(at(block), content(value + block))
    }
  }
  const readAll = async (from = volume): Promise<readonly Uint8Array[]> => {
    const read: Uint8Array[] = []
    for (let block = 0; block < BLOCKS; block++) {
      const into = new Uint8Array(BLOCK_BYTES)
      await from.read(at(block), into)
      read.push(into)
    }
    return read
  }
  return { cluster, client, volume, writeAll, readAll }
}

/** Ends with all replicas in-sync and equal. */
function scenario(
  title: string,
  seed: number,
  story: (t: test.Test, parts: Stage) => Promise<void>,
): void {
  test(title, async t => {
    const cluster = await SimulatedCluster.start({ seed, servers: 3 })
    const whole = async (): Promise<void> => {
      const parts = await stage(cluster)
      await story(t, parts)
      await cluster.until('all is in-sync', () => cluster.healthy)
      if (parts.client.alive) await parts.client.stop()
      t.deepEqual(await differences(cluster), [], 'replicas are equal')
    }
    await cluster.run(title, whole(), 600_000)
    t.deepEqual(cluster.findings, [], 'no rule of the protocol was broken')
  })
}

scenario('an empty disk under an old identity is filled again', 31, async (t, stage) => {
  const { cluster, volume, writeAll, readAll } = stage
  await writeAll(100)
  await volume.flush()
  await cluster.endServer('c', 'silent power')
  cluster.wipe('c')
  await cluster.startServer('c')
  await writeAll(200)
  await cluster.until('it has everything again', () => cluster.healthy)
  // Now its copy is as good as any: it is the only one that is left to read from.
  for (const name of ['a', 'b']) await cluster.endServer(name, 'stop')
  t.deepEqual(await readAll(), allOf(200), 'what it has is read')
  for (const name of ['a', 'b']) await cluster.startServer(name)
})

scenario('all restart, and first the one that was behind', 32, async (t, stage) => {
  const { cluster, volume, client, writeAll, readAll } = stage
  await writeAll(100)
  await volume.flush()
  await cluster.endServer('c', 'kill')
  await writeAll(200)
  await volume.flush()
  for (const name of ['a', 'b']) await cluster.endServer(name, 'power')
  await cluster.startServer('c')
  const reading = readAll()
  await cluster.until('reads are held', () => client.driver.held() !== null)
  t.match(client.driver.held()?.reason ?? '', /storage servers? [ab]/, 'and say for whom')
  for (const name of ['b', 'a']) await cluster.startServer(name)
  t.deepEqual(await reading, allOf(200), 'nothing of the old copy is read')
})

scenario('all servers of a new cluster start at once', 33, async (t, stage) => {
  const { cluster, writeAll, readAll } = stage
  await Promise.all(['d', 'e', 'f', 'g'].map(name => cluster.startServer(name)))
  await writeAll(100)
  await cluster.until('all are members', () => cluster.configuration.servers.size === 7)
  t.deepEqual(await readAll(), allOf(100))
  const share = (): boolean =>
    ['d', 'e', 'f', 'g'].every(name =>
      cluster
        .shards()
        .some(({ replicas }) => replicas.some(({ server }) => server === cluster.idOf(name))),
    )
  await cluster.until('all have copies', share, 120_000)
})

scenario('a server sleeps in a read until others have gone on', 34, async (t, stage) => {
  const { cluster, client, writeAll, readAll } = stage
  await writeAll(100)
  // It alone can be read from for a while, and its disk takes its time.
  const id = cluster.idOf('b')
  cluster.diskOf('b').setLatency({ read: 40, write: 0.02, sync: 1.5 })
  let asked = 0
  const stop = cluster.observe(({ moment, operation, at: where }) => {
    if (moment !== 'arrived' || operation !== 'read' || where !== id || asked++ > 0) return
    cluster.clock.after(10, () => cluster.freeze('b'))
  })
  const early = readAll()
  await cluster.until('it sleeps', () => cluster.isFrozen('b'))
  t.deepEqual(await early, allOf(100), 'reads go around it')
  await writeAll(200)
  t.ok(
    cluster.shards().every(({ replicas }) => replicas.every(({ server }) => server !== id)),
    'the others go on without it',
  )
  stop()
  cluster.thaw('b')
  cluster.diskOf('b').setLatency(null)
  t.deepEqual(await readAll(), allOf(200), 'and nothing old is read when it wakes up')
  t.equal(client.driver.held(), null)
})

scenario('a server sleeps for less than a lease', 35, async (t, stage) => {
  const { cluster, writeAll, readAll } = stage
  await writeAll(100)
  const { epoch } = cluster.configuration
  cluster.freeze('b')
  const written = writeAll(200)
  await wait(cluster.clock, LEASE_MS / 2)
  cluster.thaw('b')
  await written
  t.equal(cluster.configuration.epoch, epoch, 'nobody goes on without it')
  t.deepEqual(await readAll(), allOf(200))
})

scenario('a client sleeps while another one takes over', 36, async (t, stage) => {
  const { cluster, client, volume, writeAll, readAll } = stage
  await writeAll(100)
  // Some of it has been sent, nothing has been answered.
  const asleep = Promise.allSettled([volume.write(at(0), content(300)), volume.flush()])
  cluster.freeze(client.name)
  const other = await cluster.startClient()
  const taken = other.driver.open('data')!
  await taken.attach({ takeover: true })
  const seen = await readAll(taken)
  t.deepEqual(seen.slice(1), allOf(100).slice(1), 'what was acknowledged is there')
  await taken.write(at(1), content(400))
  cluster.thaw(client.name)
  await asleep
  const late = await volume.write(at(2), content(500)).catch((error: unknown) => error)
  t.ok(late instanceof SwarmdiskError && late.code === 'fenced', 'it may not write any more')
  const now = await readAll(taken)
  t.deepEqual(now[0], seen[0], 'nothing of it comes after it was seen to be out')
  t.deepEqual(now[1], content(400))
  t.deepEqual(now[2], seen[2])
  await other.stop()
})
