// How the DHT node of a peer is set up: a few cases, each with a trap of hyperdht behind it (field
// notes 3.3). Hyperswarm forwards few of these options, which is why the node is made here.
// On a private DHT servers say that they can be reached: where both sides are taken for firewalled,
// a connection opens and carries nothing. On the public one they may sit behind NAT, so the
// detection stays on. Records are kept by the bootstrap nodes alone: a persistent node that crashes
// stays in the routing tables, and everyone who starts waits 6 to 10 s for its answer (measured).
import HyperDHT from 'hyperdht'
import type { Address } from '../../layout/configuration.js'
import { freeUdpPort } from './udp-port.js'

export interface DhtNodeOptions {
  /** Managers and storage servers, which stay; clients come and go. */
  readonly server: boolean
  /** Null is the public DHT. */
  readonly bootstrap: readonly Address[] | null
  readonly host: string
}

/**
 * Requests are repeated until about 1 s has passed, instead of 4 to 6 s: what does not answer in a
 * private network by then is dead, and a restarted cluster meets that much sooner.
 */
const PRIVATE_TIMEOUTS = { fallback: [200, 250, 300, 350, 400], min: 200, jitter: 50 }

/** Bound, so that a wrong address is noticed; it meets the others in its own time. */
export async function startDhtNode(options: DhtNodeOptions): Promise<HyperDHT> {
  const host = bindHost(options.host)
  if (options.bootstrap !== null) await freeUdpPort({ host, port: 0 })
  const dht = new HyperDHT(dhtOptions(options))
  await dht.bind()
  return dht
}

function bindHost(host: string): string {
  return host === '::' ? '0.0.0.0' : host
}

function dhtOptions({ server, bootstrap, host }: DhtNodeOptions): HyperDHT.Options {
  if (bootstrap === null) return {}
  return {
    bootstrap,
    // Any port: the default one may be that of a bootstrap node that is just being restarted.
    port: [0, 0],
    host: bindHost(host),
    ephemeral: true,
    adaptiveTimeout: PRIVATE_TIMEOUTS,
    // Clients keep the default: they only dial, and servers can be reached.
    ...(server ? { firewalled: false } : {}),
  }
}
