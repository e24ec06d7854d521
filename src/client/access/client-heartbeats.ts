// While this client is attached to a volume it tells the managers every second that it lives: one
// after the other, since each passes it on to the leader, and one of them may be cut off from it.
import type { Timer } from '../../base/clock.js'
import { CLIENT_HEARTBEAT_MS } from '../../base/limits.js'
import type { ClientContext } from '../context.js'

export class ClientHeartbeats {
  readonly #context: ClientContext
  readonly #attached: () => boolean
  #timer: Timer
  #next = 0

  constructor(context: ClientContext, attached: () => boolean) {
    this.#context = context
    this.#attached = attached
    this.#timer = context.clock.after(CLIENT_HEARTBEAT_MS, () => this.#tick())
  }

  stop(): void {
    this.#timer.cancel()
  }

  #tick(): void {
    const { clock, peers } = this.#context
    this.#timer = clock.after(CLIENT_HEARTBEAT_MS, () => this.#tick())
    if (!this.#attached()) return
    const managers = peers.list().filter(peer => peer.roles.includes('manager'))
    const manager = managers[this.#next++ % Math.max(1, managers.length)]
    if (manager) peers.notify(manager.id, 'client-heartbeat', {})
  }
}
