// Direct links: Noise streams over plain TCP, with the same identities as on the swarm. Servers
// listen, everyone may dial. Three times as fast as UDX between two processes (design §11), and
// where no DHT is wanted (`--peer`) the only way to meet.
import SecretStream from '@hyperswarm/secret-stream'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { DIRECT_DIAL_TIMEOUT_MS, LINKS_MAX } from '../../base/limits.js'
import type { Address } from '../../layout/configuration.js'
import type { KeyPair } from '../identity.js'
import type { Link } from '../link.js'
import type { FrameMemory } from '../wire/frame-memory.js'
import { ReadBuffer } from './frame-assembler.js'
import type { Gate } from './gate.js'
import { MessageSocket, type MessageMemory } from './message-socket.js'

export interface DirectLinksOptions {
  readonly keyPair: KeyPair
  readonly gate: Gate
  readonly clock: Clock
  readonly memory: FrameMemory
}

export class DirectLinks {
  readonly #options: DirectLinksOptions
  readonly #memory: MessageMemory
  readonly #dialling = new Set<Socket>()
  #server: Server | null = null

  constructor(options: DirectLinksOptions) {
    this.#options = options
    this.#memory = { buffer: new ReadBuffer(), frames: options.memory }
  }

  /** The addresses at which others can reach us. */
  async listen(host: string, port: number): Promise<readonly Address[]> {
    assert(this.#server === null, 'listens once')
    const server = createServer({ noDelay: true, pauseOnConnect: true }, accepted => {
      const { keyPair, gate } = this.#options
      const below = MessageSocket.accept(accepted, this.#memory)
      const socket = below?.socket ?? accepted.resume()
      const stream = new SecretStream(false, socket, { keyPair })
      void gate.enter({ stream, kind: 'direct', expected: null, below })
    })
    server.maxConnections = LINKS_MAX
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => reject(listenError(error, { host, port })))
      server.listen({ host, port }, resolve)
    })
    this.#server = server
    const bound = (server.address() as AddressInfo).port
    return reachableHosts(host).map(reachable => ({ host: reachable, port: bound }))
  }

  /** Null says that nobody is there, or not the one we want, or not of this cluster. */
  async dial(address: Address, expected: PeerId | null): Promise<Link | null> {
    const { clock, gate, keyPair } = this.#options
    const below = MessageSocket.connect(address, this.#memory)
    const { socket } = below
    this.#dialling.add(socket)
    const timer = clock.after(DIRECT_DIAL_TIMEOUT_MS, () => socket.destroy())
    const connected = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true))
      socket.once('close', () => resolve(false))
      // `close` follows; who waits for the dial needs no more than that it failed.
      socket.on('error', () => undefined)
    })
    timer.cancel()
    this.#dialling.delete(socket)
    if (!connected || socket.destroyed) return null
    const stream = new SecretStream(true, socket, { keyPair })
    return gate.enter({ stream, kind: 'direct', expected, below })
  }

  async close(): Promise<void> {
    for (const socket of this.#dialling) socket.destroy()
    const server = this.#server
    if (server === null) return
    // The gate has closed the connections; this waits until the last one is gone.
    await new Promise<void>(resolve => server.close(() => resolve()))
  }
}

/** A wildcard is no address to tell others. */
function reachableHosts(host: string): readonly string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host]
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(address => address.family === 'IPv4' && !address.internal)
    .map(address => address.address)
}

function listenError(cause: Error, { host, port }: Address): SwarmdiskError {
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'EADDRINUSE') {
    return new SwarmdiskError(
      'in-use',
      `Port ${port} of ${host} is in use by another process; choose another port.`,
      { cause },
    )
  }
  if (code === 'EACCES') {
    return new SwarmdiskError('bad-input', `Port ${port} needs root rights; choose one above 1023.`)
  }
  return new SwarmdiskError(
    'bad-input',
    `Cannot listen on ${host}: it is not an address of this machine; check --host.`,
    { cause },
  )
}
