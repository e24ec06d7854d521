// Whether clients want something of this server, so that copying gives way to them: their requests,
// and what they write to shards that others lead. Quiet is only who has not been asked for seconds:
// a client that is slowed down asks seldom, and must not be slowed down more for that.
import type { Clock } from '../base/clock.js'
import { CLIENTS_ARE_QUIET_AFTER_MS } from '../base/limits.js'

export class ClientActivity {
  readonly #clock: Clock
  /** Requests that are not answered. */
  #open = 0
  #last = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get open(): number {
    return this.#open
  }

  get quiet(): boolean {
    return this.#open === 0 && this.#clock.now() - this.#last >= CLIENTS_ARE_QUIET_AFTER_MS
  }

  asked(): void {
    this.#open++
  }

  answered(): void {
    this.#open--
    this.#last = this.#clock.now()
  }

  /** By way of a primary elsewhere. */
  wrote(): void {
    this.#last = this.#clock.now()
  }
}
