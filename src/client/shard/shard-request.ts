// One request to one shard, from the call that made it until it is decided, and the list of all
// that are undecided: what `held` looks through and what `abort` ends. A request waits in several
// places (its turn, the window, an event, an answer); `hold` makes every one of these waits end at
// once, leaving nothing behind, when the request is cancelled.
import { assert } from '../../base/assert.js'
import type { Epoch, Milliseconds, PeerId, ShardIndex, VolumeId } from '../../base/brands.js'
import { dateOf, type Clock } from '../../base/clock.js'
import type { SwarmdiskError } from '../../base/errors.js'
import type { DataStatus } from '../../net/messages.js'

export type RequestKind = 'read' | 'write' | 'flush'

/** Why a request has not been executed yet, as far as the last attempt told. */
export type Obstacle =
  /** It may not write yet. */
  | { readonly kind: 'access' }
  /** The volume is to become larger. */
  | { readonly kind: 'size' }
  | { readonly kind: 'epoch'; readonly epoch: Epoch }
  | { readonly kind: 'answer'; readonly server: PeerId; readonly status: DataStatus }

export interface RequestName {
  readonly kind: RequestKind
  readonly volume: VolumeId
  readonly volumeName: string
  readonly shard: ShardIndex
}

export class ShardRequest {
  readonly name: RequestName
  readonly since: Milliseconds
  /** The same in calendar time, in milliseconds since 1970. */
  readonly #time: number
  obstacle: Obstacle | null = null
  /** A write that may have been sent: others may see it, so only its outcome ends it. */
  admitted = false
  #error: SwarmdiskError | null = null
  #interrupt: (() => void) | null = null

  constructor(name: RequestName, clock: Clock) {
    this.name = name
    this.since = clock.now()
    this.#time = clock.time()
  }

  /** When it was made, in ISO 8601: made when asked for, since few requests are held. */
  get date(): string {
    return dateOf(this.#time)
  }

  /**
   * Waits until `done` is called, which may be before `begin` returns; `begin` returns how to undo
   * the waiting. Rejects if the request was or is cancelled.
   */
  hold<T>(begin: (done: (value: T) => void) => () => void): Promise<T> {
    if (this.#error) return Promise.reject(this.#error)
    assert(this.#interrupt === null, 'a request waits in one place at a time')
    return new Promise((resolve, reject) => {
      let over = false
      let undo: () => void = () => undefined
      this.#interrupt = () => {
        over = true
        undo()
        reject(this.#error!)
      }
      undo = begin(value => {
        if (over) return
        over = true
        this.#interrupt = null
        resolve(value)
      })
    })
  }

  /** As `hold`, for what has no value. */
  waitFor(begin: (done: () => void) => () => void): Promise<undefined> {
    return this.hold(done => begin(() => done(undefined)))
  }

  /** Throws if it was cancelled: by an answer that was on its way to it, nothing is decided. */
  check(): void {
    if (this.#error) throw this.#error
  }

  cancel(error: SwarmdiskError): void {
    if (this.#error) return
    this.#error = error
    const interrupt = this.#interrupt
    this.#interrupt = null
    interrupt?.()
  }
}

/** All requests of a client that are not decided, the oldest first. */
export class PendingRequests {
  readonly #clock: Clock
  readonly #requests = new Set<ShardRequest>()
  #ended: SwarmdiskError | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begin(name: RequestName): ShardRequest {
    this.check()
    const request = new ShardRequest(name, this.#clock)
    this.#requests.add(request)
    return request
  }

  end(request: ShardRequest): void {
    this.#requests.delete(request)
  }

  /** Throws if all I/O has been ended. */
  check(): void {
    if (this.#ended) throw this.#ended
  }

  [Symbol.iterator](): Iterator<ShardRequest> {
    return this.#requests.values()
  }

  /** Ends everything, present and future. */
  endAll(error: SwarmdiskError): void {
    this.#ended ??= error
    for (const request of [...this.#requests]) request.cancel(error)
  }

  endVolume(volume: VolumeId, error: SwarmdiskError): void {
    this.#endThose(request => request.name.volume === volume, error)
  }

  /** Writes and FLUSHes of a volume that we may not write to any more; reads go on. */
  endWrites(volume: VolumeId, error: SwarmdiskError): void {
    const isWrite = ({ name }: ShardRequest): boolean =>
      name.volume === volume && name.kind !== 'read'
    this.#endThose(isWrite, error)
  }

  #endThose(which: (request: ShardRequest) => boolean, error: SwarmdiskError): void {
    for (const request of [...this.#requests].filter(which)) request.cancel(error)
  }
}
