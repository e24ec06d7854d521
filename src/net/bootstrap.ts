// A private DHT for networks without internet: a bootstrapper, which new nodes ask first, and one
// persistent node beside it, which keeps the records; one alone serves nobody (field notes 3.3).
// It holds no secret and no data, and can be stopped and started at any time: peers that are
// linked stay so, and announce themselves again.
import HyperDHT from 'hyperdht'
import { isIPv4 } from 'node:net'
import { SwarmdiskError } from '../base/errors.js'
import type { Address } from '../layout/configuration.js'
import { freeUdpPort, udpError } from './swarm/udp-port.js'

export interface Bootstrap extends Address {
  close(): Promise<void>
}

/** `port` 0 takes any free one. The host is told to peers, so it must be one of this machine. */
export async function startBootstrap({ host, port }: Address): Promise<Bootstrap> {
  if (!isIPv4(host) || host === '0.0.0.0') {
    throw new SwarmdiskError(
      'bad-input',
      `A bootstrap node needs the IPv4 address under which peers reach it, not "${host}"; ` +
        'give it with --host.',
    )
  }
  // A bootstrapper takes no port 0.
  const chosen = await freeUdpPort({ host, port })
  const first = HyperDHT.bootstrapper(chosen, host, { host })
  const second = new HyperDHT({
    bootstrap: [{ host, port: chosen }],
    host,
    port: [0, 0],
    ephemeral: false,
    firewalled: false,
  })
  const nodes = [second, first]
  try {
    await first.bind()
    await first.fullyBootstrapped()
    await second.fullyBootstrapped()
  } catch (cause) {
    await closeAll(nodes)
    throw udpError(cause, { host, port: chosen })
  }
  return { host, port: chosen, close: () => closeAll(nodes) }
}

async function closeAll(nodes: readonly HyperDHT[]): Promise<void> {
  // Never bound ones fail to close, and have nothing open.
  await Promise.allSettled(nodes.map(node => node.destroy({ force: true })))
}
