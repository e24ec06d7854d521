// How long storage servers have been down, as the leader counts it: from when it saw that they are,
// in its leadership. A new leader begins anew, which only makes the wait longer.
import type { PeerId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import type { Configuration } from '../../layout/configuration.js'
import { isDown } from '../../layout/replicas.js'

export interface AbsencesOptions {
  readonly clock: Clock
  /** Milliseconds after which a server that is down is gone. */
  readonly rebuildAfter: number
  /** One more is gone. */
  readonly onGone: () => void
}

export class Absences {
  readonly #o: AbsencesOptions
  readonly #since = new Map<PeerId, number>()
  #timer: Timer | null = null

  constructor(options: AbsencesOptions) {
    this.#o = options
  }

  /** The newest configuration; null while this manager does not lead. */
  adopt(configuration: Configuration | null): void {
    const now = this.#o.clock.now()
    for (const id of [...this.#since.keys()]) {
      if (!configuration || !isDown(configuration, id)) this.#since.delete(id)
    }
    for (const id of configuration?.servers.keys() ?? []) {
      if (isDown(configuration!, id) && !this.#since.has(id)) this.#since.set(id, now)
    }
    this.#arm()
  }

  get gone(): ReadonlySet<PeerId> {
    const now = this.#o.clock.now()
    return new Set([...this.#since.keys()].filter(id => this.#end(id) <= now))
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Computed in one way: what the timer waits for counts when it fires, to the last bit. */
  #end(server: PeerId): number {
    return this.#since.get(server)! + this.#o.rebuildAfter
  }

  /** One timer, for the next one that will be gone. */
  #arm(): void {
    this.stop()
    const { clock, onGone } = this.#o
    const now = clock.now()
    const ends = [...this.#since.keys()].map(id => this.#end(id))
    const next = Math.min(...ends.filter(end => end > now))
    if (next === Infinity) return
    this.#timer = clock.after(next - now, () => {
      this.#arm()
      onGone()
    })
  }
}
