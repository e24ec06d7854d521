// Extents written to the image of a volume past every cache, in random places that overlap often,
// each with a number that decides its content; one in sixteen is zeroes. What stood in every block
// when any extent had been written is known, and so is the space that it takes.
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE } from '../../src/base/limits.js'
import type { SeededRandom } from '../simulator/seeded-random.js'

/** 64 KiB. */
const BLOCKS = 16
/** Long enough to be given back as holes wherever they are cut. */
const ZERO_BLOCKS = 64
const ZEROES_EVERY = 16
/** Of the extents begin shortly before, in or behind an earlier one. */
const NEAR = 3 / 4
const PATTERN_BYTES = 16

interface Extent {
  /** By number of the block in the volume. */
  readonly first: number
  readonly count: number
}

export interface Space {
  /** That have content. */
  readonly blocks: number
  /** Index pages that say something, zeroes too. */
  readonly pages: number
}

export class NumberedExtents {
  readonly #image: string
  readonly #blocks: number
  readonly #random: SeededRandom
  /** Number n is at n - 1. */
  readonly #extents: Extent[] = []
  /** Of each block ever written the numbers of the extents that it was in, in order. */
  readonly #history = new Map<number, number[]>()

  constructor(image: string, size: number, random: SeededRandom) {
    this.#image = image
    this.#blocks = size / BLOCK_BYTES
    this.#random = random
  }

  /** The number of the newest extent: what stands there now is what stood there then. */
  get newest(): number {
    return this.#extents.length
  }

  /** Synced when it returns. */
  async write(bytes: number): Promise<void> {
    const file = await open(this.#image, constants.O_RDWR | constants.O_DIRECT)
    try {
      for (let left = bytes; left > 0; left -= BLOCKS * BLOCK_BYTES) {
        const extent = this.#next()
        const content = this.#content(extent, this.newest)
        await file.write(content, 0, content.length, extent.first * BLOCK_BYTES)
      }
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** One line for each place where the image is not what it was with this many extents. */
  async differing(image: string, newest: number, samples: number): Promise<readonly string[]> {
    const some = Array.from({ length: samples }, () => this.#random.pick(this.#extents))
    return this.#compare(image, newest, some)
  }

  /** The same, of all blocks that were ever written. */
  differingAnywhere(image: string, newest: number): Promise<readonly string[]> {
    return this.#compare(image, newest, this.#extents)
  }

  /** What one copy needs for what stands there now. */
  space(): Space {
    const pages = new Set<number>()
    let blocks = 0
    for (const [block, numbers] of this.#history) {
      // Pages do not cross extents of the volume, so it does not matter how those are spread.
      pages.add(Math.floor(block / BLOCKS_PER_INDEX_PAGE))
      if (!isZeroes(numbers.at(-1) ?? 0)) blocks++
    }
    return { blocks, pages: pages.size }
  }

  #next(): Extent {
    const count = isZeroes(this.newest + 1) ? ZERO_BLOCKS : BLOCKS
    const most = this.#blocks - count
    let first = this.#random.below(most + 1)
    if (this.newest > 0 && this.#random.chance(NEAR)) {
      const near = this.#random.pick(this.#extents)
      first = near.first - count + this.#random.below(near.count + count + 1)
      first = Math.min(most, Math.max(0, first))
    }
    const extent = { first, count }
    this.#extents.push(extent)
    for (let block = first; block < first + count; block++) {
      const numbers = this.#history.get(block)
      if (numbers) numbers.push(this.newest)
      else this.#history.set(block, [this.newest])
    }
    return extent
  }

  async #compare(
    image: string,
    newest: number,
    extents: readonly Extent[],
  ): Promise<readonly string[]> {
    const found: string[] = []
    const file = await open(image, constants.O_RDONLY | constants.O_DIRECT)
    try {
      for (const extent of extents) found.push(...(await this.#compareExtent(file, newest, extent)))
    } finally {
      await file.close()
    }
    return found
  }

  async #compareExtent(file: FileHandle, newest: number, extent: Extent): Promise<string[]> {
    const expected = this.#content(extent, newest)
    const { buffer } = await file.read({
      buffer: Buffer.alloc(expected.length),
      position: extent.first * BLOCK_BYTES,
    })
    if (buffer.equals(expected)) return []
    const found: string[] = []
    for (let i = 0; i < extent.count; i++) {
      const [got, wanted] = [buffer, expected].map(all =>
        all.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES),
      )
      if (got!.equals(wanted!)) continue
      found.push(`block ${extent.first + i} is ${described(got!)}, not ${described(wanted!)}`)
    }
    return found
  }

  /** With this many extents written. */
  #content({ first, count }: Extent, newest: number): Buffer {
    const content = Buffer.alloc(count * BLOCK_BYTES)
    for (let i = 0; i < count; i++) {
      const numbers = this.#history.get(first + i) ?? []
      const number = numbers.findLast(one => one <= newest) ?? 0
      if (number === 0 || isZeroes(number)) continue
      content.fill(patternOf(number, first + i), i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
    }
    return content
  }
}

function isZeroes(number: number): boolean {
  return number % ZEROES_EVERY === 0
}

function patternOf(number: number, block: number): Buffer {
  const pattern = Buffer.alloc(PATTERN_BYTES)
  pattern.writeUInt32LE(number, 0)
  pattern.writeUInt32LE(block, 4)
  pattern.writeUInt32LE(Math.imul(number, 0x9e3779b1) >>> 0, 8)
  pattern.writeUInt32LE(Math.imul(block + 1, 0x85ebca6b) >>> 0, 12)
  return pattern
}

function described(block: Buffer): string {
  const pattern = block.subarray(0, PATTERN_BYTES)
  if (!block.equals(Buffer.alloc(BLOCK_BYTES, pattern))) return 'a mix'
  const number = pattern.readUInt32LE(0)
  return number === 0 ? 'zeroes' : `extent ${number} at block ${pattern.readUInt32LE(4)}`
}
