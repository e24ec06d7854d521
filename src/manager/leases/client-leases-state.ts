// When the leader last heard of each client that is attached to a volume. For one leadership: under
// another leader, and when it is new, a client counts as heard of at the beginning. Pure: times are
// given.
import type { PeerId } from '../../base/brands.js'
import { CLIENT_LEASE_MS } from '../../base/limits.js'
import type { Configuration } from '../../layout/configuration.js'

interface Heard {
  at: number
  /** ISO 8601; null: it only counts as heard of. */
  date: string | null
}

export class ClientLeasesState {
  readonly #clients = new Map<PeerId, Heard>()

  /** The newest configuration: clients that are attached anew count as heard of now. */
  adopt({ volumes }: Configuration, now: number): void {
    const attached = new Set<PeerId>()
    for (const { attachments } of volumes.values()) {
      for (const { client } of attachments) attached.add(client)
    }
    for (const client of attached) {
      if (!this.#clients.has(client)) this.#clients.set(client, { at: now, date: null })
    }
    for (const client of [...this.#clients.keys()]) {
      if (!attached.has(client)) this.#clients.delete(client)
    }
  }

  heard(client: PeerId, time: { readonly now: number; readonly date: string }): void {
    const known = this.#clients.get(client)
    if (!known) return
    known.at = time.now
    known.date = time.date
  }

  /** Milliseconds; 0 for clients that are not attached. */
  silence(client: PeerId, now: number): number {
    const known = this.#clients.get(client)
    return known ? now - known.at : 0
  }

  /** ISO 8601; null: not in this leadership. */
  lastSeen(client: PeerId): string | null {
    return this.#clients.get(client)?.date ?? null
  }

  /** Others may have its place. It may live all the same, and is not fenced before they take it. */
  expired(client: PeerId, now: number): boolean {
    return this.silence(client, now) >= CLIENT_LEASE_MS
  }
}
