// How peers find each other: Hyperswarm on our own DHT node. Servers announce themselves under the
// topic of the cluster key, clients only look. Hyperswarm looks again every ten minutes; we do so
// at once after a link came or went, then ever more rarely, and steadily while there is no link at
// all. Of simultaneous connections of one pair Hyperswarm keeps one; what it hands over is a
// stream that still has to be admitted.
import type SecretStream from '@hyperswarm/secret-stream'
import type HyperDHT from 'hyperdht'
import Hyperswarm from 'hyperswarm'
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import { wait, type Clock, type Timer } from '../../base/clock.js'
import {
  LINKS_MAX,
  LOOKUP_INTERVAL_ALONE_MS,
  LOOKUP_INTERVAL_MIN_MS,
  LOOKUP_INTERVAL_PRIVATE_MS,
  LOOKUP_INTERVAL_PUBLIC_MS,
  SWARM_DIALS_MAX,
  SWARM_STOP_MS,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { publicKeyOf, type KeyPair } from '../identity.js'
import { startDhtNode, type DhtNodeOptions } from './dht-node.js'

/** Hyperswarm counts each connection four times when it dials known peers as well. */
const PEERS_FACTOR = 4

export interface DiscoveryOptions {
  readonly node: DhtNodeOptions
  readonly keyPair: KeyPair
  readonly topic: Uint8Array
  readonly clock: Clock
  readonly log: Log
  readonly connection: (stream: SecretStream) => void
  /** True while no admitted link exists. */
  readonly alone: () => boolean
}

interface Running {
  readonly dht: HyperDHT
  readonly swarm: Hyperswarm
  readonly session: Hyperswarm.Session
}

export class Discovery {
  readonly #options: DiscoveryOptions
  #running: Running | null = null
  #timer: Timer | null = null
  #interval = LOOKUP_INTERVAL_MIN_MS
  #warned = false

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    assert(this.#running === null, 'discovery starts once')
    const { node, keyPair, topic, connection } = this.#options
    const dht = await startDhtNode(node)
    const swarm = new Hyperswarm({
      dht,
      keyPair,
      maxPeers: PEERS_FACTOR * LINKS_MAX,
      maxParallel: SWARM_DIALS_MAX,
    })
    swarm.on('connection', connection)
    const session = swarm.join(topic, { server: node.server, client: true })
    this.#running = { dht, swarm, session }
    this.#plan()
  }

  /** Dials at once, whatever backoff Hyperswarm has, unless it is connected or dialling. */
  dial(peer: PeerId): void {
    this.#running?.swarm.joinPeer(publicKeyOf(peer))
  }

  /** Something changed: look again soon. */
  hurry(): void {
    if (this.#running === null) return
    this.#interval = LOOKUP_INTERVAL_MIN_MS
    this.#plan()
  }

  /** Leaves the DHT politely if that is quick, else at once. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    const running = this.#running
    this.#running = null
    if (running === null) return
    const { clock, log } = this.#options
    const left = running.swarm.destroy().then(
      () => true,
      (error: unknown) => {
        log.debug('leaving the DHT failed', { error: String(error) })
        return false
      },
    )
    if (await Promise.race([left, wait(clock, SWARM_STOP_MS).then(() => false)])) return
    await running.dht.destroy({ force: true }).catch((error: unknown) => {
      log.debug('closing the DHT node failed', { error: String(error) })
    })
  }

  #plan(): void {
    this.#timer?.cancel()
    this.#timer = this.#options.clock.after(this.#interval, () => {
      void this.#look()
    })
  }

  async #look(): Promise<void> {
    const running = this.#running
    if (running === null) return
    // By itself it does so every five minutes, also when the DHT was away or is a new one.
    if (this.#options.node.bootstrap !== null) running.swarm.server.refresh()
    await running.session.refresh().catch((error: unknown) => {
      // Without consequence: the next look is planned below.
      this.#options.log.debug('a look into the DHT failed', { error: String(error) })
    })
    if (this.#running !== running) return
    this.#complain(running)
    this.#interval = Math.min(2 * this.#interval, this.#longestInterval())
    this.#plan()
  }

  #longestInterval(): number {
    const { alone, node } = this.#options
    if (alone()) return LOOKUP_INTERVAL_ALONE_MS
    return node.bootstrap === null ? LOOKUP_INTERVAL_PUBLIC_MS : LOOKUP_INTERVAL_PRIVATE_MS
  }

  /** People wait for peers that cannot be found: tell them once why. */
  #complain({ dht }: Running): void {
    if (this.#warned || dht.nodes.length > 0) return
    this.#warned = true
    const { bootstrap } = this.#options.node
    this.#options.log.warn('no node of the DHT answers; is the bootstrap node running?', {
      bootstrap: bootstrap?.map(({ host, port }) => `${host}:${port}`).join(',') ?? 'public',
    })
  }
}
