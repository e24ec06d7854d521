// Keeps overlapping writes in the order in which they came while some of them wait for the content
// of a block they write in part. Each holds its span from then until it is ordered. Pure.
import { assert } from '../../base/assert.js'
import { overlap, type BlockSpan } from './block-spans.js'

interface Ticket {
  readonly span: BlockSpan
  readonly run: (release: () => void) => void
  running: boolean
}

export class RangeLocks {
  /** In the order of their coming. */
  readonly #tickets: Ticket[] = []

  /** Runs at once, or when every earlier overlapping one has been released. */
  acquire(span: BlockSpan, run: (release: () => void) => void): void {
    const ticket: Ticket = { span, run, running: false }
    this.#tickets.push(ticket)
    this.#start(ticket)
  }

  #start(ticket: Ticket): void {
    if (ticket.running || !this.#isFirst(ticket)) return
    ticket.running = true
    ticket.run(() => this.#release(ticket))
  }

  #isFirst(ticket: Ticket): boolean {
    for (const earlier of this.#tickets) {
      if (earlier === ticket) break
      if (overlap(earlier.span, ticket.span)) return false
    }
    return true
  }

  #release(ticket: Ticket): void {
    const place = this.#tickets.indexOf(ticket)
    assert(place >= 0, 'a span is released once')
    this.#tickets.splice(place, 1)
    if (this.#tickets.length === 0) return
    // Whoever starts may be released at once, and start others.
    for (const other of [...this.#tickets]) {
      if (this.#tickets.includes(other) && overlap(other.span, ticket.span)) this.#start(other)
    }
  }
}
