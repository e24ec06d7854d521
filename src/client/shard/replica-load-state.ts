// What a client knows of how busy a storage server is, as a pure state: requests it has outstanding
// there, how long answers took lately, and the queue that the last answer told of. The estimate of
// a server that was not asked for a while fades, so that a slow one is tried again. (Reads go to
// the replica with the lowest cost, see routing.ts.)

export interface ReplicaLoad {
  readonly outstanding: number
  /** Of reads: smoothed, in milliseconds. */
  readonly latency: number
  readonly queue: number
  /** When latency and queue were last heard of; they have been fading since. */
  readonly at: number
}

export type LoadEvent =
  | { readonly kind: 'sent' }
  /**
   * The latency is null for a write or a FLUSH: what those take is for other replicas and for the
   * disk to sync, and says nothing of how soon a read would be answered.
   */
  | { readonly kind: 'answered'; readonly latency: number | null; readonly queue: number }
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
      return { ...load, ...slow(load, event, now) }
    case 'overdue': {
      const outstanding = Math.max(0, load.outstanding - 1)
      return { ...load, ...slow(load, event, now), outstanding }
    }
    case 'answered': {
      // From what is left of the estimate: one good answer must not bring back what has faded.
      const known = load.latency * faded(load, now)
      const latency = known + ((event.latency ?? known) - known) * SMOOTHING
      const outstanding = Math.max(0, load.outstanding - 1)
      return { outstanding, latency, queue: event.queue, at: now }
    }
  }
}

function slow(
  load: ReplicaLoad,
  { latency }: { readonly latency: number },
  now: number,
): Pick<ReplicaLoad, 'latency' | 'queue' | 'at'> {
  const left = faded(load, now)
  return { latency: Math.max(load.latency * left, latency), queue: load.queue * left, at: now }
}

/** What an estimate is still worth, from 1 down to nothing. */
function faded({ at }: ReplicaLoad, now: number): number {
  return 0.5 ** (Math.max(0, now - at) / HALF_LIFE_MS)
}

/** The expected time of one more request there, in arbitrary units. */
export function loadCost(load: ReplicaLoad, now: number): number {
  const left = faded(load, now)
  const ahead = load.outstanding + load.queue * left + 1
  return ahead * (BASE_LATENCY_MS + load.latency * left)
}
