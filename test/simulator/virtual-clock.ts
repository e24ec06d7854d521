// Virtual time: nothing passes but when the test says so, and then in the order of the due times.
// Between two timers all promises that can settle do, so a run depends on its seed alone.
import { milliseconds, type Milliseconds } from '../../src/base/brands.js'
import type { Clock, Timer } from '../../src/base/clock.js'

interface Entry {
  readonly due: number
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

export class VirtualClock implements Clock {
  // Whole microseconds: with fractions, a wait for the last 1e-15 ms would never get anywhere.
  #now = 0
  #order = 0
  // A binary heap by (due, order).
  readonly #heap: Entry[] = []

  now(): Milliseconds {
    return milliseconds(this.#now / 1000)
  }

  date(): string {
    return new Date(this.time()).toISOString()
  }

  time(): number {
    return Date.UTC(2026, 0, 1) + Math.floor(this.#now / 1000)
  }

  after(delay: number, callback: () => void): Timer {
    const due = this.#now + Math.ceil(Math.max(0, delay) * 1000)
    const entry: Entry = { due, order: this.#order++, callback, cancelled: false }
    this.#push(entry)
    return {
      cancel: () => {
        entry.cancelled = true
      },
    }
  }

  /** Lets virtual time pass, firing what falls due. */
  async advance(duration: number): Promise<void> {
    const end = this.#now + Math.ceil(duration * 1000)
    await this.#settle()
    while ((this.#heap[0]?.due ?? Infinity) <= end) await this.#step()
    this.#now = end
  }

  /** Runs until the condition holds; throws after `limit` virtual milliseconds, naming `what`. */
  async until(what: string, condition: () => boolean, limit = 60_000): Promise<void> {
    const end = this.#now + limit * 1000
    await this.#settle()
    while (!condition()) {
      if ((this.#heap[0]?.due ?? Infinity) > end) {
        throw new Error(`not within ${limit} virtual ms: ${what}`)
      }
      await this.#step()
    }
  }

  /** Runs virtual time until the promise has settled, and returns its value. */
  async settle<T>(what: string, promise: Promise<T>, limit = 60_000): Promise<T> {
    let done = false
    const mark = (): void => {
      done = true
    }
    promise.then(mark, mark)
    await this.until(what, () => done, limit)
    return promise
  }

  async #step(): Promise<void> {
    const entry = this.#pop()
    if (!entry || entry.cancelled) return
    this.#now = Math.max(this.#now, entry.due)
    entry.callback()
    await this.#settle()
  }

  /** A turn of the real event loop lets every promise that can settle do so. */
  #settle(): Promise<void> {
    return new Promise(resolve => setImmediate(resolve))
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    heap.push(entry)
    let i = heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(heap[i]!, heap[parent]!)) break
      swap(heap, i, parent)
      i = parent
    }
  }

  #pop(): Entry | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (!last || heap.length === 0) return top
    heap[0] = last
    for (let i = 0; ;) {
      const left = 2 * i + 1
      let least = i
      if (left < heap.length && before(heap[left]!, heap[least]!)) least = left
      if (left + 1 < heap.length && before(heap[left + 1]!, heap[least]!)) least = left + 1
      if (least === i) return top
      swap(heap, i, least)
      i = least
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order)
}

function swap(heap: Entry[], i: number, j: number): void {
  const entry = heap[i]!
  heap[i] = heap[j]!
  heap[j] = entry
}
