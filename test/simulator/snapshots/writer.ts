// The one that writes while snapshots are made: one value after the other, each to all places, as
// many as it is told to, so that a run takes no longer than what happens in it.
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import { wait, type Clock } from '../../../src/base/clock.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import { content } from '../run/workload.js'
import type { SeededRandom } from '../seeded-random.js'
import { shown, type Place } from './moment.js'

const PAUSE_MAX_MS = 40
const NOTHING = new Uint8Array(BLOCK_BYTES)

export interface WriterOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly places: readonly Place[]
}

export class Writer {
  /** The last value that was brought anywhere. */
  written = 0
  /** The last value that all places have. */
  acknowledged = 0
  readonly #o: WriterOptions
  /** Values that it still has to write. */
  #wanted = 0
  #running: Promise<void> | null = null

  constructor(options: WriterOptions) {
    this.#o = options
  }

  /** So many values more, beside what else happens. */
  write(volumes: ReadonlyMap<string, OpenVolume>, count: number): void {
    this.#wanted = Math.max(this.#wanted, count)
    this.#running ??= this.#run(volumes).finally(() => (this.#running = null))
  }

  /** After the value under way. */
  async stop(): Promise<void> {
    this.#wanted = 0
    await this.#running
  }

  async #run(volumes: ReadonlyMap<string, OpenVolume>): Promise<void> {
    const { clock, random, places } = this.#o
    for (; this.#wanted > 0; this.#wanted--) {
      const value = ++this.written
      for (const place of places) await this.#bring(volumes.get(place.volume)!, place, value)
      this.acknowledged = value
      if (random.chance(0.1)) for (const one of volumes.values()) await one.flush()
      if (random.chance(0.2)) await wait(clock, random.below(PAUSE_MAX_MS))
    }
  }

  async #bring(volume: OpenVolume, place: Place, value: number): Promise<void> {
    const offset = byteOffset(place.block * BLOCK_BYTES)
    if (shown(place, value) !== 0) await volume.write(offset, content(value))
    else if (this.#o.random.chance(0.5)) await volume.discard(offset, byteCount(BLOCK_BYTES))
    else await volume.write(offset, NOTHING)
  }
}

/** The value that a block holds; 0 for zeroes, and a fraction for a mixture. */
export async function valueAt(opened: Pick<OpenVolume, 'read'>, block: number): Promise<number> {
  const into = new Uint8Array(BLOCK_BYTES)
  await opened.read(byteOffset(block * BLOCK_BYTES), into)
  const [value = 0] = new Uint32Array(into.buffer)
  const whole = value === 0 ? NOTHING : content(value)
  return Buffer.compare(into, whole) === 0 ? value : value + 0.5
}
