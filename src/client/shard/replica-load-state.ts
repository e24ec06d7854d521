// What a client knows of how busy a storage server is, as a pure state: requests it has outstanding
// there, how long answers took lately, and the queue that the last answer told of. The estimate of
// a server that was not asked for a while fades, so that a slow one is tried again. (Reads go to
// the replica with the lowest cost, see routing.ts.)

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

/** One answer in eight decides: steady under jitter, and follows a change within ten answers. */
const SMOOTHING = 1 / 8
/** An estimate is worth half after this, so a server found slow is asked again within seconds. */
const HALF_LIFE_MS = 1_000
/** What a request costs before anything was measured; keeps cost in order of outstanding. */
const BASE_LATENCY_MS = 0.2

/** Changed in place: every request has two events, and each would leave a copy behind. */
export class ReplicaLoad {
  #outstanding = 0
  /** Of reads: smoothed, in milliseconds. */
  #latency = 0
  #queue = 0
  /** When latency and queue were last heard of; they have been fading since. */
  #at = 0

  get outstanding(): number {
    return this.#outstanding
  }

  get latency(): number {
    return this.#latency
  }

  take(event: LoadEvent, now: number): void {
    switch (event.kind) {
      case 'sent':
        this.#outstanding++
        return
      case 'lost':
        return this.#ended()
      case 'slow':
        return this.#slow(event.latency, now)
      case 'overdue':
        this.#ended()
        return this.#slow(event.latency, now)
      case 'answered': {
        // From what is left of the estimate: one good answer must not bring back what has faded.
        const known = this.#latency * this.#faded(now)
        this.#latency = known + ((event.latency ?? known) - known) * SMOOTHING
        this.#queue = event.queue
        this.#at = now
        return this.#ended()
      }
    }
  }

  /** The expected time of one more request there, in arbitrary units. */
  cost(now: number): number {
    const left = this.#faded(now)
    const ahead = this.#outstanding + this.#queue * left + 1
    return ahead * (BASE_LATENCY_MS + this.#latency * left)
  }

  #ended(): void {
    this.#outstanding = Math.max(0, this.#outstanding - 1)
  }

  #slow(latency: number, now: number): void {
    const left = this.#faded(now)
    this.#latency = Math.max(this.#latency * left, latency)
    this.#queue *= left
    this.#at = now
  }

  /** What an estimate is still worth, from 1 down to nothing. */
  #faded(now: number): number {
    return 0.5 ** (Math.max(0, now - this.#at) / HALF_LIFE_MS)
  }
}
