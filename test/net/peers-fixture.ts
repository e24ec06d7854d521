// Peer tables on a simulated swarm, for tests: named peers, virtual time.
import {
  byteCount,
  byteOffset,
  epoch,
  generation,
  incarnation,
  peerId,
  shardIndex,
  volumeId,
} from '../../src/base/brands.js'
import type { PeerId } from '../../src/base/brands.js'
import type { Log } from '../../src/base/log.js'
import type { Address } from '../../src/layout/configuration.js'
import { HEAD, type DataReply, type ReadRequest } from '../../src/net/messages.js'
import type { PeerEvents, PeerInfo, Role } from '../../src/net/peers.js'
import { PeerTable } from '../../src/net/peer-table.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import type { LinkTraits } from '../simulator/simulated-link.js'
import { SimulatedSwarm, type SimulatedNetwork } from '../simulator/simulated-network.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

export interface Seat {
  readonly id: PeerId
  readonly table: PeerTable
  readonly network: SimulatedNetwork
  /** 'connected b', 'rerouted b direct', … in order. */
  readonly events: string[]
  readonly warnings: string[]
}

export interface SeatOptions {
  readonly roles: readonly Role[]
  readonly addresses?: readonly Address[]
  readonly incarnation?: number
  readonly seeds?: readonly Address[]
}

interface AskedPair {
  readonly addresses?: readonly Address[]
  readonly bytes?: number
}

export class Playground {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly swarm: SimulatedSwarm

  constructor(seed: number, traits: Partial<LinkTraits> = {}) {
    this.random = new SeededRandom(seed)
    this.swarm = new SimulatedSwarm({ clock: this.clock, random: this.random, traits })
  }

  /** A peer whose id is the letter of its name, repeated: 'a' is smaller than 'b'. */
  seat(name: string, options: SeatOptions): Seat {
    const id = idOf(name)
    const network = this.swarm.network(id, {
      addresses: options.addresses ?? [],
      server: !options.roles.includes('client'),
    })
    const warnings: string[] = []
    const table = new PeerTable({
      network,
      clock: this.clock,
      random: this.random,
      log: collect(warnings),
      self: { roles: options.roles, name, incarnation: incarnation(options.incarnation ?? 1) },
      ...(options.seeds ? { seeds: options.seeds } : {}),
    })
    const events: string[] = []
    const note = (what: string, peer: PeerInfo): void => {
      events.push(`${what} ${peer.name} ${peer.dataPath}`)
    }
    const listener: PeerEvents = {
      connected: peer => note('connected', peer),
      rerouted: peer => note('rerouted', peer),
      disconnected: peer => note('disconnected', peer),
    }
    table.subscribe(listener)
    return { id, table, network, events, warnings }
  }

  /** A client and a storage server that answers reads with as many bytes as were asked for. */
  pair(): { readonly client: Seat; readonly server: Seat; readonly reads: PeerInfo[] } {
    const client = this.seat('c', { roles: ['client'] })
    const server = this.seat('d', { roles: ['storage'], addresses: [addressOf('d')] })
    const reads: PeerInfo[] = []
    server.table.serve('read', (request, from, answer) => {
      reads.push(from)
      answer(dataReply(request.length))
    })
    return { client, server, reads }
  }

  /** The same two, but each read is answered with one byte, or so many, when the test calls it. */
  askedPair({ addresses = [], bytes = 1 }: AskedPair = {}): {
    readonly client: Seat
    readonly server: Seat
    readonly answers: (() => void)[]
  } {
    const client = this.seat('c', { roles: ['client'] })
    const server = this.seat('d', { roles: ['storage'], addresses })
    const answers: (() => void)[] = []
    server.table.serve('read', (_request, _from, answer) => {
      answers.push(() => answer(dataReply(bytes)))
    })
    return { client, server, answers }
  }

  async start(...seats: readonly Seat[]): Promise<void> {
    for (const seat of seats) await seat.table.start()
    await this.clock.until('all are connected', () =>
      seats.every(a => seats.every(b => a === b || a.table.find(b.id) !== undefined)),
    )
  }

  /** Nothing is left that keeps time running for ever in this process. */
  async stop(...seats: readonly Seat[]): Promise<void> {
    for (const seat of seats) await this.clock.settle('stopped', seat.table.stop())
  }
}

export const idOf = (name: string): PeerId =>
  peerId(Buffer.from(name).toString('hex').slice(0, 2).repeat(32))
export const addressOf = (name: string): Address => ({ host: name, port: 1 })

function collect(warnings: string[]): Log {
  const note = (message: string, fields?: object): void => {
    warnings.push(`${message} ${JSON.stringify(fields ?? {})}`)
  }
  return { debug: () => undefined, info: () => undefined, warn: note, error: note }
}

export function readRequest(length = 4096): ReadRequest {
  return {
    volume: volumeId(1),
    shard: shardIndex(0),
    epoch: epoch(1),
    layer: HEAD,
    offset: byteOffset(0),
    length: byteCount(length),
  }
}

export function dataReply(length: number): DataReply {
  return {
    status: 'ok',
    epoch: epoch(1),
    generation: generation(0),
    queue: 0,
    durable: false,
    payload: new Uint8Array(length).fill(7),
  }
}
