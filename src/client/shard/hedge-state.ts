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

export interface HedgeState {
  /** How long answers took, in milliseconds, smoothed; null before the first. */
  readonly usual: number | null
  /** How far they were from that, smoothed. */
  readonly deviation: number
  /** Hedges that have been earned and not made. */
  readonly credit: number
  /** Hedged reads that still wait for somebody, and the length of them. */
  readonly hedged: number
  readonly bytes: number
}

export type HedgeEvent =
  /** A replica is asked for a read, the first one or in place of another. */
  | { readonly kind: 'asked' }
  /** An answer that decided a read, after so many milliseconds. */
  | { readonly kind: 'answered'; readonly latency: number }
  /** The first time, with its length; one more replica of the same read has none. */
  | { readonly kind: 'hedged'; readonly bytes: number | null }
  /** Nobody is outstanding any more for a read that was hedged. */
  | { readonly kind: 'over'; readonly bytes: number }

export const NO_HEDGES: HedgeState = {
  usual: null,
  deviation: 0,
  credit: CLIENT_WINDOW_REQUESTS,
  hedged: 0,
  bytes: 0,
}

/** As for a server's latency: one answer in eight decides... */
const USUAL_SMOOTHING = 1 / 8
/** ...and one in four how much they vary, so that a change makes the delay longer first. */
const DEVIATION_SMOOTHING = 1 / 4
const TIMES_USUAL = 3
const DEVIATIONS = 4

export function hedgeStateAfter(state: HedgeState, event: HedgeEvent): HedgeState {
  switch (event.kind) {
    case 'asked':
      return { ...state, credit: Math.min(CLIENT_WINDOW_REQUESTS, state.credit + HEDGE_SHARE) }
    case 'answered':
      return { ...state, ...measured(state, Math.min(event.latency, HEDGE_DELAY_MAX_MS)) }
    case 'hedged': {
      const { hedged, bytes, credit } = state
      const more = event.bytes === null ? 0 : 1
      const left = Math.max(0, credit - 1)
      return { ...state, credit: left, hedged: hedged + more, bytes: bytes + (event.bytes ?? 0) }
    }
    case 'over':
      return { ...state, hedged: state.hedged - 1, bytes: state.bytes - event.bytes }
  }
}

/** Longer answers than the longest delay say nothing more, and would take long to be forgotten. */
function measured(
  { usual, deviation }: HedgeState,
  latency: number,
): Pick<HedgeState, 'usual' | 'deviation'> {
  if (usual === null) return { usual: latency, deviation: latency / 2 }
  const apart = Math.abs(latency - usual)
  return {
    usual: usual + (latency - usual) * USUAL_SMOOTHING,
    deviation: deviation + (apart - deviation) * DEVIATION_SMOOTHING,
  }
}

/** For how long a read is left to the replica that was asked, in milliseconds. */
export function hedgeDelay({ usual, deviation }: HedgeState): number {
  if (usual === null) return HEDGE_DELAY_MAX_MS
  const long = Math.max(TIMES_USUAL * usual, usual + DEVIATIONS * deviation)
  return Math.min(HEDGE_DELAY_MAX_MS, Math.max(HEDGE_DELAY_MIN_MS, long))
}

/** Whether a read may be hedged, with its length the first time, else null. */
export function mayHedge(state: HedgeState, bytes: number | null): boolean {
  if (state.credit < 1) return false
  if (bytes === null) return true
  return state.hedged < CLIENT_WINDOW_REQUESTS && state.bytes + bytes <= CLIENT_WINDOW_BYTES
}
