// Calls on one shard whose ranges overlap take effect in the order in which they were made; others
// go on side by side, and so do reads among themselves. How many calls there are at once is
// limited by those who make them (windows of clients and of links).
import { assert } from '../../base/assert.js'
import type { BlockRange } from './layer-format.js'

interface Entry extends BlockRange {
  readonly write: boolean
  readonly done: Promise<void>
}

export interface Turn {
  /** Null: at once. */
  readonly ready: Promise<unknown> | null
  leave(): void
}

export class RangeOrder {
  readonly #active = new Set<Entry>()

  enter(range: BlockRange, kind: 'read' | 'write'): Turn {
    const write = kind === 'write'
    const before: Promise<void>[] = []
    for (const other of this.#active) {
      const apart = other.last < range.first || range.last < other.first
      if (!apart && (write || other.write)) before.push(other.done)
    }
    let finish!: () => void
    const done = new Promise<void>(resolve => {
      finish = resolve
    })
    const entry: Entry = { first: range.first, last: range.last, write, done }
    this.#active.add(entry)
    return {
      ready: before.length > 0 ? Promise.all(before) : null,
      leave: () => {
        assert(this.#active.delete(entry), 'a turn ends once')
        finish()
      },
    }
  }

  /** Waits for the writes that have entered so far. */
  async writesEnded(): Promise<void> {
    await Promise.all([...this.#active].filter(entry => entry.write).map(entry => entry.done))
  }

  async allEnded(): Promise<void> {
    await Promise.all([...this.#active].map(entry => entry.done))
  }
}
