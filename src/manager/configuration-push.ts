// Brings every new configuration to all connected peers: the change since what a peer has, or all
// of it. The other managers have it from the log. A push is a notification on an ordered link, so
// what was sent counts as known until the peer says otherwise. Nothing waits for a slow peer:
// pushes to one peer are spaced, and what was committed in between goes along with the next one.
import type { Epoch, Milliseconds, PeerId } from '../base/brands.js'
import type { Clock, Timer } from '../base/clock.js'
import { PUSH_SPACING_MS, REPUSH_AFTER_MS } from '../base/limits.js'
import type { ConfigurationUpdate } from '../net/messages.js'
import type { Peers } from '../net/peers.js'
import type { ConfigurationHistory } from './history/configuration-history.js'

export interface ConfigurationPushOptions {
  readonly clock: Clock
  readonly peers: Peers
  readonly history: ConfigurationHistory
}

interface Target {
  /** What the peer has, or will have when what was sent arrives. */
  known: number
  sentAt: Milliseconds | null
  timer: Timer | null
}

export class ConfigurationPush {
  readonly #clock: Clock
  readonly #peers: Peers
  readonly #history: ConfigurationHistory
  readonly #targets = new Map<PeerId, Target>()

  constructor(options: ConfigurationPushOptions) {
    this.#clock = options.clock
    this.#peers = options.peers
    this.#history = options.history
  }

  /** `epoch`: what the peer said it has, 0 if nothing of this cluster. */
  connected(peer: PeerId, epoch: number): void {
    this.disconnected(peer)
    this.#targets.set(peer, { known: epoch, sentAt: null, timer: null })
    this.#push(peer)
  }

  disconnected(peer: PeerId): void {
    this.#targets.get(peer)?.timer?.cancel()
    this.#targets.delete(peer)
  }

  committed(): void {
    for (const peer of this.#targets.keys()) this.#push(peer)
  }

  /** A peer says, or another has seen, that it is at this epoch. */
  seenAt(peer: PeerId, epoch: Epoch): void {
    const target = this.#targets.get(peer)
    if (!target) return
    // What was sent a moment ago has probably just not been there when this was said.
    const fresh = target.sentAt !== null && this.#since(target.sentAt) < REPUSH_AFTER_MS
    if (epoch < target.known && fresh) return
    target.known = epoch
    this.#push(peer)
  }

  /** The answer to a peer that has `epoch` and asks. */
  updateFrom(epoch: number): ConfigurationUpdate {
    const configuration = this.#history.current()
    if (!configuration || configuration.epoch <= epoch) {
      return { kind: 'current', epoch: configuration?.epoch ?? (0 as Epoch) }
    }
    const delta = this.#history.since(epoch as Epoch)
    return delta ? { kind: 'delta', delta } : { kind: 'full', configuration }
  }

  stop(): void {
    for (const peer of [...this.#targets.keys()]) this.disconnected(peer)
  }

  #push(peer: PeerId): void {
    const target = this.#targets.get(peer)
    const configuration = this.#history.current()
    if (!target || target.timer || !configuration || target.known >= configuration.epoch) return
    if (configuration.managers.some(({ id }) => id === peer)) return
    const { epoch } = configuration
    const wait = target.sentAt === null ? 0 : PUSH_SPACING_MS - this.#since(target.sentAt)
    if (wait > 0) {
      target.timer = this.#clock.after(wait, () => {
        target.timer = null
        this.#push(peer)
      })
      return
    }
    if (!this.#peers.notify(peer, 'configuration', this.updateFrom(target.known))) return
    target.known = epoch
    target.sentAt = this.#clock.now()
  }

  #since(then: Milliseconds): number {
    return this.#clock.now() - then
  }
}
