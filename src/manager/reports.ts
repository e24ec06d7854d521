// What storage servers and clients last said of themselves. Only for `status`: nothing is decided
// by it. A storage server's last words stay while it is away, a client's go with its connection.
import type { PeerId } from '../base/brands.js'
import { SERVERS_MAX } from '../base/limits.js'
import type { ClientReport, StorageReport } from '../net/messages.js'

export class Reports {
  readonly #servers = new Map<PeerId, StorageReport>()
  readonly #clients = new Map<PeerId, ClientReport>()
  #mismatches = 0

  storage(from: PeerId, report: StorageReport): void {
    this.#servers.delete(from)
    this.#servers.set(from, report)
    if (this.#servers.size <= SERVERS_MAX) return
    for (const oldest of this.#servers.keys()) {
      this.#servers.delete(oldest)
      return
    }
  }

  client(from: PeerId, report: ClientReport): void {
    this.#clients.set(from, report)
  }

  mismatch(): void {
    this.#mismatches++
  }

  disconnected(peer: PeerId): void {
    this.#clients.delete(peer)
  }

  get servers(): ReadonlyMap<PeerId, StorageReport> {
    return this.#servers
  }

  get clients(): ReadonlyMap<PeerId, ClientReport> {
    return this.#clients
  }

  /** Requests that somebody saw from another epoch, since the start. */
  get mismatches(): number {
    return this.#mismatches
  }
}
