// How fast copies of blocks may go in and out: so many bytes a second, with a second's worth at
// once, so that small things are not held up; and, if that is asked for, one after the other with
// some time between their beginnings. What is asked for beyond that waits its turn. Pure.

interface Moment {
  readonly now: number
  /** Bytes a second. */
  readonly rate: number
  /** Milliseconds between this and the next one that asks for some as well. */
  readonly apart?: number
}

export class PaceState {
  /** Bytes that were given out and are not paid for by time yet. */
  #owed = 0
  #at = 0
  /** Before this nothing begins that wants time to itself. */
  #next = 0

  /** Milliseconds to wait before these bytes may move; they count from now on. */
  take({ now, rate, apart = 0 }: Moment, bytes: number): number {
    const ahead = this.#ahead({ now, rate }, bytes)
    this.#owed += bytes
    const turn = apart === 0 ? now : Math.max(now, this.#next)
    if (apart > 0) this.#next = turn + apart
    return Math.max(turn - now, ahead)
  }

  /** Milliseconds that so much would wait if it were asked for now, for its bytes alone. */
  wouldWait(moment: Moment, bytes: number): number {
    return Math.max(0, this.#ahead(moment, bytes))
  }

  #ahead({ now, rate }: Moment, bytes: number): number {
    this.#owed = Math.max(0, this.#owed - ((now - this.#at) * rate) / 1000)
    this.#at = now
    return ((this.#owed + bytes - rate) * 1000) / rate
  }
}
