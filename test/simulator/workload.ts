// A client that reads, writes and flushes at random, a few calls at a time, and checks what it
// reads against the model. Ranges are of sectors: within a block, over several blocks, over the
// border of an extent. Every write fills its sectors with a value of its own.
import { byteOffset } from '../../src/base/brands.js'
import { wait, type Clock } from '../../src/base/clock.js'
import { BLOCK_BYTES, EXTENT_BYTES } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import type { SeededRandom } from './seeded-random.js'
import { SECTOR_BYTES, SECTORS_PER_BLOCK, type Sectors, type VolumeModel } from './volume-model.js'

export interface WorkloadOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly volume: OpenVolume
  readonly model: VolumeModel
  readonly reads: 'only' | 'too'
  /** Places where blocks are used, spread over the volume. */
  readonly places: number
}

const SECTORS_PER_EXTENT = EXTENT_BYTES / SECTOR_BYTES
const THINKING_MS = 200
/** A longer run goes on at a slower pace. */
const FAST_OPERATIONS = 500
/** Sectors used at each place. */
const SPAN = 4 * SECTORS_PER_BLOCK

/** One for all workloads of a run, so that a value says who wrote it. */
export class Values {
  #last = 0

  next(): number {
    return ++this.#last
  }
}

export class Workload {
  readonly findings: string[] = []
  operations = 0
  #stopping = false
  #dead = false
  readonly #o: WorkloadOptions
  readonly #values: Values
  readonly #busy = new Set<Promise<void>>()

  constructor(options: WorkloadOptions, values: Values) {
    this.#o = options
    this.#values = values
  }

  /** Keeps `depth` calls going until stop(). */
  run(depth: number): void {
    for (let i = 0; i < depth; i++) {
      const line = this.#line().finally(() => this.#busy.delete(line))
      this.#busy.add(line)
    }
  }

  /** Resolves when everything under way has ended. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#busy)
  }

  /** The client is dead: nothing of it counts any more, and its calls never end. */
  abandon(): void {
    this.#stopping = true
    this.#dead = true
  }

  async flush(): Promise<void> {
    const { model, volume } = this.#o
    const ticket = model.beginFlush()
    await volume.flush()
    if (!this.#dead) model.flushed(ticket)
  }

  /** Reads everything that was written. */
  async checkAll(): Promise<void> {
    const places = new Set(this.#o.model.sectors().map(sector => Math.floor(sector / SPAN)))
    for (const place of places) await this.#read({ first: place * SPAN, count: SPAN })
  }

  async #line(): Promise<void> {
    const { clock, random, reads } = this.#o
    while (!this.#stopping) {
      // Bursts and pauses: a run is long in virtual time, and each call takes real time.
      const thinks = this.operations > FAST_OPERATIONS || random.chance(0.3)
      if (thinks) await wait(clock, random.below(THINKING_MS))
      const chance = random.below(100)
      this.operations++
      try {
        if (reads === 'only' || chance >= 60) await this.#read(this.#pick())
        else if (chance < 5) await this.flush()
        else await this.#write(this.#pick())
      } catch (error) {
        if (!this.#dead) this.findings.push(`a call failed: ${String(error)}`)
        return
      }
    }
  }

  /** Whole blocks and parts of them; every second place lies over the border of an extent. */
  #pick(): Sectors {
    const { places, random, volume } = this.#o
    const extents = volume.size / EXTENT_BYTES
    const place = random.below(places)
    const extent = Math.floor((place * extents) / places)
    const shift = place % 2 === 1 && extent > 0 ? -SPAN / 2 : 0
    const start = extent * SECTORS_PER_EXTENT + shift
    if (random.chance(0.4)) {
      return { first: start + random.below(4) * SECTORS_PER_BLOCK, count: SECTORS_PER_BLOCK }
    }
    const first = random.below(SPAN)
    return { first: start + first, count: 1 + random.below(SPAN - first) }
  }

  async #write(range: Sectors): Promise<void> {
    const { model, volume } = this.#o
    const value = this.#values.next()
    model.beginWrite(range, value)
    const offset = byteOffset(range.first * SECTOR_BYTES)
    await volume.write(offset, fill(range.count * SECTOR_BYTES, value))
    if (!this.#dead) model.acknowledge(value)
  }

  async #read(range: Sectors): Promise<void> {
    const { model, volume } = this.#o
    const ticket = model.beginRead(range)
    const into = new Uint8Array(range.count * SECTOR_BYTES)
    await volume.read(byteOffset(range.first * SECTOR_BYTES), into)
    if (this.#dead) return
    const words = new Uint32Array(into.buffer)
    const perSector = SECTOR_BYTES / 4
    const values = Array.from({ length: range.count }, (_, i) => words[i * perSector] ?? 0)
    const mixed = values.some((value, i) =>
      words.subarray(i * perSector, (i + 1) * perSector).some(word => word !== value),
    )
    if (mixed) this.findings.push(`a mix inside a sector from ${range.first}`)
    this.findings.push(...model.endRead(ticket, values))
  }
}

function fill(bytes: number, value: number): Uint8Array {
  return new Uint8Array(new Uint32Array(bytes / 4).fill(value).buffer)
}

export function content(value: number): Uint8Array {
  return fill(BLOCK_BYTES, value)
}
