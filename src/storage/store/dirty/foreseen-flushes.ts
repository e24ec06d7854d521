// The flushes of a shard, asked for and foreseen. Databases and journals write a piece and flush
// it, again and again; for them the disk begins as soon as the piece is there, while the answer to
// the write and the FLUSH after it are still on their way, which take longer than the disk.
import { Coalesced } from '../../../base/coalesced.js'

/** Whether a FLUSH will follow a write. Pure. */
export class FlushForecast {
  readonly #after: number
  /** Since the last FLUSH. */
  #writes = 0
  /** FLUSHes in a row that each came after a single write. */
  #singles = 0

  /** Foreseen after so many that came. */
  constructor(after: number) {
    this.#after = after
  }

  /** True if a FLUSH will follow. Who was wrong once has to learn anew. */
  written(): boolean {
    this.#writes++
    if (this.#writes > 1) this.#singles = 0
    return this.#singles >= this.#after
  }

  /** It has come. */
  flushed(): void {
    if (this.#writes === 1) this.#singles++
    this.#writes = 0
  }
}

export class ForeseenFlushes {
  readonly #flushes: Coalesced
  readonly #forecast: FlushForecast

  /** `flush` covers every write that has been called before it. */
  constructor(flush: () => Promise<void>, foreseenAfter: number) {
    this.#flushes = new Coalesced(flush)
    this.#forecast = new FlushForecast(foreseenAfter)
  }

  /** A write was called. */
  written(): void {
    if (!this.#forecast.written() || this.#flushes.running) return
    // Its failure is told to whoever asks next.
    this.#flushes.request().catch(() => undefined)
  }

  request(): Promise<void> {
    this.#forecast.flushed()
    return this.#flushes.request()
  }
}
