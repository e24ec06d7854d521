// A whole cluster in one process and in virtual time, on the production code of every role: one
// manager, storage servers, clients, on simulated disks and links. One seed decides everything.
import { byteCount, incarnation, peerId, type PeerId } from '../../src/base/brands.js'
import { silentLog, type Log } from '../../src/base/log.js'
import { LOST } from '../../src/net/peers.js'
import type { AdminCommand, AdminResult } from '../../src/net/admin.js'
import { ClusterVolumeDriver } from '../../src/client/driver.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { Manager } from '../../src/manager/manager.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import { PeerTable } from '../../src/net/peer-table.js'
import type { Role } from '../../src/net/peers.js'
import { StorageServer } from '../../src/storage/storage-server.js'
import { FileBlockStore } from '../../src/storage/store/file-block-store.js'
import { MortalClock } from './mortal-clock.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedDisk } from './simulated-disk.js'
import { SimulatedSwarm, type SimulatedNetwork } from './simulated-network.js'
import { VirtualClock } from './virtual-clock.js'

const GIB = 2 ** 30

/** What all processes have. */
interface Process {
  readonly clock: MortalClock
  readonly network: SimulatedNetwork
  readonly peers: PeerTable
}

interface ServerProcess extends Process {
  readonly store: FileBlockStore
  readonly server: StorageServer
}

interface Host {
  readonly id: PeerId
  readonly name: string
  disk: SimulatedDisk
  starts: number
}

export interface Client {
  readonly driver: ClusterVolumeDriver
  readonly peers: PeerTable
  readonly id: PeerId
  stop(): Promise<void>
  /** Its process dies, or its machine: nothing of it ever happens again. */
  die(): void
}

export interface VolumeWish {
  readonly name: string
  readonly size: number
  readonly minInSync?: number
}

/** How a process ends: told to, alone by a signal, or with its machine. */
export type Death = 'stop' | 'kill' | 'power'

export class SimulatedCluster {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly swarm: SimulatedSwarm
  readonly log: Log
  readonly #hosts = new Map<string, Host>()
  readonly #servers = new Map<string, ServerProcess>()
  #manager: (Process & { readonly manager: Manager }) | null = null
  #identities = 0

  constructor(options: { readonly seed: number; readonly log?: Log }) {
    this.random = new SeededRandom(options.seed)
    this.log = options.log ?? silentLog
    this.swarm = new SimulatedSwarm({ clock: this.clock, random: this.random })
  }

  /** A manager and storage servers a, b, c…, all registered. */
  static async start(options: {
    readonly seed: number
    readonly servers: number
    readonly log?: Log
  }): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(options)
    await cluster.startManager()
    for (let i = 0; i < options.servers; i++) {
      await cluster.startServer(String.fromCharCode(97 + i))
    }
    await cluster.clock.until(
      'all servers are registered',
      () => cluster.configuration.servers.size === options.servers,
    )
    return cluster
  }

  get manager(): Manager {
    if (!this.#manager) throw new Error('the manager does not run')
    return this.#manager.manager
  }

  get configuration(): Manager['configuration'] {
    return this.manager.configuration
  }

  get serverNames(): readonly string[] {
    return [...this.#hosts.keys()].filter(name => name !== 'manager')
  }

  isUp(name: string): boolean {
    return name === 'manager' ? this.#manager !== null : this.#servers.has(name)
  }

  diskOf(name: string): SimulatedDisk {
    return this.#host(name).disk
  }

  idOf(name: string): PeerId {
    return this.#host(name).id
  }

  async startManager(): Promise<void> {
    const host = this.#host('manager')
    const process = this.#process(host, ['manager'])
    const manager = new Manager({
      ...{ clock: process.clock, random: this.random, disk: host.disk, peers: process.peers },
      log: this.log,
      addresses: () => process.network.addresses,
      newCluster: host.starts === 1,
    })
    this.#manager = { ...process, manager }
    await this.clock.settle(
      'the manager starts',
      manager.start().then(() => process.peers.start()),
    )
  }

  async endManager(death: Death): Promise<void> {
    const process = this.#manager
    if (!process) throw new Error('the manager does not run')
    if (death === 'stop') {
      const stopped = process.manager.stop().then(() => process.peers.stop())
      await this.clock.settle('the manager stops', stopped)
    }
    this.#end(this.#host('manager'), process, death)
    this.#manager = null
  }

  async startServer(name: string): Promise<void> {
    const host = this.#host(name)
    const process = this.#process(host, ['storage'])
    const { clock, peers, network } = process
    const { disk } = host
    const opened = FileBlockStore.open({ disk, log: this.log })
    const store = await this.clock.settle(`${name} opens its store`, opened)
    const server = new StorageServer({
      ...{ clock, random: this.random, disk, peers, store, log: this.log },
      watch: new ConfigurationWatch({ peers, log: this.log, clock }),
      self: {
        ...{ name, domain: name, weight: 100, capacity: byteCount(100 * GIB) },
        incarnation: incarnation(host.starts),
        addresses: () => network.addresses,
      },
    })
    this.#servers.set(name, { ...process, store, server })
    await this.clock.settle(
      `${name} starts`,
      server.start().then(() => peers.start()),
    )
  }

  async endServer(name: string, death: Death): Promise<void> {
    const process = this.#servers.get(name)
    if (!process) throw new Error(`${name} does not run`)
    if (death === 'stop') {
      const stopped = process.server.stop()
      const gone = stopped.then(() => process.peers.stop()).then(() => process.store.close())
      await this.clock.settle(`${name} stops`, gone)
    }
    this.#end(this.#host(name), process, death)
    this.#servers.delete(name)
  }

  async startClient(ioTimeout: number | null = null): Promise<Client> {
    const host = this.#host(`client-${this.#identities}`)
    this.#hosts.delete(host.name)
    const { clock, peers } = this.#process(host, ['client'])
    const watch = new ConfigurationWatch({ peers, log: this.log, clock })
    const driver = new ClusterVolumeDriver({
      ...{ clock, random: this.random, peers, watch, log: this.log, ioTimeout },
      ...{ host: 'simulated', mountPoint: '/mnt' },
    })
    await this.clock.settle('the client starts', peers.start())
    await this.clock.until('the client has a configuration', () => watch.current() !== null)
    return {
      ...{ driver, peers, id: host.id },
      stop: async () => {
        await this.clock.settle('the client closes', driver.close())
        await this.clock.settle('the client stops', peers.stop())
      },
      die: () => {
        this.swarm.crash(host.id, { silent: this.random.chance(0.5) })
        clock.die()
      },
    }
  }

  async admin(client: Client, command: AdminCommand): Promise<AdminResult> {
    const manager = this.#host('manager').id
    const asked = client.peers.request(manager, 'admin', { json: JSON.stringify(command) })
    const reply = await this.clock.settle('the manager answers', asked)
    if (reply === LOST) throw new Error('the manager was lost')
    return JSON.parse(reply.json) as AdminResult
  }

  async createVolume(client: Client, wish: VolumeWish): Promise<OpenVolume> {
    const replicas = Math.min(3, this.#servers.size)
    const { name, minInSync = null } = wish
    const kind = 'volume-create' as const
    const command = { command: kind, ...wish, replicas, minInSync, force: false }
    const result = await this.admin(client, command)
    if (!result.ok) throw new Error(result.message)
    await this.clock.until('the client sees the volume', () => client.driver.open(name) !== null)
    const volume = client.driver.open(name)
    if (!volume) throw new Error('it was there')
    return volume
  }

  /** Every replica of every shard is in-sync, in its server's newest incarnation. */
  get healthy(): boolean {
    const { volumes } = this.configuration
    // As the hosts count their starts: a server that is back may not have registered yet.
    const starts = new Map([...this.#hosts.values()].map(({ id, starts }) => [id, starts]))
    return [...volumes.values()].every(volume =>
      volume.shards.every(
        shard =>
          shard.replicas.length === volume.replicas &&
          shard.replicas.every(
            replica =>
              replica.state === 'in-sync' && replica.incarnation === starts.get(replica.server),
          ),
      ),
    )
  }

  /** Stops all servers cleanly and opens their stores, for a look at what they hold. */
  async stores(): Promise<Map<PeerId, FileBlockStore>> {
    for (const name of [...this.#servers.keys()]) await this.endServer(name, 'stop')
    const stores = new Map<PeerId, FileBlockStore>()
    for (const name of this.serverNames) {
      const host = this.#host(name)
      const opened = FileBlockStore.open({ disk: host.disk, log: this.log })
      stores.set(host.id, await this.clock.settle('the store opens', opened))
    }
    return stores
  }

  #host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known) return known
    // Identities in the order of their making, so that a seed gives the same ones again.
    const id = peerId((++this.#identities).toString(16).padStart(64, '0'))
    const disk = new SimulatedDisk({ clock: this.clock, random: this.random })
    const host = { id, name, disk, starts: 0 }
    this.#hosts.set(name, host)
    return host
  }

  #process(host: Host, roles: readonly Role[]): Process {
    host.starts++
    const clock = new MortalClock(this.clock)
    const server = !roles.includes('client')
    const addresses = server ? [{ host: host.name, port: 1 }] : []
    const network = this.swarm.network(host.id, { addresses, server })
    const peers = new PeerTable({
      ...{ network, clock, random: this.random, log: this.log },
      self: { roles, name: host.name, incarnation: incarnation(host.starts) },
    })
    return { clock, network, peers }
  }

  #end(host: Host, process: Process, death: Death): void {
    if (death !== 'stop') this.swarm.crash(host.id)
    process.clock.die()
    host.disk = death === 'power' ? host.disk.crash() : host.disk.restart()
  }
}
