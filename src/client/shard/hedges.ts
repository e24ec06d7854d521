// The hedges of one client, all volumes together: the pure state of hedge-state.ts, and a slot for
// each read that was hedged, given back when nobody is outstanding for it any more.
import { HedgeState, type HedgeEvent } from './hedge-state.js'

const ASKED: HedgeEvent = { kind: 'asked' }

export interface HedgeSlot {
  over(): void
}

export class Hedges {
  readonly #state = new HedgeState()

  /** Milliseconds after which a read that was asked of one replica takes far longer than usual. */
  get delay(): number {
    return this.#state.delay
  }

  get outstanding(): number {
    return this.#state.hedged
  }

  asked(): void {
    this.#state.take(ASKED)
  }

  answered(latency: number): void {
    this.#state.take({ kind: 'answered', latency })
  }

  /** The slot of a read of so many bytes; null if there are too many. */
  begin(bytes: number): HedgeSlot | null {
    if (!this.#state.mayHedge(bytes)) return null
    this.#state.take({ kind: 'hedged', bytes })
    return { over: () => this.#state.take({ kind: 'over', bytes }) }
  }

  /** For a read that has its slot: whether one more replica may be asked. */
  again(): boolean {
    if (!this.#state.mayHedge(null)) return false
    this.#state.take({ kind: 'hedged', bytes: null })
    return true
  }
}
