// Direct links: Noise streams over plain TCP, with the same identities as on the swarm. Servers
// listen, everyone may dial. Three times as fast as UDX between two processes (design §11), and
// where no DHT is wanted (`--peer`) the only way to meet.
import SecretStream from '@hyperswarm/secret-stream'
import {
  createServer,
  connect,
  type AddressInfo,
  type OnReadOpts,
  type Server,
  type Socket,
} from 'node:net'
import { networkInterfaces } from 'node:os'
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { DIRECT_DIAL_TIMEOUT_MS, LINKS_MAX } from '../../base/limits.js'
import { takeOver } from '../../base/node-streams.js'
import type { Address } from '../../layout/configuration.js'
import type { KeyPair } from '../identity.js'
import type { Link } from '../link.js'
import type { FrameMemory } from '../wire/frame-memory.js'
import { FrameAssembler } from './frame-assembler.js'
import type { Gate } from './gate.js'

export interface DirectLinksOptions {
  readonly keyPair: KeyPair
  readonly gate: Gate
  readonly clock: Clock
  readonly memory: FrameMemory
}

export class DirectLinks {
  readonly #options: DirectLinksOptions
  readonly #dialling = new Set<Socket>()
  #server: Server | null = null

  constructor(options: DirectLinksOptions) {
    this.#options = options
  }

  /** The addresses at which others can reach us. */
  async listen(host: string, port: number): Promise<readonly Address[]> {
    assert(this.#server === null, 'listens once')
    const server = createServer({ noDelay: true, pauseOnConnect: true }, accepted => {
      const { socket, admitted } = this.#accept(accepted)
      const stream = new SecretStream(false, socket, { keyPair: this.#options.keyPair })
      void this.#options.gate.enter({ stream, kind: 'direct', expected: null, admitted })
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
    const { socket, admitted } = this.#connect(address)
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
    return gate.enter({ stream, kind: 'direct', expected, admitted })
  }

  async close(): Promise<void> {
    for (const socket of this.#dialling) socket.destroy()
    const server = this.#server
    if (server === null) return
    // The gate has closed the connections; this waits until the last one is gone.
    await new Promise<void>(resolve => server.close(() => resolve()))
  }

  #connect({ host, port }: Address): Assembled {
    return this.#assembled(onread => connect({ host, port, noDelay: true, onread }))
  }

  #accept(accepted: Socket): Assembled {
    return this.#assembled(onread => takeOver(accepted, onread) ?? accepted.resume())
  }

  /**
   * What arrives goes to the assembler, and whole messages come out of the socket as its data. (Or
   * pieces of them as they arrived, where node does not let an accepted one do that.)
   */
  #assembled(open: (onread: OnReadOpts) => Socket): Assembled {
    const assembler = new FrameAssembler({
      take: bytes => this.#options.memory.take(bytes),
      deliver(message) {
        if (!socket.destroyed) socket.emit('data', message)
      },
      refuse: () => socket.destroy(),
    })
    const socket = open({
      buffer: () => assembler.room(),
      callback(bytes) {
        assembler.filled(bytes)
        return true
      },
    })
    return { socket, admitted: () => assembler.trust() }
  }
}

interface Assembled {
  readonly socket: Socket
  /** To be called when the other side is admitted. */
  readonly admitted: () => void
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
