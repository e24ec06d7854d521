// Calls on one shard whose ranges overlap take effect in the order in which they were made; others
// go on side by side, and so do reads among themselves. How many calls there are at once is
// limited by those who make them (windows of clients and of links).
import { assert } from '../../base/assert.js'
import type { BlockRange } from './layer-format.js'

export interface Turn {
  /** Null: at once. */
  readonly ready: Promise<unknown> | null
  leave(): void
}

export class RangeOrder {
  readonly #active = new Set<Call>()

  enter(range: BlockRange, kind: 'read' | 'write'): Turn {
    const write = kind === 'write'
    let before: Promise<void>[] | null = null
    for (const other of this.#active) {
      if (meets(other, range, kind)) (before ??= []).push(other.ended())
    }
    const ready = before && Promise.all(before)
    const call = new Call(this.#active, { first: range.first, last: range.last, write, ready })
    this.#active.add(call)
    return call
  }

  /** A call that begins and ends in this turn needs no place in the order. */
  isFree(range: BlockRange, kind: 'read' | 'write'): boolean {
    for (const other of this.#active) if (meets(other, range, kind)) return false
    return true
  }

  /** Waits for the writes that have entered so far. */
  async writesEnded(): Promise<void> {
    await Promise.all([...this.#active].filter(call => call.write).map(call => call.ended()))
  }

  async allEnded(): Promise<void> {
    await Promise.all([...this.#active].map(call => call.ended()))
  }
}

function meets(other: Call, range: BlockRange, kind: 'read' | 'write'): boolean {
  const apart = other.last < range.first || range.last < other.first
  return !apart && (kind === 'write' || other.write)
}

/** One that has entered and not left. Nearly always nobody waits for it: then it has no promise. */
class Call implements BlockRange, Turn {
  readonly first: number
  readonly last: number
  readonly write: boolean
  readonly ready: Promise<unknown> | null
  readonly #active: Set<Call>
  #ended: Promise<void> | null = null
  #finish: (() => void) | null = null

  constructor(
    active: Set<Call>,
    { first, last, write, ready }: BlockRange & Pick<Call, 'write' | 'ready'>,
  ) {
    this.first = first
    this.last = last
    this.write = write
    this.ready = ready
    this.#active = active
  }

  ended(): Promise<void> {
    this.#ended ??= new Promise(resolve => (this.#finish = resolve))
    return this.#ended
  }

  leave(): void {
    assert(this.#active.delete(this), 'a turn ends once')
    this.#finish?.()
  }
}
