// The writes a replica has applied and does not know to be committed (design §5). Reads of these
// blocks wait, and the primary of the next allocation settles them. Pure.
import { assert } from '../../base/assert.js'
import type { Epoch, Sequence } from '../../base/brands.js'
import type { Origin, UncommittedWrite } from '../../net/messages.js'
import { overlap, subtract, type BlockSpan } from './block-spans.js'

export interface Uncommitted extends BlockSpan {
  /** The allocation in which it was ordered. */
  readonly allocation: Epoch
  readonly sequence: Sequence
  /** Each of these client writes was executed for just these blocks. */
  readonly origins: readonly Origin[]
}

export class UncommittedWrites {
  #writes: Uncommitted[] = []

  get size(): number {
    return this.#writes.length
  }

  add(write: Uncommitted): void {
    this.#writes.push(write)
  }

  overlaps(span: BlockSpan): boolean {
    return this.#writes.some(write => overlap(write, span))
  }

  overlapsSince(span: BlockSpan, allocation: Epoch): boolean {
    return this.#writes.some(write => write.allocation >= allocation && overlap(write, span))
  }

  /** Takes out what is committed now: everything of this allocation up to the sequence. */
  commit(allocation: Epoch, upTo: Sequence): readonly Uncommitted[] {
    const committed: Uncommitted[] = []
    const open: Uncommitted[] = []
    for (const write of this.#writes) {
      const is = write.allocation === allocation && write.sequence <= upTo
      ;(is ? committed : open).push(write)
    }
    if (committed.length > 0) this.#writes = open
    return committed
  }

  /** Writes of earlier allocations, which the primary of the new one settles. */
  olderThan(allocation: Epoch): readonly Uncommitted[] {
    return this.#writes.filter(write => write.allocation < allocation)
  }

  /** The new primary has decided these blocks: what earlier allocations left there is void. */
  settle(span: BlockSpan, allocation: Epoch): void {
    this.#writes = this.#writes.flatMap(write => {
      assert(write.allocation <= allocation, 'no write of a future allocation was applied')
      if (write.allocation === allocation || !overlap(write, span)) return [write]
      return subtract(write, [span]).map(rest => ({ ...write, ...rest }))
    })
  }

  list(): readonly UncommittedWrite[] {
    return this.#writes.map(({ block, blocks, origins }) => ({ block, blocks, origins }))
  }

  clear(): void {
    this.#writes = []
  }
}
