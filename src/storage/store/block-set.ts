// A set of the blocks of one index page.
import { BLOCKS_PER_INDEX_PAGE } from '../../base/limits.js'

export interface SlotRange {
  readonly first: number
  readonly last: number
}

export class BlockSet {
  readonly #words = new Uint32Array(BLOCKS_PER_INDEX_PAGE / 32)

  has(slot: number): boolean {
    return ((this.#words[slot >>> 5]! >>> (slot & 31)) & 1) === 1
  }

  isEmpty(): boolean {
    return this.#words.every(word => word === 0)
  }

  addRange({ first, last }: SlotRange): void {
    for (let slot = first; slot <= last; slot++) this.#words[slot >>> 5]! |= 1 << (slot & 31)
  }

  removeRange({ first, last }: SlotRange): void {
    for (let slot = first; slot <= last; slot++) this.#words[slot >>> 5]! &= ~(1 << (slot & 31))
  }

  count(): number {
    let count = 0
    for (let word of this.#words) for (; word !== 0; word &= word - 1) count++
    return count
  }

  intersects({ first, last }: SlotRange): boolean {
    for (let slot = first; slot <= last; slot++) if (this.has(slot)) return true
    return false
  }

  addAll(other: BlockSet): void {
    for (let i = 0; i < this.#words.length; i++) this.#words[i]! |= other.#words[i]!
  }

  removeAll(other: BlockSet): void {
    for (let i = 0; i < this.#words.length; i++) this.#words[i]! &= ~other.#words[i]!
  }

  clear(): void {
    this.#words.fill(0)
  }
}

/** The slots of a page that belong, in runs. */
export function runsOf(belongs: (slot: number) => boolean): readonly SlotRange[] {
  const runs: SlotRange[] = []
  for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
    if (!belongs(slot)) continue
    const first = slot
    while (slot + 1 < BLOCKS_PER_INDEX_PAGE && belongs(slot + 1)) slot++
    runs.push({ first, last: slot })
  }
  return runs
}
