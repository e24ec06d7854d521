// The hedges of one client, all volumes together: the pure state of hedge-state.ts, and a slot for
// each read that was hedged, given back when nobody is outstanding for it any more.
import { hedgeDelay, hedgeStateAfter, mayHedge, NO_HEDGES } from './hedge-state.js'

export interface HedgeSlot {
  over(): void
}

export class Hedges {
  #state = NO_HEDGES

  /** Milliseconds after which a read that was asked of one replica takes far longer than usual. */
  get delay(): number {
    return hedgeDelay(this.#state)
  }

  get outstanding(): number {
    return this.#state.hedged
  }

  asked(): void {
    this.#state = hedgeStateAfter(this.#state, { kind: 'asked' })
  }

  answered(latency: number): void {
    this.#state = hedgeStateAfter(this.#state, { kind: 'answered', latency })
  }

  /** The slot of a read of so many bytes; null if there are too many. */
  begin(bytes: number): HedgeSlot | null {
    if (!mayHedge(this.#state, bytes)) return null
    this.#state = hedgeStateAfter(this.#state, { kind: 'hedged', bytes })
    return { over: () => (this.#state = hedgeStateAfter(this.#state, { kind: 'over', bytes })) }
  }

  /** For a read that has its slot: whether one more replica may be asked. */
  again(): boolean {
    if (!mayHedge(this.#state, null)) return false
    this.#state = hedgeStateAfter(this.#state, { kind: 'hedged', bytes: null })
    return true
  }
}
