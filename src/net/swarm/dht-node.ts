// How the DHT node of a peer is set up: a table of a few cases, each with a trap of hyperdht behind
// it (field notes 3.3). On a private DHT the servers are persistent nodes and say that they can be
// reached: where both sides are taken for firewalled, a connection opens and carries nothing. On
// the public DHT they may sit behind NAT, so the detection stays on. Hyperswarm forwards few of
// these options, which is why the node is made here.
import HyperDHT from 'hyperdht'
import { SwarmdiskError } from '../../base/errors.js'
import type { Address } from '../../layout/configuration.js'

export interface DhtNodeOptions {
  /** Managers and storage servers, which stay; clients come and go. */
  readonly server: boolean
  /** Null is the public DHT. */
  readonly bootstrap: readonly Address[] | null
  readonly host: string
}

/** Bound, so that a wrong address is noticed; it meets the others in its own time. */
export async function startDhtNode(options: DhtNodeOptions): Promise<HyperDHT> {
  const dht = new HyperDHT(dhtOptions(options))
  try {
    await dht.bind()
  } catch (cause) {
    await dht.destroy({ force: true }).catch(() => undefined) // It never was bound.
    throw new SwarmdiskError(
      'bad-input',
      `Cannot use ${options.host} for the network: it is not an IPv4 address of this machine; ` +
        'check --host.',
      { cause },
    )
  }
  return dht
}

function dhtOptions({ server, bootstrap, host }: DhtNodeOptions): HyperDHT.Options {
  if (bootstrap === null) return {}
  return {
    bootstrap,
    // Any port: the default one may be that of a bootstrap node that is just being restarted.
    port: [0, 0],
    host: host === '::' ? '0.0.0.0' : host,
    ephemeral: !server,
    // Clients keep the default: they only dial, and servers can be reached.
    ...(server ? { firewalled: false } : {}),
  }
}
