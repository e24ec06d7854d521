// Items by a score above 0 and below 1, the lowest first, sorted only as far as somebody looks: of
// hundreds of thousands of shards, hundreds are moved. As a stable sort would have them.

interface Scored<T> {
  readonly item: T
  readonly score: number
}

/** Items of one part: few enough to be sorted at once. */
const PART_ITEMS = 1024

export class Order<T> {
  readonly #parts: Scored<T>[][]
  /** The parts before this one are sorted. */
  #sorted = 0

  constructor(items: readonly T[], score: (item: T) => number) {
    const count = Math.ceil(items.length / PART_ITEMS)
    this.#parts = Array.from({ length: count }, () => [])
    for (const item of items) {
      const value = score(item)
      // The product may be rounded up to a whole number.
      this.#parts[Math.min(Math.floor(value * count), count - 1)]!.push({ item, score: value })
    }
  }

  *items(): Iterable<T> {
    for (const [i, part] of this.#parts.entries()) {
      if (i === this.#sorted) {
        part.sort((a, b) => a.score - b.score)
        this.#sorted++
      }
      for (const { item } of part) yield item
    }
  }
}
