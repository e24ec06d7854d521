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

/** The place of one request in the order, until it ends. */
export interface Turn {
  /** Nothing has to end before it. */
  readonly come: boolean
  /** Calls `start`, now or when it comes; never after its end. */
  whenCome(start: () => void): void
  /** Started or not; twice is as good as once. */
  end(): void
}

export class RangeOrder {
  /** Requests that have not ended, by the pages that they touch. */
  readonly #pages = new Map<number, Entry[]>()

  add(range: OrderedRange): Turn {
    assert(range.length > 0, 'a request has a length')
    const entry = new Entry(this.#pages, range)
    for (let page = entry.firstPage; page <= entry.lastPage; page++) {
      const entries = this.#pages.get(page)
      if (!entries) this.#pages.set(page, [entry])
      else {
        for (const earlier of entries) {
          // Once, though two long requests may meet on many pages.
          const first = page === Math.max(entry.firstPage, earlier.firstPage)
          if (first && conflict(earlier, entry)) entry.waitFor(earlier)
        }
        entries.push(entry)
      }
    }
    return entry
  }
}

class Entry implements Turn, OrderedRange {
  readonly offset: number
  readonly length: number
  readonly write: boolean
  readonly firstPage: number
  readonly lastPage: number
  readonly #pages: Map<number, Entry[]>
  /** Earlier requests that must end first. */
  #blockers = 0
  /** Later requests that wait for this one, in their order; null: none does. */
  #followers: Entry[] | null = null
  #start: (() => void) | null = null
  #ended = false

  constructor(pages: Map<number, Entry[]>, { offset, length, write }: OrderedRange) {
    this.#pages = pages
    this.offset = offset
    this.length = length
    this.write = write
    this.firstPage = Math.floor(offset / PAGE_BYTES)
    this.lastPage = Math.floor((offset + length - 1) / PAGE_BYTES)
  }

  get come(): boolean {
    return this.#blockers === 0
  }

  whenCome(start: () => void): void {
    if (this.come) start()
    else this.#start = start
  }

  waitFor(earlier: Entry): void {
    earlier.#followers ??= []
    earlier.#followers.push(this)
    this.#blockers++
  }

  /** A request that ends before its turn hands on to its followers what it was waiting for. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (let page = this.firstPage; page <= this.lastPage; page++) this.#leave(page)
    if (this.#followers === null) return
    for (const follower of this.#followers) follower.#unblock()
  }

  #unblock(): void {
    this.#blockers--
    if (this.#blockers === 0 && !this.#ended) this.#start?.()
  }

  #leave(page: number): void {
    const entries = this.#pages.get(page)
    assert(entries, 'a request is on its pages until it ends')
    if (entries.length === 1) this.#pages.delete(page)
    else entries.splice(entries.indexOf(this), 1)
  }
}

/** They overlap, and one of them writes. */
function conflict(a: OrderedRange, b: OrderedRange): boolean {
  if (!a.write && !b.write) return false
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length
}
