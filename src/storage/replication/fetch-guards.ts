// Blocks that are copied from another replica must not overwrite a write that arrived meanwhile.
// Whoever copies opens a guard before it looks at its own blocks; every write to them is noted.
// Between the last look at the guard and the call to the store there may be no await. Pure.
import { endOf, overlap, type BlockSpan } from './block-spans.js'

export interface FetchGuard {
  /** A write to this block came after the guard was opened. */
  touched(block: number): boolean
  anyTouched(): boolean
  close(): void
}

interface Open {
  readonly span: BlockSpan
  readonly touched: Set<number>
}

export class FetchGuards {
  readonly #open = new Set<Open>()

  open(span: BlockSpan): FetchGuard {
    const guard: Open = { span, touched: new Set() }
    this.#open.add(guard)
    return {
      touched: block => guard.touched.has(block),
      anyTouched: () => guard.touched.size > 0,
      close: () => {
        this.#open.delete(guard)
      },
    }
  }

  noteWrite(span: BlockSpan): void {
    for (const guard of this.#open) {
      if (!overlap(guard.span, span)) continue
      const end = Math.min(endOf(span), endOf(guard.span))
      for (let b = Math.max(span.block, guard.span.block); b < end; b++) guard.touched.add(b)
    }
  }
}
