// How fast copies of blocks may go in and out: so many bytes a second, with a second's worth at
// once, so that small things are not held up. What is asked for beyond that waits its turn. Pure.

export class PaceState {
  /** Bytes that were given out and are not paid for by time yet. */
  #owed = 0
  #at = 0

  /** Milliseconds to wait before these bytes may move; they count from now on. */
  take(moment: { readonly now: number; readonly rate: number }, bytes: number): number {
    const { now, rate } = moment
    this.#owed = Math.max(0, this.#owed - ((now - this.#at) * rate) / 1000)
    this.#at = now
    this.#owed += bytes
    return Math.max(0, ((this.#owed - rate) * 1000) / rate)
  }
}
