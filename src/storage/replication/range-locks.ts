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
  #tickets: Ticket[] = []

  /** Runs at once, or when every earlier overlapping one has been released. */
  acquire(span: BlockSpan, run: (release: () => void) => void): void {
    const ticket: Ticket = { span, run, running: false }
    this.#tickets.push(ticket)
    this.#start(ticket)
  }

  #start(ticket: Ticket): void {
    const place = this.#tickets.indexOf(ticket)
    const earlier = this.#tickets.slice(0, place)
    if (ticket.running || earlier.some(other => overlap(other.span, ticket.span))) return
    ticket.running = true
    ticket.run(() => {
      assert(this.#tickets.includes(ticket), 'a span is released once')
      this.#tickets = this.#tickets.filter(other => other !== ticket)
      for (const other of [...this.#tickets]) {
        if (this.#tickets.includes(other) && overlap(other.span, ticket.span)) this.#start(other)
      }
    })
  }
}
