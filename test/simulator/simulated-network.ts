// A network in one process: peers that find each other, links that delay, break and stall, wires
// that are cut in one direction or both. One seed decides everything; time is virtual.
//
//   const swarm = new SimulatedSwarm({ clock, random })
//   const network = swarm.network(id, { addresses: [{ host: 'a', port: 1 }] })
import { assert } from '../../src/base/assert.js'
import type { PeerId } from '../../src/base/brands.js'
import { wait, type Clock } from '../../src/base/clock.js'
import type { Address } from '../../src/layout/configuration.js'
import type { Link, LinkKind, Network, NetworkEvents } from '../../src/net/link.js'
import { PausableClock } from './pausable-clock.js'
import type { SeededRandom } from './seeded-random.js'
import { SpoiledFrames } from './spoiled-frames.js'
import { SimulatedLink, type LinkTraits, type Wire } from './simulated-link.js'

export interface SimulatedSwarmOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly traits?: Partial<LinkTraits>
}

export interface SimulatedNetworkOptions {
  /** Where this peer takes direct links. Default: none. */
  readonly addresses?: readonly Address[]
  /** Servers find everybody; two that are not servers never meet by themselves. Default: true. */
  readonly server?: boolean
  /** Of its host: while that is frozen, nothing reaches this peer. Default: it never is. */
  readonly clock?: PausableClock
}

/** How long a connection attempt into a cut wire takes to fail. */
const DIAL_TIMEOUT_MS = 3_000
/** Peers that lost each other are found again by discovery after this long. */
const DISCOVERY_MS = 10_000

interface Connection {
  readonly from: PeerId
  readonly to: PeerId
  readonly kind: LinkKind
  readonly ends: readonly [SimulatedLink, SimulatedLink]
}

export class SimulatedSwarm {
  readonly #wire: Wire
  readonly #networks = new Map<PeerId, SimulatedNetwork>()
  /** Pairs 'from to' whose wire is cut. */
  readonly #cuts = new Set<string>()
  #connections: Connection[] = []
  /** False: no new links of that kind, as with a DHT that is down or a firewall. */
  readonly allowed: Record<LinkKind, boolean> = { swarm: true, direct: true }
  /** Turns discovery off: peers meet only by being dialled. */
  discovery = true

  constructor(options: SimulatedSwarmOptions) {
    const defaults: LinkTraits = {
      delay: { least: 0.1, most: 2 },
      bandwidth: Infinity,
      window: 1024 * 1024,
    }
    this.#wire = {
      clock: options.clock,
      random: options.random,
      traits: { ...defaults, ...options.traits },
      passes: (from, to) => !this.#cuts.has(`${from} ${to}`) && !this.#isFrozen(to),
      tell: (peer, what) => {
        const network = this.#networks.get(peer)
        if (network) network.clock.tell(what)
        else what()
      },
    }
  }

  get wire(): Wire {
    return this.#wire
  }

  /** A peer's network; after crash() or stop() the same peer may get a new one. */
  network(self: PeerId, options: SimulatedNetworkOptions = {}): SimulatedNetwork {
    return new SimulatedNetwork(this, self, options)
  }

  /** Cuts the wire from `from` to `to`: frames wait, new connections fail. */
  cut(from: PeerId, to: PeerId): void {
    this.#cuts.add(`${from} ${to}`)
  }

  partition(a: PeerId, b: PeerId): void {
    this.cut(a, b)
    this.cut(b, a)
  }

  /** Mends the wire from `from` to `to`. */
  mend(from: PeerId, to: PeerId): void {
    this.#cuts.delete(`${from} ${to}`)
    this.resume()
  }

  /** Mends all wires between two peers, or all there are. */
  heal(a?: PeerId, b?: PeerId): void {
    if (a === undefined || b === undefined) this.#cuts.clear()
    else {
      this.#cuts.delete(`${a} ${b}`)
      this.#cuts.delete(`${b} ${a}`)
    }
    this.resume()
  }

  /** Something can pass that was held back. */
  resume(): void {
    for (const { ends } of this.#connections) for (const end of ends) end.resume()
  }

  /** Breaks the open links between two peers; both learn of it, at different times. */
  break(a: PeerId, b: PeerId, kind?: LinkKind): number {
    let broken = 0
    for (const connection of this.links(a, b, kind)) {
      for (const end of connection.ends) end.break(this.delay())
      broken++
    }
    return broken
  }

  /** The process of a peer dies. `silent`: so does its machine, and nobody is told. */
  crash(peer: PeerId, options: { readonly silent?: boolean } = {}): void {
    const network = this.#networks.get(peer)
    this.#networks.delete(peer)
    network?.vanish()
    for (const { from, ends } of this.#connections.filter(c => c.from === peer || c.to === peer)) {
      const [mine, other] = from === peer ? [ends[0], ends[1]] : [ends[1], ends[0]]
      const silent = options.silent ?? false
      const late = mine.open && this.#wire.random.chance(0.5)
      mine.vanish(late ? (silent ? 'arrives' : 'arrives and ends') : 'lost')
      if (!silent && !late) other.break(this.delay())
    }
  }

  /** Open connections between two peers. */
  links(a: PeerId, b: PeerId, kind?: LinkKind): readonly Connection[] {
    this.#connections = this.#connections.filter(c => c.ends[0].open || c.ends[1].open)
    return this.#connections.filter(
      c =>
        ((c.from === a && c.to === b) || (c.from === b && c.to === a)) &&
        (kind === undefined || c.kind === kind),
    )
  }

  #isFrozen(peer: PeerId): boolean {
    return this.#networks.get(peer)?.clock.frozen ?? false
  }

  started(): readonly SimulatedNetwork[] {
    return [...this.#networks.values()]
  }

  register(network: SimulatedNetwork): void {
    assert(!this.#networks.has(network.self), 'one network at a time for each peer')
    this.#networks.set(network.self, network)
  }

  unregister(network: SimulatedNetwork): void {
    if (this.#networks.get(network.self) === network) this.#networks.delete(network.self)
  }

  delay(): number {
    const { least, most } = this.#wire.traits.delay
    return least + (most - least) * (this.#wire.random.below(1_000) / 1_000)
  }

  async dial(
    from: SimulatedNetwork,
    kind: LinkKind,
    find: (network: SimulatedNetwork) => boolean,
  ): Promise<Link | null> {
    await wait(from.clock, 2 * this.delay())
    const target = this.started().find(network => network !== from && find(network))
    if (!this.allowed[kind] || !target || !from.running) return null
    const [there, back] = [
      this.#wire.passes(from.self, target.self),
      this.#wire.passes(target.self, from.self),
    ]
    if (!there || !back) {
      await wait(from.clock, DIAL_TIMEOUT_MS)
      return null
    }
    const ends = SimulatedLink.pair(this.#wire, kind, { from: from.self, to: target.self })
    this.#connections.push({ from: from.self, to: target.self, kind, ends })
    from.take(ends[0])
    target.take(ends[1])
    return ends[0]
  }
}

export class SimulatedNetwork implements Network {
  readonly self: PeerId
  readonly addresses: readonly Address[]
  readonly clock: PausableClock
  readonly memory = new SpoiledFrames()
  readonly #swarm: SimulatedSwarm
  readonly #server: boolean
  readonly #links = new Set<SimulatedLink>()
  readonly #dialling = new Set<PeerId>()
  #events: NetworkEvents | null = null

  constructor(swarm: SimulatedSwarm, self: PeerId, options: SimulatedNetworkOptions) {
    this.#swarm = swarm
    this.self = self
    this.addresses = options.addresses ?? []
    this.#server = options.server ?? true
    this.clock = options.clock ?? new PausableClock(swarm.wire.clock)
  }

  get running(): boolean {
    return this.#events !== null
  }

  start(events: NetworkEvents): Promise<void> {
    assert(this.#events === null, 'a network starts once')
    this.#events = events
    this.#swarm.register(this)
    this.#discover()
    return Promise.resolve()
  }

  dialPeer(peer: PeerId): void {
    if (!this.running || this.#dialling.has(peer)) return
    this.#dialling.add(peer)
    void this.#swarm
      .dial(this, 'swarm', network => network.self === peer)
      .finally(() => this.#dialling.delete(peer))
  }

  dialAddress(address: Address, expected: PeerId | null): Promise<Link | null> {
    return this.#swarm.dial(
      this,
      'direct',
      network =>
        (expected === null || network.self === expected) &&
        network.addresses.some(a => a.host === address.host && a.port === address.port),
    )
  }

  async stop(): Promise<void> {
    this.#events = null
    this.#swarm.unregister(this)
    for (const link of this.#links) link.close()
    await Promise.resolve()
  }

  /** For SimulatedSwarm: an admitted link, opened by either side. */
  take(link: SimulatedLink): void {
    this.#links.add(link)
    for (const old of this.#links) if (!old.open) this.#links.delete(old)
    this.#events?.link(link)
  }

  /** For SimulatedSwarm: the process died. */
  vanish(): void {
    this.#events = null
  }

  /** Dials whoever it is not linked to. */
  #discover(): void {
    if (!this.running) return
    if (this.#swarm.discovery) {
      for (const other of this.#swarm.started()) {
        if (other === this || (!this.#server && !other.#server)) continue
        if (this.#swarm.links(this.self, other.self, 'swarm').length === 0) {
          this.dialPeer(other.self)
        }
      }
    }
    this.clock.after(DISCOVERY_MS, () => this.#discover())
  }
}
