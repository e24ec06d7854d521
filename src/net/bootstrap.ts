// A private DHT for networks without internet: a bootstrapper, which new nodes ask first, and one
// persistent node beside it, which keeps the records; one alone serves nobody (field notes 3.3).
// It holds no secret and no data, and can be stopped and started at any time: peers that are
// linked stay so, and announce themselves again.
import HyperDHT from 'hyperdht'
import { createSocket } from 'node:dgram'
import { isIPv4 } from 'node:net'
import { SwarmdiskError } from '../base/errors.js'
import type { Address } from '../layout/configuration.js'

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
  const chosen = port === 0 ? await freePort(host) : port
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
    throw bindError(cause, { host, port: chosen })
  }
  return { host, port: chosen, close: () => closeAll(nodes) }
}

async function closeAll(nodes: readonly HyperDHT[]): Promise<void> {
  // Never bound ones fail to close, and have nothing open.
  await Promise.allSettled(nodes.map(node => node.destroy({ force: true })))
}

/** The bootstrapper takes no 0. Between this and its own bind somebody else may take the port. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', error => reject(bindError(error, { host, port: 0 })))
    socket.bind(0, host, () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })
}

function bindError(cause: unknown, { host, port }: Address): SwarmdiskError {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined
  if (code === 'EADDRINUSE') {
    return new SwarmdiskError(
      'in-use',
      `UDP port ${port} of ${host} is in use by another process; choose another port.`,
      { cause },
    )
  }
  return new SwarmdiskError(
    'bad-input',
    `Cannot use UDP port ${port} of ${host}; give an address of this machine with --host.`,
    { cause },
  )
}
