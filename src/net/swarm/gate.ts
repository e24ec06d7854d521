// The gate through which every connection comes, swarm and direct: it runs the admission, makes
// links of what is admitted, closes the rest, and keeps count of both. A peer that gave a wrong
// proof is not heard for a while, by its identity, which Noise has proven; so nobody can have
// another peer shut out.
import type SecretStream from '@hyperswarm/secret-stream'
import { assert, exhaustive } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import {
  ADMISSION_BACKOFF_MS,
  ADMISSION_BACKOFFS_MAX,
  LINKS_MAX,
  UNADMITTED_BYTES_MAX,
  UNADMITTED_LINKS_MAX,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { exchangeProofs, type Admission } from '../admission.js'
import type { ClusterKey } from '../cluster-key.js'
import type { Link, LinkKind } from '../link.js'
import type { MessageSocket } from './message-socket.js'
import { StreamLink } from './stream-link.js'

export interface GateOptions {
  readonly self: PeerId
  readonly clusterKey: ClusterKey
  readonly clock: Clock
  readonly log: Log
  /** Called with every admitted link, which must be listened to when this returns. */
  readonly admitted: (link: Link) => void
  /** Called when an admitted link is gone. */
  readonly lost: (link: Link) => void
}

export interface Arrival {
  readonly stream: SecretStream
  readonly kind: LinkKind
  /** Whom the dialler wanted to reach; null where anyone of the cluster will do. */
  readonly expected: PeerId | null
  /** The socket below a direct one, where messages can be had from it. */
  readonly below: MessageSocket | null
}

export class Gate {
  readonly #options: GateOptions
  readonly #waiting = new Set<SecretStream>()
  readonly #links = new Map<SecretStream, Link>()
  /** Until when a peer is not heard, in order of entry. */
  readonly #backoffs = new Map<PeerId, number>()
  #closed = false

  constructor(options: GateOptions) {
    this.#options = options
  }

  get links(): number {
    return this.#links.size
  }

  /** Takes over a stream, open or opening. The link, or null if it did not become one. */
  enter(arrival: Arrival): Promise<Link | null> {
    const { stream } = arrival
    // An error of a stream is always followed by `close`, and means no more to us than that.
    stream.on('error', () => undefined)
    if (this.#closed || this.#waiting.size >= UNADMITTED_LINKS_MAX) {
      stream.destroy()
      return Promise.resolve(null)
    }
    this.#waiting.add(stream)
    const unmeter = meter(stream)
    return new Promise(resolve => {
      exchangeProofs({
        stream,
        clusterKey: this.#options.clusterKey,
        clock: this.#options.clock,
        wanted: remote => this.#wanted(remote, arrival),
        done: outcome => {
          this.#waiting.delete(stream)
          unmeter()
          resolve(this.#conclude(arrival, outcome))
        },
      })
    })
  }

  /** Closes everything, waiting and admitted, and lets nobody in any more. */
  close(): void {
    this.#closed = true
    for (const stream of this.#waiting) stream.destroy()
    for (const link of this.#links.values()) link.close()
  }

  #wanted(remote: PeerId, { expected, kind }: Arrival): boolean {
    const { clock, log, self } = this.#options
    if (expected !== null && remote !== expected) {
      log.warn('connection closed: another peer answers there', { expected, remote, kind })
      return false
    }
    if (remote === self) return false
    const until = this.#backoffs.get(remote)
    if (until === undefined) return true
    if (clock.now() < until) return false
    this.#backoffs.delete(remote)
    return true
  }

  #conclude(arrival: Arrival, outcome: Admission): Link | null {
    const { stream, kind } = arrival
    const { log } = this.#options
    switch (outcome.kind) {
      case 'admitted':
        if (this.#links.size < LINKS_MAX) return this.#link(arrival, outcome.remote)
        log.warn('connection closed: too many links', { links: this.#links.size, kind })
        break
      case 'wrong-proof':
        log.warn('connection closed: the peer has another cluster key', {
          remote: outcome.remote,
          kind,
        })
        this.#backOff(outcome.remote)
        break
      case 'other-version':
        log.warn('connection closed: the peer runs another version of swarmdisk', {
          remote: outcome.remote,
          kind,
        })
        this.#backOff(outcome.remote)
        break
      case 'silent':
        log.warn('connection closed: no proof of the cluster key in time', { kind })
        break
      case 'unwanted':
      case 'lost':
        break
      default:
        exhaustive(outcome)
    }
    stream.destroy()
    return null
  }

  #link({ stream, kind, below }: Arrival, remote: PeerId): Link {
    const { admitted, log, lost } = this.#options
    below?.trust()
    const link = new StreamLink({ stream, remote, kind, log, below })
    this.#links.set(stream, link)
    stream.on('close', () => {
      this.#links.delete(stream)
      lost(link)
    })
    log.debug('link open', { peer: remote, kind, initiator: link.initiator })
    admitted(link)
    assert(link.listening, 'a new link is listened to at once')
    return link
  }

  #backOff(remote: PeerId): void {
    const [oldest] = this.#backoffs.keys()
    if (oldest !== undefined && this.#backoffs.size >= ADMISSION_BACKOFFS_MAX) {
      this.#backoffs.delete(oldest)
    }
    this.#backoffs.set(remote, this.#options.clock.now() + ADMISSION_BACKOFF_MS)
  }
}

/**
 * A stream takes memory for what a length field claims, up to 16 MiB; strangers may not fill it.
 * Returns the way to stop counting.
 */
function meter(stream: SecretStream): () => void {
  const raw = stream.rawStream
  let bytes = 0
  const count = (chunk: Uint8Array): void => {
    bytes += chunk.byteLength
    if (bytes > UNADMITTED_BYTES_MAX) stream.destroy()
  }
  raw.on('data', count)
  return () => raw.off('data', count)
}
