// A volume that grows again and again under a client that writes to its newest end, while
// snapshots are made, servers and managers die, links are cut and copies move, as chance has it. No
// call ever fails; every block holds what was written to it last, what was never written is zeroes,
// sizes never go back, and each snapshot keeps its size and what it shows.
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import { wait } from '../../../src/base/clock.js'
import { BLOCK_BYTES, EXTENT_BYTES } from '../../../src/base/limits.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import { differences } from '../check/holdings.js'
import { content } from '../run/workload.js'
import type { SeededRandom } from '../seeded-random.js'
import { SimulatedCluster, type Client } from '../simulated-cluster.js'
import { Disturbances } from '../snapshots/disturbances.js'
import { valueAt } from '../snapshots/writer.js'
import type { Sink } from '../trace.js'

const VOLUME = 'grown'
const STEPS = 40
const PAUSES_MS = [0, 1, 5, 50, 500, 3_000]
/** Until a client has heard of what was made, unless it is cut off. */
const HEARD_MS = 5_000
const HEALING_LIMIT_MS = 300_000
const RUN_LIMIT_MS = 3_600_000
/** Less than an extent, an extent, some of them; always whole blocks. */
const STEPS_BYTES = [BLOCK_BYTES, 3 * BLOCK_BYTES, EXTENT_BYTES, 3 * EXTENT_BYTES + BLOCK_BYTES]

/** What was written to each block; all others are zeroes. */
type Picture = ReadonlyMap<number, number>

interface Snapshot {
  readonly size: number
  readonly picture: Picture
}

export interface GrowingOutcome {
  readonly findings: readonly string[]
  /** Blocks that were compared with what they must be. */
  readonly compared: number
  readonly counts: ReadonlyMap<string, number>
  /** Virtual milliseconds. */
  readonly time: number
}

class GrowingStory {
  readonly #cluster: SimulatedCluster
  readonly #random: SeededRandom
  readonly #findings: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #values = new Map<number, number>()
  readonly #snapshots = new Map<string, Snapshot>()
  readonly #disturbances: Disturbances
  /** All that the volume may have by now. */
  readonly #sizes = new Set<number>()
  #client!: Client
  #size = 0
  #next = 1
  #compared = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
    this.#random = cluster.stream('growing')
    this.#disturbances = new Disturbances({
      ...{ cluster, random: this.#random },
      client: () => this.#client,
      ask: command => this.#cluster.ask(this.#client, command),
      count: what => this.#count(what),
    })
  }

  async tell(): Promise<GrowingOutcome> {
    const size = EXTENT_BYTES + 2 * BLOCK_BYTES
    this.#sizes.add(size)
    this.#client = await this.#cluster.startClient()
    await this.#cluster.createVolume(this.#client, {
      name: VOLUME,
      size,
      replicas: 3,
      minInSync: 2,
    })
    for (let step = 0; step < STEPS; step++) await this.#step()
    await this.#disturbances.end()
    const healthy = (): boolean => this.#cluster.healthy
    await this.#cluster.until('I7: all is in-sync again', healthy, HEALING_LIMIT_MS)
    await this.#lookAtAll()
    await this.#client.stop()
    this.#client = await this.#cluster.startClient()
    await this.#cluster.until('another client sees it', () => this.#seen >= this.#size)
    await this.#lookAtAll()
    await this.#client.stop()
    const differing = await differences(this.#cluster)
    return {
      findings: [...this.#findings, ...differing, ...this.#cluster.findings],
      compared: this.#compared,
      counts: this.#counts,
      time: this.#cluster.clock.now(),
    }
  }

  get #seen(): number {
    return this.#client.driver.size(VOLUME) ?? 0
  }

  get #volume(): OpenVolume {
    return this.#client.driver.open(VOLUME)!
  }

  async #step(): Promise<void> {
    for (let writes = this.#random.below(4); writes > 0; writes--) this.#write()
    const chance = this.#random.below(100)
    if (chance < 40) await this.#grow()
    else if (chance < 50) await this.#snapshot()
    else if (chance < 85) await this.#disturbances.begin()
    else await this.#lookAtAll()
    this.#lookAtSize()
    await wait(this.#cluster.clock, this.#random.pick(PAUSES_MS))
  }

  async #grow(): Promise<void> {
    const size = Math.max(...this.#sizes) + this.#random.pick(STEPS_BYTES)
    this.#sizes.add(size)
    const command = { command: 'volume-resize', name: VOLUME, size, force: false } as const
    if (!(await this.#cluster.ask(this.#client, command))) return
    this.#count('resize')
    await this.#cluster.within(HEARD_MS, () => this.#seen >= size)
    this.#write()
  }

  /** As far as this client knows: mostly at the end, which servers may not know. */
  #write(): void {
    const last = this.#seen / BLOCK_BYTES - 1
    const block = this.#random.chance(0.7)
      ? last - this.#random.below(3)
      : this.#random.below(last + 1)
    const value = this.#next++
    this.#writing = this.#writing.then(async () => {
      await this.#volume.write(byteOffset(block * BLOCK_BYTES), content(value))
      this.#values.set(block, value)
      this.#count('write')
    })
  }

  async #snapshot(): Promise<void> {
    const name = `s${this.#next++}`
    await this.#writing
    const picture = new Map(this.#values)
    const least = this.#seen
    const snapshots = [{ volume: VOLUME, name }]
    if (!(await this.#cluster.ask(this.#client, { command: 'snapshot-create', snapshots }))) return
    const { driver } = this.#client
    const there = (): boolean => driver.openSnapshot(VOLUME, name) !== null
    if (!(await this.#cluster.within(HEARD_MS, there))) return
    this.#count('snapshot')
    const { size } = driver.openSnapshot(VOLUME, name)!
    const isOfItsTime = this.#sizes.has(size) && size >= least
    if (!isOfItsTime) this.#findings.push(`I6: ${name} was made with ${size}, after ${least}`)
    this.#snapshots.set(name, { size, picture })
  }

  #lookAtSize(): void {
    const size = this.#seen
    if (size < this.#size) this.#findings.push(`the volume went from ${this.#size} to ${size}`)
    if (!this.#sizes.has(size)) this.#findings.push(`nobody asked for ${size} bytes`)
    this.#size = size
  }

  async #lookAtAll(): Promise<void> {
    await this.#writing
    await this.#compare('the volume', this.#volume, this.#values)
    for (const [name, { size, picture }] of this.#snapshots) {
      const opened = this.#client.driver.openSnapshot(VOLUME, name)
      if (opened === null) continue
      if (opened.size !== size) this.#findings.push(`I6: ${name} has ${opened.size}, not ${size}`)
      else await this.#compare(name, opened, picture)
    }
  }

  /** All that was written, and some blocks where nothing was: at the end, and anywhere. */
  async #compare(
    what: string,
    opened: Pick<OpenVolume, 'read'> & { readonly size: number },
    picture: Picture,
  ): Promise<void> {
    const last = byteCount(opened.size) / BLOCK_BYTES - 1
    const blocks = new Set([...picture.keys(), last, last - 1, this.#random.below(last + 1)])
    for (const block of blocks) {
      const found = await valueAt(opened, block)
      this.#compared++
      const wanted = picture.get(block) ?? 0
      if (found === wanted) continue
      this.#findings.push(`I1: ${what} shows ${found} at ${block}, and must show ${wanted}`)
    }
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}

export async function runGrowing(seed: number, sink: Sink | null = null): Promise<GrowingOutcome> {
  const servers = 3 + (seed % 3)
  const cluster = await SimulatedCluster.start({ seed, servers, managers: 3, disks: 'any', sink })
  return cluster.run('growing', new GrowingStory(cluster).tell(), RUN_LIMIT_MS)
}
