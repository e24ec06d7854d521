// A client that reads, writes and flushes blocks at random, a few at a time, and checks what it
// reads against the model. Every value is unique: a block full of one number.
import { byteOffset } from '../../src/base/brands.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { BlockModel } from './block-model.js'
import type { SeededRandom } from './seeded-random.js'

export interface WorkloadOptions {
  readonly random: SeededRandom
  readonly volume: OpenVolume
  /** Blocks that are used, spread over the volume. */
  readonly blocks: number
  readonly volumeBlocks: number
}

export class Workload {
  readonly model = new BlockModel()
  readonly findings: string[] = []
  operations = 0
  #value = 0
  #stopping = false
  readonly #options: WorkloadOptions
  readonly #busy = new Set<Promise<void>>()

  constructor(options: WorkloadOptions) {
    this.#options = options
  }

  /** Keeps `depth` operations going until stop(). */
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

  /** Reads every block that was written. */
  async checkAll(): Promise<void> {
    for (const block of this.model.blocks()) await this.#read(block)
  }

  async #line(): Promise<void> {
    const { random } = this.#options
    while (!this.#stopping) {
      const chance = random.below(100)
      this.operations++
      if (chance < 5) await this.#options.volume.flush()
      else if (chance < 60) await this.#write(this.#pick())
      else await this.#read(this.#pick())
    }
  }

  #pick(): number {
    const { blocks, random, volumeBlocks } = this.#options
    return Math.floor((random.below(blocks) * volumeBlocks) / blocks)
  }

  async #write(block: number): Promise<void> {
    const value = ++this.#value
    this.model.begin(block, value)
    await this.#options.volume.write(byteOffset(block * BLOCK_BYTES), content(value))
    this.model.acknowledge(block, value)
  }

  async #read(block: number): Promise<void> {
    const into = new Uint8Array(BLOCK_BYTES)
    await this.#options.volume.read(byteOffset(block * BLOCK_BYTES), into)
    const words = new Uint32Array(into.buffer)
    const value = words[0] ?? 0
    const mixed = words.some(word => word !== value)
    const wrong = mixed ? `block ${block}: a mix inside` : this.model.read(block, value)
    if (wrong !== null) this.findings.push(wrong)
  }
}

export function content(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array(BLOCK_BYTES / 4).fill(value).buffer)
}
