// Retries wait here for something to change (a new configuration, a peer that came or was rerouted)
// or, at the latest, for a while: an event may be missed, and some conditions, like a full disk,
// end without one.
import type { Clock } from '../base/clock.js'

export class Wakeup {
  readonly #clock: Clock
  readonly #sleepers = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `awake` once, after `delay` at most; the function returned stops waiting. */
  sleep(delay: number, awake: () => void): () => void {
    const wake = (): void => {
      timer.cancel()
      if (this.#sleepers.delete(wake)) awake()
    }
    const timer = this.#clock.after(delay, wake)
    this.#sleepers.add(wake)
    return () => {
      timer.cancel()
      this.#sleepers.delete(wake)
    }
  }

  all(): void {
    for (const wake of [...this.#sleepers]) wake()
  }
}
