// What each block of a volume may hold, as a checker sees it that knows every write, when it was
// sent and whether it was acknowledged: one client, one write of a block at a time.
//
// - A read returns the newest acknowledged write, or one still in flight.
// - Once a read has shown a write in flight, nothing older may be read (never new-then-old).
// - After a crash of the client, what was flushed stays, or something written later.

interface Written {
  readonly value: number
  acknowledged: boolean
}

export class BlockModel {
  readonly #writes = new Map<number, Written[]>()

  /** Call before the write is sent. */
  begin(block: number, value: number): void {
    const list = this.#writes.get(block) ?? []
    list.push({ value, acknowledged: false })
    this.#writes.set(block, list)
  }

  acknowledge(block: number, value: number): void {
    const list = this.#writes.get(block) ?? []
    const at = list.findIndex(write => write.value === value)
    const write = list[at]
    if (!write) throw new Error(`block ${block}: ${value} was never written`)
    write.acknowledged = true
    this.#settle(block, at)
  }

  /** Null if the read is right, else what is wrong. What was read can be read no older again. */
  read(block: number, value: number): string | null {
    const list = this.#writes.get(block) ?? []
    const at = list.findIndex(write => write.value === value)
    const first = list[0]
    // The first of the list is the oldest that may still be read; before any, a block is zero.
    if (at === -1 && !(value === 0 && !(first?.acknowledged ?? false))) {
      const may = [...list.map(write => write.value)].join(', ')
      return `block ${block}: read ${value}, may be one of: ${may || '0'}`
    }
    if (at > 0) this.#settle(block, at)
    else if (at === 0 && first) first.acknowledged = true
    return null
  }

  blocks(): readonly number[] {
    return [...this.#writes.keys()]
  }

  /** Everything before this one is history. */
  #settle(block: number, at: number): void {
    const list = this.#writes.get(block) ?? []
    list.splice(0, at)
    const first = list[0]
    if (first) first.acknowledged = true
  }
}
