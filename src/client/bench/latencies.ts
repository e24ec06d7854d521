// How long operations took, in memory that does not grow with their number: counts of times that
// differ by less than a thousandth.
import { createHistogram } from 'node:perf_hooks'

const NS_PER_MS = 1e6
const NS_PER_S = 1e9
/** Three months, in nanoseconds: longer than any operation is held. */
const SHAPE = { lowest: 1, highest: Number.MAX_SAFE_INTEGER, figures: 3 }

/** Seconds. */
export interface LatencySummary {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class Latencies {
  readonly #histogram = createHistogram(SHAPE)

  get count(): number {
    return this.#histogram.count
  }

  /** Milliseconds, below and above which there is nothing: at least a nanosecond. */
  add(duration: number): void {
    const nanoseconds = Math.round(duration * NS_PER_MS)
    this.#histogram.record(Math.min(Math.max(nanoseconds, SHAPE.lowest), SHAPE.highest))
  }

  /** Each a thousandth too long at most; null if there was no operation. */
  summary(): LatencySummary | null {
    if (this.count === 0) return null
    const seconds = (percent: number): number => this.#histogram.percentile(percent) / NS_PER_S
    return { p50: seconds(50), p99: seconds(99), max: this.#histogram.max / NS_PER_S }
  }
}
