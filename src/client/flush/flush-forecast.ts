// Databases and journals write a piece and flush it, again and again. Where a FLUSH can be foreseen
// the write asks to be durable itself: one request then does what took two, one after the other.
// Pure.

/** Whether a FLUSH will follow a write of a volume. */
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
