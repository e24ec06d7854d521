// What a client knows of how busy a storage server is, as a pure state: requests it has outstanding
// there, how long answers took lately, and the queue that the last answer told of. The estimate of
// a server that was not asked for a while fades, so that a slow one is tried again. (Reads go to
// the replica with the lowest cost, see routing.ts.)

export interface ReplicaLoad {
  readonly outstanding: number
  /** Smoothed, in milliseconds. */
  readonly latency: number
  readonly queue: number
  /** When latency and queue were last heard of. */
  readonly at: number
}

export type LoadEvent =
  | { readonly kind: 'sent' }
  | { readonly kind: 'answered'; readonly latency: number; readonly queue: number }
  /** The link broke, or nobody needs the answer any more. */
  | { readonly kind: 'lost' }
  /** No answer for so long, which is far longer than usual; one may still come. */
  | { readonly kind: 'slow'; readonly latency: number }
  /** No answer within the deadline: it is at least that slow. */
  | { readonly kind: 'overdue'; readonly latency: number }

export const IDLE_LOAD: ReplicaLoad = { outstanding: 0, latency: 0, queue: 0, at: 0 }

/** One answer in eight decides: steady under jitter, and follows a change within ten answers. */
const SMOOTHING = 1 / 8
/** An estimate is worth half after this, so a server found slow is asked again within seconds. */
const HALF_LIFE_MS = 1_000
/** What a request costs before anything was measured; keeps cost in order of outstanding. */
const BASE_LATENCY_MS = 0.2

export function loadAfter(load: ReplicaLoad, event: LoadEvent, now: number): ReplicaLoad {
  switch (event.kind) {
    case 'sent':
      return { ...load, outstanding: load.outstanding + 1 }
    case 'lost':
      return { ...load, outstanding: Math.max(0, load.outstanding - 1) }
    case 'slow':
      return { ...load, latency: Math.max(load.latency, event.latency), at: now }
    case 'answered': {
      const latency = load.latency + (event.latency - load.latency) * SMOOTHING
      return {
        outstanding: Math.max(0, load.outstanding - 1),
        latency,
        queue: event.queue,
        at: now,
      }
    }
    case 'overdue': {
      const latency = Math.max(load.latency, event.latency)
      return { ...load, outstanding: Math.max(0, load.outstanding - 1), latency, at: now }
    }
  }
}

/** The expected time of one more request there, in arbitrary units. */
export function loadCost(load: ReplicaLoad, now: number): number {
  const faded = 0.5 ** (Math.max(0, now - load.at) / HALF_LIFE_MS)
  const ahead = load.outstanding + load.queue * faded + 1
  return ahead * (BASE_LATENCY_MS + load.latency * faded)
}
