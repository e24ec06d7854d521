// Benchmarks that write, on whole clusters in virtual time: whatever dies meanwhile, the volume
// holds what it held, in the same blocks; and what another client writes that has taken it over
// stays.
import test from 'tape'
import { byteCount, byteOffset } from '../../src/base/brands.js'
import { wait } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { Interruption } from '../../src/base/interruption.js'
import { BLOCK_BYTES, BLOCKS_PER_EXTENT } from '../../src/base/limits.js'
import { Bench, type BenchReport } from '../../src/client/bench/bench.js'
import { benchJobs } from '../../src/client/bench/jobs.js'
import { benchSubject } from '../../src/client/bench/subject.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import type { SnapshotRecord } from '../../src/layout/configuration.js'
import { differences } from './check/holdings.js'
import { content } from './run/workload.js'
import { SimulatedCluster, type Client, type Death } from './simulated-cluster.js'

const EXTENTS = 12
const BLOCKS = EXTENTS * BLOCKS_PER_EXTENT
const SIZE = BLOCKS * BLOCK_BYTES
const SEEDS = 8
const DEATHS: readonly Death[] = ['kill', 'power', 'silent power', 'stop']
/** Half of them, in runs of three with a hole behind each, at the beginning of some extents. */
const DATA = [0, 1, 5, 10].flatMap(extent =>
  Array.from({ length: 24 }, (_, i) => i)
    .filter(i => i % 4 !== 3)
    .map(i => extent * BLOCKS_PER_EXTENT + i),
)
const VALUES = new Map(DATA.map((block, i) => [block, i + 1]))

interface Stage {
  readonly cluster: SimulatedCluster
  readonly writer: Client
}

/** A volume with data, that nobody has open. */
async function prepared(cluster: SimulatedCluster): Promise<Stage> {
  const writer = await cluster.startClient()
  const volume = await cluster.createVolume(writer, { name: 'data', size: SIZE, replicas: 3 })
  await volume.attach()
  for (const [block, value] of VALUES) {
    await volume.write(byteOffset(block * BLOCK_BYTES), content(value))
  }
  await volume.release()
  return { cluster, writer }
}

function bench(cluster: SimulatedCluster, client: Client, milliseconds: number): Bench {
  return new Bench({
    clock: client.clock,
    random: cluster.stream(`benchmark of ${client.name}`),
    subject: benchSubject(client.driver, cluster.configuration, { volume: 'data', snapshot: null }),
    ...{ milliseconds, interruption: new Interruption() },
    held: () => client.driver.held(),
    tell: () => undefined,
  })
}

/** Blocks of the volume that are no holes, or that were written since the snapshot. */
async function heldBlocks(
  { driver }: Client,
  from: SnapshotRecord | null = null,
): Promise<readonly number[]> {
  const blocks: number[] = []
  const changes = driver.changes('data', { from, to: null })!
  const all = { offset: byteOffset(0), length: byteCount(SIZE) }
  for await (const { offset, length } of changes.ranges(all)) {
    for (let at = 0; at < length; at += BLOCK_BYTES) blocks.push((offset + at) / BLOCK_BYTES)
  }
  return blocks
}

/** Those that have another content than they were given. */
async function changed(volume: OpenVolume, values = VALUES): Promise<readonly number[]> {
  const found: number[] = []
  const into = new Uint8Array(BLOCK_BYTES)
  for (const [block, value] of values) {
    await volume.read(byteOffset(block * BLOCK_BYTES), into)
    if (!Buffer.from(into).equals(content(value))) found.push(block)
  }
  return found
}

const SMALL = benchJobs({ depth: null, blockSize: null }).filter(job => job.order === 'random')

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`servers die under a benchmark, and then its client, seed ${seed}`, async t => {
    const cluster = await SimulatedCluster.start({ seed, servers: 3 })
    const random = cluster.stream('faults')
    const story = async (): Promise<void> => {
      const { writer } = await prepared(cluster)
      const client = await cluster.startClient()
      let report: BenchReport | null = null
      const running = bench(cluster, client, 300).run(SMALL)
      running.then(
        done => (report = done),
        (error: unknown) => t.fail(String(error)),
      )
      for (let round = 0; round < 3; round++) {
        await wait(cluster.clock, random.below(400))
        const names = random.chance(0.5) ? cluster.serverNames : [random.pick(cluster.serverNames)]
        const death = names.length > 1 ? 'power' : random.pick(DEATHS)
        await Promise.all(names.map(name => cluster.endServer(name, death)))
        await wait(cluster.clock, random.below(300))
        await Promise.all(names.map(name => cluster.startServer(name)))
      }
      if (random.chance(0.5)) client.die()
      else {
        await cluster.until('it has ended', () => report !== null, 300_000)
        t.deepEqual([report!.measured.length, report!.error], [SMALL.length, null])
        await client.driver.close()
        await client.stop()
      }
      const volume = writer.driver.open('data')!
      await volume.attach({ takeover: true })
      t.deepEqual(await changed(volume), [], 'all is as it was')
      t.deepEqual(await heldBlocks(writer), DATA, 'and no hole became a block')
      await volume.release()
      await cluster.until('all is in-sync', () => cluster.healthy, 300_000)
      t.deepEqual([...(await differences(cluster)), ...cluster.findings], [])
    }
    await cluster.run('the story', story(), 3_600_000)
    t.end()
  })
}

test('above a snapshot nothing is written but blocks with data, no hole as zeroes', async t => {
  const cluster = await SimulatedCluster.start({ seed: 51, servers: 3 })
  const story = async (): Promise<void> => {
    const { writer } = await prepared(cluster)
    const snapshots = [{ volume: 'data', name: 's' }]
    const made = await cluster.admin(writer, { command: 'snapshot-create', snapshots })
    t.ok(made.ok, JSON.stringify(made))
    const record = (): SnapshotRecord | undefined =>
      [...cluster.configuration.volumes.values()][0]?.snapshots[0]
    await cluster.until('it is there', () => record() !== undefined)
    const client = await cluster.startClient()
    const { measured, error } = await bench(cluster, client, 500).run(SMALL)
    t.deepEqual([measured.length, error], [SMALL.length, null])
    await client.driver.close()
    t.deepEqual(await heldBlocks(writer, record()), DATA, 'all of them, and no other')
    t.deepEqual(await changed(writer.driver.open('data')!), [])
  }
  await cluster.run('the story', story(), 600_000)
  t.end()
})

test('another client takes the volume over: what it writes stays', async t => {
  const cluster = await SimulatedCluster.start({ seed: 50, servers: 3 })
  const story = async (): Promise<void> => {
    const { writer } = await prepared(cluster)
    const client = await cluster.startClient()
    const jobs = SMALL.filter(({ kind }) => kind === 'write')
    const ended = bench(cluster, client, 2_000)
      .run(jobs)
      .then(
        ({ error }) => error?.code ?? 'nothing',
        (error: unknown) => (isSwarmdiskError(error) ? error.code : String(error)),
      )
    const attached = (): boolean =>
      [...cluster.configuration.volumes.values()].some(({ attachments }) =>
        attachments.some(one => one.client === client.peers.self),
      )
    await cluster.until('it is attached', attached)
    const volume = writer.driver.open('data')!
    const refused = await volume.attach().then(
      () => 'nothing',
      (error: unknown) => (isSwarmdiskError(error) ? error.code : String(error)),
    )
    t.equal(refused, 'in-use', 'nobody else writes meanwhile')
    await wait(cluster.clock, 1_500)
    await volume.attach({ takeover: true })
    const values = new Map(DATA.map((block, i) => [block, 1_000 + i]))
    for (const [block, value] of values) {
      await volume.write(byteOffset(block * BLOCK_BYTES), content(value))
    }
    t.equal(await ended, 'fenced', 'the benchmark ends')
    t.deepEqual(await changed(volume, values), [])
    await volume.release()
    await client.driver.close()
    t.deepEqual(await changed(volume, values), [], 'also when it has left')
    t.deepEqual(cluster.findings, [])
  }
  await cluster.run('the story', story(), 600_000)
  t.end()
})
