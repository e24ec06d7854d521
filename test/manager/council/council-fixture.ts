// Several managers on simulated disks and links, in virtual time: started, killed, cut off, and
// asked as a client of each would ask.
import {
  incarnation,
  peerId,
  type ClusterId,
  type Epoch,
  type PeerId,
} from '../../../src/base/brands.js'
import { silentLog, type Log } from '../../../src/base/log.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { Manager } from '../../../src/manager/manager.js'
import type { AdminCommand, AdminResult } from '../../../src/net/admin.js'
import type { Peers } from '../../../src/net/peers.js'
import { PeerTable } from '../../../src/net/peer-table.js'
import { MortalClock } from '../../simulator/mortal-clock.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { SimulatedDisk } from '../../simulator/simulated-disk.js'
import { SimulatedSwarm } from '../../simulator/simulated-network.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

interface Running {
  readonly clock: MortalClock
  readonly peers: PeerTable
  readonly manager: Manager
}

interface Place {
  readonly id: PeerId
  disk: SimulatedDisk
  starts: number
  running: Running | null
  /** What it last said it waits for. */
  waitsFor: string
}

export class Council {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly swarm: SimulatedSwarm
  readonly log: Log
  readonly #places = new Map<string, Place>()

  constructor(options: { readonly seed?: number; readonly log?: Log } = {}) {
    this.random = new SeededRandom(options.seed ?? 1)
    this.log = options.log ?? silentLog
    this.swarm = new SimulatedSwarm({ clock: this.clock, random: this.random })
  }

  /** m1 with a new cluster, the others taken in. */
  static async of(managers: number, options: { readonly seed?: number } = {}): Promise<Council> {
    const council = new Council(options)
    for (let i = 1; i <= managers; i++) await council.start(`m${i}`)
    return council
  }

  get names(): readonly string[] {
    return [...this.#places.keys()]
  }

  get up(): readonly string[] {
    return this.names.filter(name => this.#place(name).running)
  }

  /** Whoever leads; several may think so for a moment. */
  get leaders(): readonly string[] {
    return this.up.filter(name => this.manager(name).leads)
  }

  /** The only leader that all living managers could follow. */
  async leader(): Promise<string> {
    await this.clock.until('one leader', () => this.leaders.length === 1)
    return this.leaders[0]!
  }

  manager(name: string): Manager {
    const { running } = this.#place(name)
    if (!running) throw new Error(`${name} does not run`)
    return running.manager
  }

  leads(name: string): { readonly asFarAsItKnows: boolean; readonly surely: boolean } {
    const manager = this.manager(name)
    return { asFarAsItKnows: manager.leads, surely: manager.leadsForSure }
  }

  /** A storage server that says that it knows this configuration. */
  async stranger(known: { readonly cluster: ClusterId; readonly epoch: Epoch }): Promise<Peers> {
    const network = this.swarm.network(peerId('f'.repeat(64)), { server: false })
    const peers = new PeerTable({
      ...{ network, clock: this.clock, random: this.random, log: this.log },
      self: { roles: ['storage'], name: 'stranger', incarnation: incarnation(1) },
    })
    peers.describe(known)
    await peers.start()
    return peers
  }

  configuration(name: string): Configuration {
    return this.manager(name).configuration
  }

  id(name: string): PeerId {
    return this.#place(name).id
  }

  waitsFor(name: string): string {
    return this.#place(name).waitsFor
  }

  disk(name: string): SimulatedDisk {
    return this.#place(name).disk
  }

  /** Starts it and, unless told otherwise, waits until it is a member. */
  async start(name: string, options: { readonly wait?: boolean } = {}): Promise<Manager> {
    const first = this.#places.size === 0
    const place = this.#place(name)
    place.starts++
    place.waitsFor = ''
    const clock = new MortalClock(this.clock)
    const network = this.swarm.network(place.id, { addresses: [{ host: name, port: 1 }] })
    const peers = new PeerTable({
      ...{ network, clock, random: this.random, log: this.log },
      self: { roles: ['manager'], name, incarnation: incarnation(place.starts) },
    })
    const manager = new Manager({
      ...{ clock, random: this.random, disk: place.disk, peers, log: this.log },
      addresses: () => network.addresses,
      newCluster: first,
      onWaiting: reason => (place.waitsFor = reason),
    })
    place.running = { clock, peers, manager }
    await this.clock.settle(
      `${name} starts`,
      manager.start().then(() => peers.start()),
    )
    if (options.wait ?? true) await this.clock.settle(`${name} is taken in`, manager.joined)
    return manager
  }

  kill(name: string, how: 'kill' | 'power' = 'kill'): void {
    const place = this.#place(name)
    this.swarm.crash(place.id)
    place.running?.clock.die()
    place.running = null
    place.disk = how === 'power' ? place.disk.crash() : place.disk.restart()
  }

  async stop(name: string): Promise<void> {
    const place = this.#place(name)
    const { running } = place
    if (!running) throw new Error(`${name} does not run`)
    await this.clock.settle(
      `${name} stops`,
      running.manager.stop().then(() => running.peers.stop()),
    )
    running.clock.die()
    place.running = null
    place.disk = place.disk.restart()
  }

  /** Cuts these off from all other managers. */
  isolate(...names: readonly string[]): void {
    for (const name of names) {
      for (const other of this.names) {
        if (!names.includes(other)) this.swarm.partition(this.id(name), this.id(other))
      }
    }
  }

  async admin(name: string, command: AdminCommand): Promise<AdminResult> {
    const asked = this.manager(name).admin(JSON.stringify(command))
    return JSON.parse(await this.clock.settle(`${name} answers`, asked)) as AdminResult
  }

  /** All living managers have the same newest configuration. */
  async agree(): Promise<Configuration> {
    const epochs = (): number[] => this.up.map(name => this.configuration(name).epoch)
    await this.clock.until('the managers agree', () => new Set(epochs()).size === 1)
    return this.configuration(this.up[0]!)
  }

  async end(): Promise<void> {
    for (const name of this.up) await this.stop(name)
  }

  #place(name: string): Place {
    const known = this.#places.get(name)
    if (known) return known
    const id = peerId((this.#places.size + 1).toString(16).padStart(64, '0'))
    const disk = new SimulatedDisk({ clock: this.clock, random: this.random })
    const place: Place = { id, disk, starts: 0, running: null, waitsFor: '' }
    this.#places.set(name, place)
    return place
  }
}
