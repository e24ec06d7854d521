// The committed configurations as one manager has them: the current one, the newest of those before
// it, from which differences are made for peers, and whoever wants to hear of new ones.
import { assert } from '../../base/assert.js'
import { epoch, type Epoch } from '../../base/brands.js'
import { CONFIGURATIONS_KEPT } from '../../base/limits.js'
import type { Configuration } from '../../layout/configuration.js'
import { difference, type Delta } from '../../layout/delta.js'

type Listener = (configuration: Configuration) => void

export class CommittedHistory {
  readonly #listeners = new Set<Listener>()
  // The newest configurations by epoch, the current one last.
  readonly #kept = new Map<Epoch, Configuration>()
  // From older epochs to the current one.
  readonly #deltas = new Map<Epoch, Delta>()
  #current: Configuration | null = null

  get current(): Configuration | null {
    return this.#current
  }

  /** The next one. */
  adopt(configuration: Configuration): void {
    assert(
      configuration.epoch === (this.#current?.epoch ?? 0) + 1,
      'epochs follow each other without a gap (I3)',
    )
    this.#take(configuration)
    const oldest = configuration.epoch - CONFIGURATIONS_KEPT
    if (oldest >= 0) this.#kept.delete(epoch(oldest))
  }

  /** A later one, whose predecessors this manager never saw. */
  install(configuration: Configuration): void {
    const known = this.#current?.epoch ?? 0
    assert(configuration.epoch >= known, 'epochs only grow (I3)')
    this.#kept.clear()
    this.#take(configuration)
  }

  announce(): void {
    const current = this.#current
    assert(current, 'a commit leaves a configuration')
    for (const listener of [...this.#listeners]) listener(current)
  }

  since(from: Epoch): Delta | null {
    const before = this.#kept.get(from)
    const current = this.#current
    if (!before || !current || from >= current.epoch) return null
    const known = this.#deltas.get(from)
    if (known) return known
    const delta = difference(before, current)
    this.#deltas.set(from, delta)
    return delta
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #take(configuration: Configuration): void {
    this.#current = configuration
    this.#kept.set(configuration.epoch, configuration)
    this.#deltas.clear()
  }
}
