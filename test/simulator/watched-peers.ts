// The peers of one simulated process, with an eye on every message: checkers judge them, faults
// strike at them, the trace prints them. Nothing is changed.
import type { PeerId } from '../../src/base/brands.js'
import type { OperationName, Reply, Request } from '../../src/net/operations.js'
import {
  LOST,
  type Lost,
  type OperationHandler,
  type PeerEvents,
  type PeerInfo,
  type Peers,
  type RequestOptions,
} from '../../src/net/peers.js'

/**
 * `sent`: leaves a process. `arrived`: its handler is about to run. `answered`: that handler gave
 * its answer. `returned`: the answer, or that there is none, reached who had asked.
 */
export type Moment = 'sent' | 'arrived' | 'answered' | 'returned'

export interface Seen {
  readonly moment: Moment
  readonly operation: OperationName
  /** Where it happens, and the other side. */
  readonly at: PeerId
  readonly other: PeerId
  readonly request: unknown
  /** Of `answered` and `returned`; LOST where none came. */
  readonly reply: unknown
}

export class WatchedPeers implements Peers {
  readonly #peers: Peers
  readonly #see: (seen: Seen) => void
  readonly #described: () => void

  /** `described`: after this process has told its peers which epoch it is at. */
  constructor(peers: Peers, see: (seen: Seen) => void, described: () => void) {
    this.#peers = peers
    this.#see = see
    this.#described = described
  }

  get self(): PeerId {
    return this.#peers.self
  }

  list(): readonly PeerInfo[] {
    return this.#peers.list()
  }

  find(id: PeerId): PeerInfo | undefined {
    return this.#peers.find(id)
  }

  subscribe(events: PeerEvents): () => void {
    return this.#peers.subscribe(events)
  }

  serve<O extends OperationName>(operation: O, handler: OperationHandler<O>): void {
    this.#peers.serve(operation, (request, from, answer) => {
      const at = { operation, at: this.self, other: from.id, request }
      this.#see({ ...at, moment: 'arrived', reply: null })
      handler(request, from, reply => {
        this.#see({ ...at, moment: 'answered', reply })
        answer(reply)
      })
    })
  }

  request<O extends OperationName>(
    to: PeerId,
    operation: O,
    request: Request<O>,
    options?: RequestOptions,
  ): Promise<Reply<O> | Lost> {
    const at = { operation, at: this.self, other: to, request }
    this.#see({ ...at, moment: 'sent', reply: null })
    const result = this.#peers.request(to, operation, request, options)
    void result.then(reply => {
      this.#see({ ...at, moment: 'returned', reply: reply === LOST ? LOST : reply })
    })
    return result
  }

  notify<O extends OperationName>(to: PeerId, operation: O, message: Request<O>): boolean {
    const at = { operation, at: this.self, other: to }
    this.#see({ ...at, request: message, moment: 'sent', reply: null })
    return this.#peers.notify(to, operation, message)
  }

  remember(members: Parameters<Peers['remember']>[0]): void {
    this.#peers.remember(members)
  }

  describe(self: Parameters<Peers['describe']>[0]): void {
    this.#peers.describe(self)
    this.#described()
  }

  start(): Promise<void> {
    return this.#peers.start()
  }

  stop(): Promise<void> {
    return this.#peers.stop()
  }
}
