// Whole clusters in virtual time in which one storage server is slow: its disk, or its process that
// stands still. Reads go around it within a second; what they read stays right.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { BLOCK_BYTES, HEDGE_DELAY_MAX_MS } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { differences } from './check/holdings.js'
import { content } from './run/workload.js'
import { SimulatedCluster } from './simulated-cluster.js'

const MIB = 2 ** 20
const BLOCKS = 64
/** Two blocks in every extent. */
const at = (block: number): ReturnType<typeof byteOffset> =>
  byteOffset((Math.floor(block / 2) * 1024 + (block % 2)) * BLOCK_BYTES)

interface Read {
  readonly started: number
  readonly took: number
  readonly right: boolean
}

/** Reads blocks at random, so many at a time, until it is stopped; nobody writes meanwhile. */
class Readers {
  readonly reads: Read[] = []
  readonly #cluster: SimulatedCluster
  readonly #volume: OpenVolume
  readonly #ended: Promise<unknown>
  #stopped = false

  constructor(cluster: SimulatedCluster, volume: OpenVolume, depth: number) {
    this.#cluster = cluster
    this.#volume = volume
    this.#ended = Promise.all(Array.from({ length: depth }, (_, i) => this.#line(i)))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#ended
  }

  /** What was under way in this time. */
  between(from: number, until: number): readonly Read[] {
    return this.reads.filter(({ started, took }) => started < until && started + took > from)
  }

  async #line(line: number): Promise<void> {
    const { clock } = this.#cluster
    const random = this.#cluster.stream(`reader ${line}`)
    while (!this.#stopped) {
      const block = random.below(BLOCKS)
      const into = new Uint8Array(BLOCK_BYTES)
      const started = clock.now()
      await this.#volume.read(at(block), into)
      const right = Buffer.from(into).equals(content(block + 1))
      this.reads.push({ started, took: clock.now() - started, right })
    }
  }
}

interface Story {
  readonly title: string
  readonly seed: number
  readonly begin: (cluster: SimulatedCluster, name: string) => void
  readonly end: (cluster: SimulatedCluster, name: string) => void
  readonly lasts: number
}

const STORIES: readonly Story[] = [
  {
    title: 'a disk becomes slow',
    seed: 11,
    begin: (cluster, name) =>
      cluster.diskOf(name).setLatency({ read: 1_500, write: 0.02, sync: 1.5 }),
    end: (cluster, name) => cluster.diskOf(name).setLatency(null),
    lasts: 15_000,
  },
  {
    title: 'a process stands still, for less than its lease',
    seed: 12,
    begin: (cluster, name) => cluster.freeze(name),
    end: (cluster, name) => cluster.thaw(name),
    lasts: 2_500,
  },
  {
    title: 'a process stands still until it is declared down',
    seed: 13,
    begin: (cluster, name) => cluster.freeze(name),
    end: (cluster, name) => cluster.thaw(name),
    lasts: 10_000,
  },
]

for (const { title, seed, begin, end, lasts } of STORIES) {
  test(`${title}: reads go around it`, async t => {
    const cluster = await SimulatedCluster.start({ seed, servers: 3 })
    const story = async (): Promise<void> => {
      const { clock } = cluster
      const client = await cluster.startClient()
      const volume = await cluster.createVolume(client, { name: 'data', size: 256 * MIB })
      for (let block = 0; block < BLOCKS; block++) {
        await volume.write(at(block), content(block + 1))
      }
      await volume.flush()
      const readers = new Readers(cluster, volume, 8)
      const calm = clock.now() + 500
      await cluster.until('reads have been measured', () => clock.now() >= calm)
      const before = clock.now()
      begin(cluster, 'b')
      await cluster.until('it was slow for a while', () => clock.now() >= before + lasts)
      const rest = clock.now()
      end(cluster, 'b')
      await cluster.until('all is in-sync again', () => cluster.healthy)
      await cluster.until('it is asked again', () => clock.now() >= rest + 5_000)
      await readers.stop()
      const longest = (reads: readonly Read[]): number => Math.max(...reads.map(({ took }) => took))
      const all = readers.between(before, rest)
      const first = longest(readers.between(before, before + 1_000))
      const later = readers.between(before + 1_000, rest)
      t.ok(first < 1_000, `in the first second: ${first.toFixed(0)} ms at the most`)
      t.ok(longest(later) <= HEDGE_DELAY_MAX_MS, `then: ${longest(later).toFixed(0)} ms`)
      const slow = later.filter(({ took }) => took > 50).length / later.length
      t.ok(slow < 0.01, `${(100 * slow).toFixed(2)} % of ${later.length} reads were hedged`)
      t.ok(all.length > 1_000, 'they went on')
      t.ok(
        readers.reads.every(({ right }) => right),
        'what was read is right',
      )
      await volume.write(at(0), content(99))
      await client.stop()
      t.deepEqual(await differences(cluster), [], 'replicas are equal')
    }
    await cluster.run(title, story(), 600_000)
    t.deepEqual(cluster.findings, [], 'no rule of the protocol was broken')
  })
}
