// Dials again and again while a connection is missing: members of the configuration every second
// or two, direct links with growing pauses. Pauses vary at random, so that two sides, or a hundred
// clients of a server that restarts, do not dial in step.
import type { Clock, Timer } from '../../base/clock.js'
import { REDIAL_INTERVAL_MS } from '../../base/limits.js'
import type { Random } from '../../base/random.js'

export interface RedialOptions {
  readonly clock: Clock
  readonly random: Random
  readonly needed: () => boolean
  readonly attempt: () => Promise<void>
  /** The longest pause between two attempts. */
  readonly longest: () => number
}

export class Redial {
  readonly #options: RedialOptions
  #timer: Timer | null = null
  #stopped = false
  #attempts = 0

  constructor(options: RedialOptions) {
    this.#options = options
  }

  /** The first attempt follows after `delay`, or at once. */
  start(delay: number | null): void {
    if (delay === null) void this.#try()
    else this.#later(delay)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #try(): Promise<void> {
    const { needed, attempt, longest, random } = this.#options
    if (needed()) {
      await attempt()
      if (this.#stopped) return
      this.#attempts++
    } else {
      this.#attempts = 0
    }
    const doubled = REDIAL_INTERVAL_MS * 2 ** Math.max(0, Math.min(this.#attempts - 1, 10))
    const pause = Math.min(doubled, longest())
    this.#later(pause * (0.75 + random.below(500) / 1_000))
  }

  #later(delay: number): void {
    if (this.#stopped) return
    this.#timer = this.#options.clock.after(delay, () => {
      void this.#try()
    })
  }
}
