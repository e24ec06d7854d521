// The real network (the simulated one is in test/simulator): peers find each other with Hyperswarm
// under a topic made from the cluster key, prove to each other that they know the key, and may open
// direct TCP links besides. Errors of single connections never come out of here: a connection
// becomes a link or does not, and a link says when it is closed.
import { assert } from '../base/assert.js'
import type { PeerId } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import type { Address } from '../layout/configuration.js'
import type { ClusterKey } from './cluster-key.js'
import { peerIdOf, type KeyPair } from './identity.js'
import type { Link, Network, NetworkEvents } from './link.js'
import { DirectLinks } from './swarm/direct-links.js'
import { Discovery } from './swarm/discovery.js'
import { Gate } from './swarm/gate.js'
import { ReusedFrames } from './wire/frame-memory.js'

export interface SwarmNetworkOptions {
  readonly keyPair: KeyPair
  readonly clusterKey: ClusterKey
  /** Managers and storage servers: announced, and reachable by direct links. */
  readonly server: boolean
  /** Nodes of a private DHT; empty for none (direct links only); null for the public one. */
  readonly bootstrap: readonly Address[] | null
  /** The address of this machine to use; 0.0.0.0 for all of them. */
  readonly host: string
  /** Of the direct links of a server; 0 or nothing for any free one. */
  readonly port?: number
  readonly clock: Clock
  readonly log: Log
}

export class SwarmNetwork implements Network {
  readonly self: PeerId
  readonly memory = new ReusedFrames()
  readonly #options: SwarmNetworkOptions
  readonly #gate: Gate
  readonly #direct: DirectLinks
  readonly #discovery: Discovery | null
  #events: NetworkEvents | null = null
  #addresses: readonly Address[] = []
  #stopping: Promise<void> | null = null

  constructor(options: SwarmNetworkOptions) {
    const { keyPair, clusterKey, server, bootstrap, host, clock, log } = options
    this.self = peerIdOf(keyPair.publicKey)
    this.#options = options
    this.#gate = new Gate({
      self: this.self,
      clusterKey,
      clock,
      log,
      admitted: link => this.#admitted(link),
      lost: () => this.#discovery?.hurry(),
    })
    const gate = this.#gate
    this.#direct = new DirectLinks({ keyPair, gate, clock, memory: this.memory })
    const dhtWanted = bootstrap === null || bootstrap.length > 0
    this.#discovery = dhtWanted
      ? new Discovery({
          node: { server, bootstrap, host },
          keyPair,
          topic: clusterKey.topic,
          clock,
          log,
          connection: stream =>
            void gate.enter({ stream, kind: 'swarm', expected: null, below: null }),
          alone: () => gate.links === 0,
        })
      : null
  }

  get addresses(): readonly Address[] {
    return this.#addresses
  }

  async start(events: NetworkEvents): Promise<void> {
    assert(this.#events === null, 'a network starts once')
    this.#events = events
    const { server, host, port } = this.#options
    if (server) this.#addresses = await this.#direct.listen(host, port ?? 0)
    try {
      await this.#discovery?.start()
    } catch (error) {
      await this.#direct.close()
      throw error
    }
  }

  dialPeer(peer: PeerId): void {
    if (peer !== this.self && this.#stopping === null) this.#discovery?.dial(peer)
  }

  dialAddress(address: Address, expected: PeerId | null): Promise<Link | null> {
    assert(this.#events !== null, 'a network dials after it was started')
    if (this.#stopping !== null) return Promise.resolve(null)
    return this.#direct.dial(address, expected)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#gate.close()
    await Promise.all([this.#direct.close(), this.#discovery?.stop()])
  }

  #admitted(link: Link): void {
    assert(this.#events !== null, 'links come after the start')
    this.#events.link(link)
    this.#discovery?.hurry()
  }
}
