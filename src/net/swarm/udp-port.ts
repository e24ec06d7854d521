// Whether a UDP port can be had, asked before a DHT node takes it: a node that failed to bind keeps
// its watch on the network interfaces, and with it the process.
import { createSocket } from 'node:dgram'
import { SwarmdiskError } from '../../base/errors.js'
import type { Address } from '../../layout/configuration.js'

/** The port, or any free one for 0. Until the node binds it somebody else may still take it. */
export function freeUdpPort(address: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', error => {
      socket.close()
      reject(udpError(error, address))
    })
    socket.bind(address.port, address.host, () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })
}

export function udpError(cause: unknown, { host, port }: Address): SwarmdiskError {
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
    `Cannot use ${host} for the network: it is not an IPv4 address of this machine, ` +
      'or the port needs root rights; check --host and --port.',
    { cause },
  )
}
