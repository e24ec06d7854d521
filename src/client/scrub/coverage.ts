// Which copies of one shard a scrub has looked at from their beginning to their end: one that was
// missed once, or that came later, has not been. Pure.
import type { PeerId } from '../../base/brands.js'

const CAME_LATER = 'became in-sync while the scrub was under way'

export class Coverage {
  readonly #checked = new Map<PeerId, number>()
  /** The first reason counts. */
  readonly #missed = new Map<PeerId, string>()
  #steps = 0

  /** The scrub goes on, and has looked at these copies. */
  step(checked: Iterable<PeerId>): void {
    this.#steps++
    for (const server of checked) {
      this.#checked.set(server, (this.#checked.get(server) ?? 0) + 1)
    }
  }

  missed(server: PeerId, reason: string): void {
    if (!this.#missed.has(server)) this.#missed.set(server, reason)
  }

  /** Whether this copy was looked at whole. */
  isWhole(server: PeerId): boolean {
    return !this.#missed.has(server) && (this.#checked.get(server) ?? 0) === this.#steps
  }

  /** Of the servers that have a copy in the end, those that were not, and why. */
  unchecked(servers: Iterable<PeerId>): ReadonlyMap<PeerId, string> {
    const found = new Map<PeerId, string>()
    for (const server of servers) {
      if (this.isWhole(server)) continue
      found.set(server, this.#missed.get(server) ?? CAME_LATER)
    }
    return found
  }
}
