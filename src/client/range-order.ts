// Keeps requests to overlapping ranges in the order in which they were made: a write waits for
// every earlier request that it overlaps, a read for every earlier write. Retries, which may
// overtake one another on the wire, can then never make an older write win, and a read sees the
// writes called before it. Requests that do not overlap do not wait for one another. Pure.
//
//   w1 [0..8)  ────────► runs
//   r2   [4..6)          waits for w1        r3 [8..9) ────► runs
//   w4 [5..9)            waits for w1, r2 and r3
//
// Ranges are found by pages of 1 MiB, so that a request looks only at its neighbours.
import { assert } from '../base/assert.js'

const PAGE_BYTES = 1024 * 1024

export interface OrderedRange {
  readonly offset: number
  readonly length: number
  readonly write: boolean
}

interface Entry extends OrderedRange {
  /** Earlier requests that must end first. */
  blockers: number
  readonly waiting: Entry[]
  readonly start: () => void
  ended: boolean
}

export class RangeOrder {
  readonly #pages = new Map<number, Set<Entry>>()

  /** Calls `start`, now or when its turn comes; the function returned ends it, started or not. */
  add(range: OrderedRange, start: () => void): () => void {
    assert(range.length > 0, 'a request has a length')
    const entry: Entry = { ...range, blockers: 0, waiting: [], start, ended: false }
    for (const earlier of this.#overlapping(entry)) {
      if (!earlier.write && !entry.write) continue
      earlier.waiting.push(entry)
      entry.blockers++
    }
    for (const page of pagesOf(entry)) {
      const entries = this.#pages.get(page)
      if (entries) entries.add(entry)
      else this.#pages.set(page, new Set([entry]))
    }
    if (entry.blockers === 0) start()
    return () => this.#end(entry)
  }

  #overlapping(entry: Entry): Set<Entry> {
    const found = new Set<Entry>()
    for (const page of pagesOf(entry)) {
      for (const other of this.#pages.get(page) ?? []) if (overlaps(other, entry)) found.add(other)
    }
    return found
  }

  /** A request that ends before its turn hands on to its followers what it was waiting for. */
  #end(entry: Entry): void {
    if (entry.ended) return
    entry.ended = true
    for (const page of pagesOf(entry)) {
      const entries = this.#pages.get(page)
      entries?.delete(entry)
      if (entries?.size === 0) this.#pages.delete(page)
    }
    for (const follower of entry.waiting) {
      follower.blockers--
      if (follower.blockers === 0 && !follower.ended) follower.start()
    }
  }
}

function overlaps(a: OrderedRange, b: OrderedRange): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length
}

function pagesOf({ offset, length }: OrderedRange): number[] {
  const first = Math.floor(offset / PAGE_BYTES)
  const last = Math.floor((offset + length - 1) / PAGE_BYTES)
  return first === last ? [first] : Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
