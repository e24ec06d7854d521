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
  /** Calls once, after at least `delay` milliseconds. Does not keep the process alive. */
  after(delay: number, callback: () => void): Timer
}

export const systemClock: Clock = {
  now: () => milliseconds(performance.now()),
  date: () => new Date().toISOString(),
  after(delay, callback) {
    const timer = setTimeout(callback, delay)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}

/** A promise for `delay` milliseconds of the given clock. */
export function wait(clock: Clock, delay: number): Promise<void> {
  return new Promise(resolve => {
    clock.after(delay, resolve)
  })
}
