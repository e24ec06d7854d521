// Whether the mount sleeps until the next event, or stays awake for it. To wake a process up costs
// tens of microseconds, on a virtual machine whose idle cores are given back more than that; a
// program that reads block after block pays it twice for each, and it is more than half of what it
// waits for. So where the next event usually comes within a fraction of a millisecond we stay awake
// for so long. How soon they come is seen whether we sleep or not: nothing has to be tried out.
import type { Clock } from '../../base/clock.js'
import {
  FUSE_AWAKE_MS,
  FUSE_AWAKE_REQUESTS_MAX,
  FUSE_AWAKE_SHARE,
  FUSE_AWAKE_TURN_MS,
} from '../../base/limits.js'

/** One event in sixteen decides. */
const SMOOTHING = 1 / 16

/** How often what is waited for comes soon. Pure. */
export class Promptness {
  /** Of the last waits, those that ended soon, from 0 to 1. */
  #share = 0
  #began: number | null = null

  /** From now on it is waited for; true if it is worth staying awake. */
  begin(now: number): boolean {
    this.#began = now
    return this.#share >= FUSE_AWAKE_SHARE
  }

  /** It has come. */
  came(now: number): void {
    if (this.#began === null) return
    const soon = now - this.#began <= FUSE_AWAKE_MS
    this.#began = null
    this.#share += ((soon ? 1 : 0) - this.#share) * SMOOTHING
  }
}

export interface WakefulnessOptions {
  readonly clock: Clock
  /** False on a machine with one core: there everybody else would have to wait. */
  readonly allowed: boolean
  /** Requests that have no answer yet. */
  readonly underWay: () => number
  /** setImmediate: the event loop does not sleep as long as one waits. */
  readonly nextTurn: (call: () => void) => void
}

export class Wakefulness {
  readonly #options: WakefulnessOptions
  /** After a request its answer, and after an answer the next request. */
  readonly #answers = new Promptness()
  readonly #requests = new Promptness()
  #until = 0
  #awake = false

  constructor(options: WakefulnessOptions) {
    this.#options = options
  }

  asked(): void {
    const now = this.#options.clock.now()
    this.#requests.came(now)
    this.#stay(this.#answers.begin(now), now)
  }

  answered(): void {
    const now = this.#options.clock.now()
    this.#answers.came(now)
    this.#stay(this.#requests.begin(now), now)
  }

  #stay(worthwhile: boolean, now: number): void {
    const { allowed, underWay, nextTurn } = this.#options
    // Who has many under way is never idle for long, and the servers may want the cores.
    const stays = worthwhile && allowed && underWay() <= FUSE_AWAKE_REQUESTS_MAX
    this.#until = stays ? now + FUSE_AWAKE_MS : 0
    if (!stays || this.#awake) return
    this.#awake = true
    nextTurn(this.#turn)
  }

  readonly #turn = (): void => {
    const { clock, nextTurn } = this.#options
    const now = clock.now()
    this.#awake = now < this.#until
    if (!this.#awake) return
    nextTurn(this.#turn)
    // A turn of the loop costs system calls and garbage: not more of them than help.
    while (clock.now() - now < FUSE_AWAKE_TURN_MS);
  }
}
