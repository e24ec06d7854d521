// What one client does to one volume: reads, writes and FLUSHes of a few blocks that all clients
// fight over. Ranges are of sectors: within a block, a whole block, over two blocks, over the
// border of an index page or of an extent. Every write fills its sectors with a value of its own,
// and everything that is seen is noted for the checkers.
import { byteOffset } from '../../../src/base/brands.js'
import { wait, type Clock } from '../../../src/base/clock.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import type { Histories } from '../check/histories.js'
import {
  SECTOR_BYTES,
  SECTORS_PER_BLOCK,
  type Sectors,
  type VolumeModel,
} from '../check/volume-model.js'
import type { SeededRandom } from '../seeded-random.js'

/** Blocks used from each place on. */
export const PLACE_BLOCKS = 2

/** A volume and what is known about it; its clients come and go. */
export interface Subject {
  readonly name: string
  readonly histories: Histories
  /** Of what one writer did; null where several write. */
  readonly model: VolumeModel | null
  readonly values: Values
  /** The first of the PLACE_BLOCKS blocks that are used there. */
  readonly places: readonly number[]
  /** Its first writer has died: what follows is judged by the model alone. */
  inherited: boolean
}

export interface WorkloadOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly who: string
  readonly volume: OpenVolume
  readonly subject: Subject
  /** Told when a FLUSH was acknowledged. */
  readonly flushed: () => void
}

/** The rest are FLUSHes. */
interface Percent {
  readonly reads: number
  readonly writes: number
}

type Mix = 'all' | 'reads' | 'flushes'

const MIXES: Readonly<Record<Mix, Percent>> = {
  all: { reads: 35, writes: 56 },
  reads: { reads: 100, writes: 0 },
  flushes: { reads: 10, writes: 50 },
}

/** Up to this long a line pauses between two calls, now and then. */
const THINKING_MS = 8

/** One for all clients of a volume, so that a value says which write it is of. */
export class Values {
  #last = 0

  next(): number {
    return ++this.#last
  }
}

export class Workload {
  readonly findings: string[] = []
  operations = 0
  readonly #o: WorkloadOptions
  #underWay = 0
  #stopping = false
  #dead = false

  constructor(options: WorkloadOptions) {
    this.#o = options
  }

  /** Nothing is under way; for ever so when the client is dead. */
  get idle(): boolean {
    return this.#dead || this.#underWay === 0
  }

  /** Lines of `count` calls each begin, until there are `depth` of them. */
  burst(what: Mix, depth: number, count: number): void {
    this.#stopping = this.#dead
    while (this.#underWay < depth) void this.#line(what, count)
  }

  /** No new calls. */
  stop(): void {
    this.#stopping = true
  }

  /** The client is dead: nothing of it counts any more, and its calls never end. */
  abandon(): void {
    this.#stopping = true
    this.#dead = true
  }

  async flush(): Promise<void> {
    const { subject, volume, flushed } = this.#o
    const ticket = subject.model?.beginFlush()
    await volume.flush()
    if (this.#dead) return
    if (ticket) subject.model?.flushed(ticket)
    flushed()
  }

  /** Reads everything that may have been written. */
  async readAll(): Promise<void> {
    for (const place of this.#o.subject.places) {
      const first = place * SECTORS_PER_BLOCK
      await this.#read({ first, count: PLACE_BLOCKS * SECTORS_PER_BLOCK })
    }
  }

  async #line(what: Mix, count: number): Promise<void> {
    const { clock, random } = this.#o
    this.#underWay++
    try {
      for (let i = 0; i < count && !this.#stopping; i++) {
        if (random.chance(0.3)) await wait(clock, (THINKING_MS * random.below(1_000)) / 1_000)
        this.operations++
        await this.#one(MIXES[what], random.below(100))
      }
    } catch (error) {
      if (!this.#dead) this.findings.push(`a call of ${this.#o.who} failed: ${String(error)}`)
    } finally {
      this.#underWay--
    }
  }

  #one({ reads, writes }: Percent, chance: number): Promise<void> {
    if (chance < reads) return this.#read(this.#pick())
    return chance < reads + writes ? this.#write(this.#pick()) : this.flush()
  }

  #pick(): Sectors {
    const { random, subject } = this.#o
    const offset = random.below(PLACE_BLOCKS)
    const first = (random.pick(subject.places) + offset) * SECTORS_PER_BLOCK
    const chance = random.below(100)
    if (chance < 55) return { first, count: SECTORS_PER_BLOCK }
    const skip = random.below(SECTORS_PER_BLOCK)
    const end = offset === 0 && chance < 70 ? PLACE_BLOCKS : 1
    return { first: first + skip, count: 1 + random.below(end * SECTORS_PER_BLOCK - skip) }
  }

  async #write(range: Sectors): Promise<void> {
    const { who, subject, volume } = this.#o
    const { model, histories, values, inherited } = subject
    const value = values.next()
    model?.beginWrite(range, value)
    const end = inherited ? null : histories.write(who, range, value)
    const offset = byteOffset(range.first * SECTOR_BYTES)
    await volume.write(offset, fill(range.count * SECTOR_BYTES, value))
    if (this.#dead) return
    model?.acknowledge(value)
    end?.()
  }

  async #read(range: Sectors): Promise<void> {
    const { who, subject, volume } = this.#o
    const seen = noteRead(subject, who, range)
    const into = new Uint8Array(range.count * SECTOR_BYTES)
    await volume.read(byteOffset(range.first * SECTOR_BYTES), into)
    if (!this.#dead) this.findings.push(...seen(into))
  }
}

/** A read begins; the function returned takes what was read, and tells what is wrong with it. */
export function noteRead(
  { model, histories, inherited }: Subject,
  who: string,
  range: Sectors,
): (content: Uint8Array) => string[] {
  const ticket = model?.beginRead(range)
  const end = inherited ? null : histories.read(who, range)
  return content => {
    const values = valuesIn(content, range.count)
    const mixed = values.indexOf(null)
    if (mixed >= 0) return [`I8: a mix of values inside sector ${range.first + mixed}`]
    const read = values.map(value => value ?? 0)
    end?.(read)
    return ticket && model ? model.endRead(ticket, read) : []
  }
}

/** One for each sector; null for a mix. */
function valuesIn(content: Uint8Array, count: number): (number | null)[] {
  const words = new Uint32Array(Uint8Array.from(content).buffer)
  const perSector = SECTOR_BYTES / 4
  return Array.from({ length: count }, (_, i) => {
    const sector = words.subarray(i * perSector, (i + 1) * perSector)
    const value = sector[0] ?? 0
    return sector.every(word => word === value) ? value : null
  })
}

function fill(bytes: number, value: number): Uint8Array {
  return new Uint8Array(new Uint32Array(bytes / 4).fill(value).buffer)
}

export function content(value: number): Uint8Array {
  return fill(BLOCK_BYTES, value)
}
