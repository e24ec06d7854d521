// Which manager this server talks to: one at a time, the leader where it is known and answers. Any
// manager passes on what only the leader can do, so any will do.
import type { PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { MANAGER_DOUBTED_MS } from '../../base/limits.js'
import type { Configuration } from '../../layout/configuration.js'
import type { PeerInfo, Peers } from '../../net/peers.js'

export interface ManagerChoiceOptions {
  readonly peers: Peers
  readonly clock: Clock
  readonly configuration: () => Configuration | null
}

export class ManagerChoice {
  readonly #o: ManagerChoiceOptions
  /** When each of the connected managers last left us without help. */
  readonly #failedAt = new Map<PeerId, number>()
  #chosen: PeerId | null = null

  constructor(options: ManagerChoiceOptions) {
    this.#o = options
  }

  /**
   * All that are connected. Before there is a configuration, whoever says to be one is believed: it
   * knows the cluster key.
   */
  connected(): readonly PeerId[] {
    const { peers, configuration } = this.#o
    const known = configuration()?.managers
    const isManager = (peer: PeerInfo): boolean =>
      known ? known.some(manager => manager.id === peer.id) : peer.roles.includes('manager')
    return peers
      .list()
      .filter(isManager)
      .map(peer => peer.id)
  }

  /** Null while none is connected. */
  current(): PeerId | null {
    const connected = this.connected()
    if (this.#chosen !== null && connected.includes(this.#chosen)) return this.#chosen
    for (const id of this.#failedAt.keys()) if (!connected.includes(id)) this.#failedAt.delete(id)
    // The one whose failure is longest ago: so all have their turn.
    const failure = (id: PeerId): number => this.#failedAt.get(id) ?? -Infinity
    const [first, ...others] = connected
    this.#chosen = first ?? null
    for (const id of others) {
      if (this.#chosen !== null && failure(id) < failure(this.#chosen)) this.#chosen = id
    }
    return this.#chosen
  }

  /** It left a request unanswered, or knows no leader: another one next, where there is one. */
  failed(manager: PeerId): void {
    this.#failedAt.set(manager, this.#o.clock.now())
    if (this.#chosen === manager) this.#chosen = null
  }

  /**
   * `manager` has answered and named the leader. A leader that just left us without an answer is
   * not chosen because of that: others may reach it where we do not, or may not know yet that it
   * is gone.
   */
  answered(manager: PeerId, leader: PeerId): void {
    this.#failedAt.delete(manager)
    const failedAt = this.#failedAt.get(leader) ?? -Infinity
    if (this.#o.clock.now() - failedAt < MANAGER_DOUBTED_MS) return
    if (this.connected().includes(leader)) this.#chosen = leader
  }
}
