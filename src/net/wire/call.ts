// A request that waits for its answer: it ends exactly once, with a reply or with LOST.
import type { Clock, Timer } from '../../base/clock.js'
import type { CodecState } from '../codecs/codec.js'
import {
  operations,
  type OperationName,
  type Path,
  type Reply,
  type Request,
} from '../operations.js'
import { LOST, type Lost } from '../peers.js'
import { messageParcel, type Parcel } from './entry.js'

/** A Call without its operation: what channels and queues handle. */
export interface PendingCall {
  readonly path: Path
  readonly ended: boolean
  /** The entry to send; asked for once. */
  parcel(id: number): Parcel
  /** Throws a SwarmdiskError 'protocol' if the entry is no reply to this request. */
  reply(entry: CodecState): void
  lose(): void
  /** Called when the call ends, in whatever way. */
  whenEnded(callback: () => void): void
}

export class Call<O extends OperationName> implements PendingCall {
  readonly path: Path
  readonly result: Promise<Reply<O> | Lost>
  readonly #operation: O
  readonly #request: Request<O>
  readonly #timer: Timer | null
  #resolve!: (value: Reply<O> | Lost) => void
  #parcel: Parcel | null = null
  #whenEnded: (() => void) | null = null
  #ended = false

  constructor(
    operation: O,
    request: Request<O>,
    { clock, deadline }: { readonly clock: Clock; readonly deadline: number | undefined },
  ) {
    this.#operation = operation
    this.#request = request
    this.path = operations[operation].path
    this.result = new Promise(resolve => {
      this.#resolve = resolve
    })
    this.#timer = deadline === undefined ? null : clock.after(deadline, () => this.lose())
  }

  get ended(): boolean {
    return this.#ended
  }

  parcel(id: number): Parcel {
    const { number, request } = operations[this.#operation]
    this.#parcel = messageParcel(
      { kind: 'request', lane: this.path, numbers: [number, id] },
      request,
      this.#request,
    )
    return this.#parcel
  }

  reply(entry: CodecState): void {
    const codec = operations[this.#operation].reply
    if (codec !== null) this.#end(codec.decode(entry))
  }

  lose(): void {
    this.#end(LOST)
  }

  whenEnded(callback: () => void): void {
    this.#whenEnded = callback
  }

  #end(value: Reply<O> | Lost): void {
    if (this.#ended) return
    this.#ended = true
    // If it still waits in an outbox, it is not worth sending.
    if (this.#parcel) this.#parcel.cancelled = true
    this.#timer?.cancel()
    this.#whenEnded?.()
    this.#resolve(value)
  }
}
