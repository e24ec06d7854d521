// The clock of one process: when the process dies, none of its timers fires any more.
import type { Milliseconds } from '../../src/base/brands.js'
import type { Clock, Timer } from '../../src/base/clock.js'

export class MortalClock implements Clock {
  readonly #clock: Clock
  #alive = true
  #tellDeath: () => void = () => undefined
  /** Resolves when the process dies. */
  readonly death: Promise<void>

  constructor(clock: Clock) {
    this.#clock = clock
    this.death = new Promise(resolve => (this.#tellDeath = resolve))
  }

  get alive(): boolean {
    return this.#alive
  }

  now(): Milliseconds {
    return this.#clock.now()
  }

  date(): string {
    return this.#clock.date()
  }

  time(): number {
    return this.#clock.time()
  }

  after(delay: number, callback: () => void): Timer {
    return this.#clock.after(delay, () => {
      if (this.#alive) callback()
    })
  }

  die(): void {
    this.#alive = false
    this.#tellDeath()
  }
}
