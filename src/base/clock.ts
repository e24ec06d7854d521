// Time comes in by constructor, so that whole clusters run in virtual time (design §9).
// Nothing outside this file and the simulator asks the system for the time or sets a timer.
import { performance } from 'node:perf_hooks'
import { milliseconds, type Milliseconds } from './brands.js'

export interface Timer {
  /** Does nothing when the timer has fired or was cancelled. */
  cancel(): void
}

export interface Clock {
  /** Monotonic; its zero means nothing. */
  now(): Milliseconds
  /**
   * Calendar time in ISO 8601, for records that people read. Never used to decide anything but
   * when snapshots by schedule are due.
   */
  date(): string
  /** The same in milliseconds since 1970, for what is hardly ever shown: see dateOf(). */
  time(): number
  /** Calls once, after at least `delay` milliseconds. Does not keep the process alive. */
  after(delay: number, callback: () => void): Timer
}

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout

  constructor(delay: number, callback: () => void) {
    this.#timeout = setTimeout(callback, delay)
    this.#timeout.unref()
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }
}

export const systemClock: Clock = {
  now: () => milliseconds(performance.now()),
  date: () => new Date().toISOString(),
  time: () => Date.now(),
  after: (delay, callback) => new SystemTimer(delay, callback),
}

/** A Clock's time() as its date() has it. */
export function dateOf(time: number): string {
  return new Date(time).toISOString()
}

/** A promise for `delay` milliseconds of the given clock. */
export function wait(clock: Clock, delay: number): Promise<void> {
  return new Promise(resolve => {
    clock.after(delay, resolve)
  })
}
