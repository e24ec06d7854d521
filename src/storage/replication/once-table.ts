// The once table (design §5): which blocks of which client writes were executed and may be asked
// for again, so that a retry is acknowledged, not executed a second time. Kept block by block,
// because settling may carry a write over in part. Pure.
//
// Bounded: a client says which of its requests are complete, and has a window of open ones; clients
// that were silent for longest go first. A client that lost its connection for so long that a
// thousand others wrote since has, in practice, given up.
import type { PeerId, RequestNumber } from '../../base/brands.js'
import { ONCE_CLIENTS_MAX, ONCE_NUMBERS_MAX, ORIGINS_MAX } from '../../base/limits.js'
import type { ExecutedWrite, Origin } from '../../net/messages.js'
import { subtract, union, type BlockSpan } from './block-spans.js'

interface ClientWrites {
  completeBelow: number
  readonly executed: Map<RequestNumber, readonly BlockSpan[]>
}

/** The whole table travels in one message; half of what fits leaves room for settled parts. */
const WRITES_MAX = ORIGINS_MAX / 2

export class OnceTable {
  #size = 0
  /** In the order of their last use. */
  readonly #clients = new Map<PeerId, ClientWrites>()
  /** The last of them: it stays there when it is used again. */
  #latest: PeerId | null = null

  add(origin: Origin, span: BlockSpan): void {
    const { completeBelow, executed } = this.#client(origin.client)
    if (origin.request < completeBelow) return
    const known = executed.get(origin.request)
    executed.set(origin.request, known ? union([...known, span]) : [span])
    if (!known) this.#size++
    if (executed.size > ONCE_NUMBERS_MAX) {
      // More than any client's window: the lowest number is the least likely to be retried.
      executed.delete([...executed.keys()].reduce((least, n) => (n < least ? n : least)))
      this.#size--
    }
    while (this.#size > WRITES_MAX && this.#clients.size > 1) this.#forgetOldest()
  }

  /** The blocks of this write that were not executed yet. */
  remaining(origin: Origin, span: BlockSpan): readonly BlockSpan[] {
    const client = this.#clients.get(origin.client)
    if (!client) return [span]
    if (origin.request < client.completeBelow) return []
    const known = client.executed.get(origin.request)
    return known ? subtract(span, known) : [span]
  }

  /** Requests of this client below the number are complete there. True if that is news. */
  trim(client: PeerId, below: RequestNumber): boolean {
    const writes = this.#client(client)
    if (below <= writes.completeBelow) return false
    writes.completeBelow = below
    for (const request of writes.executed.keys()) {
      if (request < below && writes.executed.delete(request)) this.#size--
    }
    return true
  }

  export(): readonly ExecutedWrite[] {
    const writes = [...this.#clients].flatMap(([client, { executed }]) =>
      [...executed].flatMap(([request, spans]) =>
        spans.map(span => ({ client, request, block: span.block, blocks: span.blocks })),
      ),
    )
    return writes.slice(-ORIGINS_MAX)
  }

  merge(writes: readonly ExecutedWrite[]): void {
    for (const { client, request, block, blocks } of writes) {
      this.add({ client, request }, { block, blocks })
    }
  }

  clear(): void {
    this.#clients.clear()
    this.#size = 0
  }

  #client(id: PeerId): ClientWrites {
    const known = this.#clients.get(id)
    if (known && id === this.#latest) return known
    this.#latest = id
    const client = known ?? { completeBelow: 0, executed: new Map<RequestNumber, BlockSpan[]>() }
    if (known) this.#clients.delete(id)
    this.#clients.set(id, client)
    if (this.#clients.size > ONCE_CLIENTS_MAX) this.#forgetOldest()
    return client
  }

  #forgetOldest(): void {
    const [oldest] = this.#clients
    if (!oldest) return
    this.#clients.delete(oldest[0])
    this.#size -= oldest[1].executed.size
  }
}
