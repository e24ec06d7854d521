// Blocks that some layers hold, one after the other, as ranges. Pure.
import { assert } from '../base/assert.js'
import { blockIndex, type BlockIndex } from '../base/brands.js'

export interface HeldRange {
  readonly block: BlockIndex
  readonly blocks: number
  /** The first of the layers that holds them says that they are zeroes; else they are data. */
  readonly zeroes: boolean
}

export class HeldRanges {
  readonly #ranges: { block: BlockIndex; blocks: number; zeroes: boolean }[] = []

  get list(): readonly HeldRange[] {
    return this.#ranges
  }

  get count(): number {
    return this.#ranges.length
  }

  /** Ascending. */
  add(block: number, zeroes: boolean): void {
    const last = this.#ranges.at(-1)
    const end = last ? last.block + last.blocks : 0
    assert(block >= end, 'ranges are ascending')
    if (last && block === end && last.zeroes === zeroes) last.blocks++
    else this.#ranges.push({ block: blockIndex(block), blocks: 1, zeroes })
  }
}
