// When a read is asked of a second replica because the first one takes so long (*hedged*), as a
// pure state: how long reads took lately, and how many more reads this client may make of it.
//
//   delay   far longer than usual: three times what answers take, or four times their deviation
//           above it, whichever is more; never so short that a hiccup counts, and never so long
//           that a server which has stopped is felt for a second
//   share   every read earns a fraction of a hedge, up to a window full of them: a server that
//           stops strands no more at once; where everything is slow, hedges add little to it
//   bound   those whose loser has not answered take no more than another window
import {
  CLIENT_WINDOW_BYTES,
  CLIENT_WINDOW_REQUESTS,
  HEDGE_DELAY_MAX_MS,
  HEDGE_DELAY_MIN_MS,
  HEDGE_SHARE,
} from '../../base/limits.js'

export type HedgeEvent =
  /** A replica is asked for a read, the first one or in place of another. */
  | { readonly kind: 'asked' }
  /** An answer that decided a read, after so many milliseconds. */
  | { readonly kind: 'answered'; readonly latency: number }
  /** The first time, with its length; one more replica of the same read has none. */
  | { readonly kind: 'hedged'; readonly bytes: number | null }
  /** Nobody is outstanding any more for a read that was hedged. */
  | { readonly kind: 'over'; readonly bytes: number }

/** As for a server's latency: one answer in eight decides... */
const USUAL_SMOOTHING = 1 / 8
/** ...and one in four how much they vary, so that a change makes the delay longer first. */
const DEVIATION_SMOOTHING = 1 / 4
const TIMES_USUAL = 3
const DEVIATIONS = 4

/** Changed in place: every read has two events, and each would leave a copy behind. */
export class HedgeState {
  /** How long answers took, in milliseconds, smoothed; null before the first. */
  #usual: number | null = null
  /** How far they were from that, smoothed. */
  #deviation = 0
  #credit = CLIENT_WINDOW_REQUESTS
  #hedged = 0
  #bytes = 0

  /** Hedges that have been earned and not made. */
  get credit(): number {
    return this.#credit
  }

  /** Hedged reads that still wait for somebody... */
  get hedged(): number {
    return this.#hedged
  }

  /** ...and the length of them. */
  get bytes(): number {
    return this.#bytes
  }

  take(event: HedgeEvent): void {
    switch (event.kind) {
      case 'asked':
        this.#credit = Math.min(CLIENT_WINDOW_REQUESTS, this.#credit + HEDGE_SHARE)
        return
      case 'answered':
        return this.#measured(Math.min(event.latency, HEDGE_DELAY_MAX_MS))
      case 'hedged':
        this.#credit = Math.max(0, this.#credit - 1)
        if (event.bytes === null) return
        this.#hedged++
        this.#bytes += event.bytes
        return
      case 'over':
        this.#hedged--
        this.#bytes -= event.bytes
        return
    }
  }

  /** For how long a read is left to the replica that was asked, in milliseconds. */
  get delay(): number {
    if (this.#usual === null) return HEDGE_DELAY_MAX_MS
    const long = Math.max(TIMES_USUAL * this.#usual, this.#usual + DEVIATIONS * this.#deviation)
    return Math.min(HEDGE_DELAY_MAX_MS, Math.max(HEDGE_DELAY_MIN_MS, long))
  }

  /** Whether a read may be hedged, with its length the first time, else null. */
  mayHedge(bytes: number | null): boolean {
    if (this.#credit < 1) return false
    if (bytes === null) return true
    return this.#hedged < CLIENT_WINDOW_REQUESTS && this.#bytes + bytes <= CLIENT_WINDOW_BYTES
  }

  /** More than the longest delay would say nothing more, and take long to be forgotten. */
  #measured(latency: number): void {
    if (this.#usual === null) {
      this.#usual = latency
      this.#deviation = latency / 2
      return
    }
    const apart = Math.abs(latency - this.#usual)
    this.#usual += (latency - this.#usual) * USUAL_SMOOTHING
    this.#deviation += (apart - this.#deviation) * DEVIATION_SMOOTHING
  }
}
