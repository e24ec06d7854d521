// Keeps this process's configuration up to date: takes what managers push, applies differences, and
// fetches whatever it misses from any connected manager, one request at a time. Clients and storage
// servers read `current()` and subscribe. Epochs only grow here (I3), only managers are believed,
// and a configuration of another cluster is refused. Durability is left to whoever needs it.
import type { Epoch, PeerId } from '../base/brands.js'
import { epoch } from '../base/brands.js'
import type { Clock, Timer } from '../base/clock.js'
import {
  CONFIGURATION_FETCHES_MAX,
  CONFIGURATION_FETCH_MS,
  CONFIGURATION_RETRY_MAX_MS,
  CONFIGURATION_RETRY_MIN_MS,
} from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Configuration } from '../layout/configuration.js'
import { patch, type Delta } from '../layout/delta.js'
import type { ConfigurationUpdate } from './messages.js'
import { LOST, type PeerInfo, type Peers } from './peers.js'

export interface ConfigurationWatchOptions {
  readonly peers: Peers
  readonly log: Log
  readonly clock: Clock
  /** What this process kept from an earlier run. */
  readonly initial?: Configuration | null
}

export type ConfigurationListener = (
  configuration: Configuration,
  previous: Configuration | null,
) => void

const DELTAS_IN_VAIN = 2

interface Waiter {
  readonly epoch: Epoch
  readonly resolve: (configuration: Configuration) => void
}

export class ConfigurationWatch {
  readonly #peers: Peers
  readonly #log: Log
  readonly #clock: Clock
  readonly #listeners = new Set<ConfigurationListener>()
  readonly #unsubscribe: () => void
  #current: Configuration | null = null
  /** The newest epoch anybody spoke of; 0 if we only want to have any configuration at all. */
  #wanted: Epoch = epoch(0)
  #fetching = false
  /** Fetches since the configuration last changed. */
  #fetches = 0
  #retry: Timer | null = null
  #nextManager = 0
  #waiters: Waiter[] = []
  #stopped = false

  /** Before peers.start(), because it serves the `configuration` notification. */
  constructor(options: ConfigurationWatchOptions) {
    this.#peers = options.peers
    this.#log = options.log
    this.#clock = options.clock
    this.#peers.serve('configuration', (update, from) => this.#received(update, from))
    this.#unsubscribe = this.#peers.subscribe({ connected: peer => this.#connected(peer) })
    if (options.initial) this.#adopt(options.initial)
  }

  current(): Configuration | null {
    return this.#current
  }

  /** Listeners are called in the turn in which `current()` changes. Returns the way to stop. */
  subscribe(listener: ConfigurationListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Somebody spoke of this epoch: fetch it, unless we have it. */
  wanted(mentioned: Epoch): void {
    if (this.#has(mentioned)) return
    if (mentioned > this.#wanted) {
      this.#wanted = mentioned
      this.#fetches = 0
    }
    this.#fetch()
  }

  /** Resolves with the first configuration of this epoch or a newer one; wanted() it if unsure. */
  until(atLeast: Epoch): Promise<Configuration> {
    if (this.#current && this.#current.epoch >= atLeast) return Promise.resolve(this.#current)
    return new Promise(resolve => this.#waiters.push({ epoch: atLeast, resolve }))
  }

  stop(): void {
    this.#stopped = true
    this.#unsubscribe()
    this.#retry?.cancel()
    this.#listeners.clear()
    this.#waiters = []
  }

  #has(wanted: Epoch): boolean {
    return this.#current !== null && this.#current.epoch >= wanted
  }

  #connected(peer: PeerInfo): void {
    if (!this.#isManager(peer)) return
    if (peer.cluster !== null && this.#isForeign(peer.cluster, peer.id)) return
    if (this.#has(peer.epoch) && this.#has(this.#wanted)) return
    if (peer.epoch > this.#wanted) this.#wanted = peer.epoch
    this.#fetches = 0
    this.#retry?.cancel()
    this.#retry = null
    this.#fetch()
  }

  /** Until we have a configuration we believe whoever says to be one: it knows the cluster key. */
  #isManager(peer: PeerInfo): boolean {
    const managers = this.#current?.managers
    if (managers) return managers.some(manager => manager.id === peer.id)
    return peer.roles.includes('manager')
  }

  #received(update: ConfigurationUpdate, from: PeerInfo): void {
    if (this.#stopped) return
    if (!this.#isManager(from)) {
      // Nothing unusual: it has just joined and we have not heard of it, or has been removed.
      this.#log.info('configuration ignored: our own names no such manager', { peer: from.id })
      return
    }
    switch (update.kind) {
      case 'current':
        this.wanted(update.epoch)
        return
      case 'full':
        this.#offered(update.configuration, from.id)
        return
      case 'delta':
        this.#patch(update.delta, from.id)
        return
    }
  }

  #patch(delta: Delta, from: PeerId): void {
    if (this.#has(delta.to) || this.#isForeign(delta.cluster, from)) return
    const patched = this.#current ? patch(this.#current, delta) : null
    if (patched) this.#offered(patched, from)
    else this.wanted(delta.to) // pushes may overtake one another, and we may have missed some
  }

  #offered(configuration: Configuration, from: PeerId): void {
    if (this.#isForeign(configuration.cluster, from)) return
    if (!this.#has(configuration.epoch)) this.#adopt(configuration)
  }

  #isForeign(cluster: Configuration['cluster'], from: PeerId): boolean {
    const own = this.#current?.cluster
    if (own === undefined || own === cluster) return false
    this.#log.error('configuration refused: it is of another cluster', { peer: from, cluster, own })
    return true
  }

  #adopt(configuration: Configuration): void {
    const previous = this.#current
    this.#current = configuration
    this.#fetches = 0
    this.#peers.describe({ cluster: configuration.cluster, epoch: configuration.epoch })
    const members = [...configuration.managers, ...configuration.servers.values()]
    this.#peers.remember(
      members
        .filter(member => member.id !== this.#peers.self)
        .map(({ id, addresses }) => {
          return { id, addresses }
        }),
    )
    for (const listener of [...this.#listeners]) listener(configuration, previous)
    const reached = this.#waiters.filter(waiter => waiter.epoch <= configuration.epoch)
    this.#waiters = this.#waiters.filter(waiter => waiter.epoch > configuration.epoch)
    for (const waiter of reached) waiter.resolve(configuration)
  }

  #fetch(): void {
    if (this.#stopped || this.#fetching || this.#retry) return
    if (this.#current && this.#has(this.#wanted)) return
    const managers = this.#peers.list().filter(peer => this.#isManager(peer))
    const manager = managers[this.#nextManager++ % Math.max(1, managers.length)]
    if (!manager) return // a manager that connects starts it again
    this.#fetching = true
    // Where differences did not lead to it, the whole configuration does.
    const have = this.#fetches < DELTAS_IN_VAIN ? (this.#current?.epoch ?? epoch(0)) : epoch(0)
    void this.#peers
      .request(manager.id, 'fetch-configuration', { have }, { deadline: CONFIGURATION_FETCH_MS })
      .then(reply => {
        this.#fetches++
        if (reply !== LOST) this.#received(reply, manager)
        this.#fetching = false // only now, so that what was received starts no other fetch at once
        this.#again()
      })
  }

  /** After a fetch: done, or once more after a while, with another manager where there is one. */
  #again(): void {
    if (this.#stopped || this.#retry || (this.#current && this.#has(this.#wanted))) return
    if (this.#fetches >= CONFIGURATION_FETCHES_MAX && this.#current) {
      // No manager knows of it. Whoever mentioned it will do so again if it exists.
      this.#log.warn('no manager has the epoch that was mentioned', { epoch: this.#wanted })
      this.#wanted = this.#current.epoch
      return
    }
    const delay = CONFIGURATION_RETRY_MIN_MS * 2 ** Math.min(10, this.#fetches)
    this.#retry = this.#clock.after(Math.min(delay, CONFIGURATION_RETRY_MAX_MS), () => {
      this.#retry = null
      this.#fetch()
    })
  }
}
