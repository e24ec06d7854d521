// Whether a small read of a file is made at once, on the main thread, or by a thread of the pool. A
// page that is in the page cache is copied in microseconds, where the way through the pool takes
// ten times that; but a device may take milliseconds, in which this process would do nothing else.
// Nobody can ask the kernel beforehand, so this goes by how long such reads took lately: where they
// wait for the device, reads go to the pool, and now and then one is tried, ever more seldom. Pure.
import {
  PROMPT_READ_MS,
  PROMPT_READ_PROBE_MAX,
  PROMPT_READ_PROBE_MIN,
  PROMPT_READ_STALL_MS,
  PROMPT_READ_WORST_MS,
} from '../base/limits.js'

/** One read in sixteen decides: a process that lost its core for a while does not. */
const SMOOTHING = 1 / 16

export class PromptReads {
  /** Milliseconds that they took lately. */
  #usual = 0
  /** Reads that still go to the pool. */
  #pooled = 0
  /** That many, the next time. */
  #pause = PROMPT_READ_PROBE_MIN

  /** To be asked before each attempt. */
  mayRead(): boolean {
    if (this.#pooled === 0) return true
    this.#pooled--
    return false
  }

  /** One was made at once. */
  took(milliseconds: number): void {
    // Not a hiccup: a device in trouble, for which the whole process must not wait again soon.
    if (milliseconds > PROMPT_READ_STALL_MS) this.#pooled = this.#pause = PROMPT_READ_PROBE_MAX
    this.#usual += (Math.min(milliseconds, PROMPT_READ_WORST_MS) - this.#usual) * SMOOTHING
    if (this.#usual > PROMPT_READ_MS) {
      this.#pooled = this.#pause
      this.#pause = Math.min(2 * this.#pause, PROMPT_READ_PROBE_MAX)
      // Half way: a device shows itself again in the first few, a cache is believed in a few more.
      this.#usual = PROMPT_READ_MS / 2
    } else if (this.#usual < PROMPT_READ_MS / 4) this.#pause = PROMPT_READ_PROBE_MIN
  }
}
