// A whole cluster in one process and in virtual time, on the production code of every role:
// managers, storage servers, clients, on simulated disks and links. One seed decides everything.
//
// Nothing here lets time pass: whoever calls awaits within a story that the clock is driven for,
//   await cluster.run('b starts', cluster.startServer('b'))
import { byteCount, incarnation, peerId, type PeerId } from '../../src/base/brands.js'
import { wait, type Clock } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { FLUSHES_FORESEEN_AFTER } from '../../src/base/limits.js'
import type { Configuration, ShardAllocation } from '../../src/layout/configuration.js'
import { LOST } from '../../src/net/peers.js'
import type { AdminCommand, AdminResult } from '../../src/net/admin.js'
import type { GoneNotice } from '../../src/net/manager-messages.js'
import { ClusterVolumeDriver } from '../../src/client/driver.js'
import { bringGoneNotice } from '../../src/client/gone-notice.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { Manager } from '../../src/manager/manager.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import { PeerTable } from '../../src/net/peer-table.js'
import type { Role } from '../../src/net/peers.js'
import { StorageServer } from '../../src/storage/storage-server.js'
import { FileBlockStore } from '../../src/storage/store/file-block-store.js'
import { ConfigurationBook } from './check/configuration-book.js'
import { Fencing } from './check/fencing.js'
import { MortalClock } from './mortal-clock.js'
import { PausableClock } from './pausable-clock.js'
import { streamOf, type SeededRandom } from './seeded-random.js'
import { DISKS, FAST_DISK, SimulatedDisk, type Latency } from './simulated-disk.js'
import { SimulatedSwarm, type SimulatedNetwork } from './simulated-network.js'
import { brief, Trace, type Sink } from './trace.js'
import { VirtualClock } from './virtual-clock.js'
import { WatchedPeers, type Seen } from './watched-peers.js'

const GIB = 2 ** 30
const POLL_MS = 5
const LONG_MS = 24 * 60 * 60 * 1000

/** What all processes have. */
interface Process {
  readonly clock: MortalClock
  readonly network: SimulatedNetwork
  readonly peers: WatchedPeers
}

interface ManagerProcess extends Process {
  readonly manager: Manager
  /** It can be told to stop. */
  started: boolean
}

interface ServerProcess extends Process {
  /** Null until it has started. */
  running: { readonly store: FileBlockStore; readonly server: StorageServer } | null
}

type Kind = 'manager' | 'storage' | 'client'

interface Host {
  readonly id: PeerId
  readonly name: string
  readonly kind: Kind
  readonly clock: PausableClock
  readonly latency: Latency
  disk: SimulatedDisk
  starts: number
  /** Of the newest configuration that its process has taken up; of a server or a client. */
  epoch: number
}

export interface Client {
  readonly name: string
  /** Of its process. */
  readonly clock: Clock
  readonly driver: ClusterVolumeDriver
  readonly peers: WatchedPeers
  readonly watch: ConfigurationWatch
  readonly id: PeerId
  readonly alive: boolean
  stop(): Promise<void>
  /** Its process dies, or its machine: nothing of it ever happens again. */
  die(): void
}

export interface VolumeWish {
  readonly name: string
  readonly size: number
  readonly replicas?: number
  readonly minInSync?: number
}

export interface ClientOptions {
  /** Default: null, I/O is held. */
  readonly ioTimeout?: number | null
  readonly shared?: boolean
}

/** How a process ends: told to, alone by a signal, or with its machine, and then nobody is told. */
export type Death = 'stop' | 'kill' | 'power' | 'silent power'

export interface ClusterOptions {
  readonly seed: number
  readonly servers: number
  /** Default: one. */
  readonly managers?: number
  /** Default: longer than any story. */
  readonly rebuildAfter?: number
  /** Of storage servers: all fast, or each of any kind; fast by default. */
  readonly disks?: 'fast' | 'any'
  readonly sink?: Sink | null
}

export class SimulatedCluster {
  readonly clock = new VirtualClock()
  readonly swarm: SimulatedSwarm
  readonly trace: Trace
  readonly book = new ConfigurationBook()
  readonly #seed: number
  readonly #rebuildAfter: number
  /** Of the processes themselves. */
  readonly #random: SeededRandom
  readonly #disks: SeededRandom
  readonly #kinds: readonly Latency[]
  readonly #hosts = new Map<string, Host>()
  readonly #names = new Map<PeerId, string>()
  readonly #managers = new Map<string, ManagerProcess>()
  readonly #servers = new Map<string, ServerProcess>()
  readonly #fencing: Fencing
  readonly #observers = new Set<(seen: Seen) => void>()
  #clients = 0

  constructor({
    seed,
    sink = null,
    rebuildAfter = LONG_MS,
    disks = 'fast',
  }: Omit<ClusterOptions, 'servers' | 'managers'>) {
    this.#seed = seed
    this.#rebuildAfter = rebuildAfter
    this.#random = this.stream('processes')
    this.#disks = this.stream('disks')
    this.#kinds = disks === 'any' ? DISKS : [FAST_DISK]
    this.trace = new Trace(this.clock, sink)
    this.swarm = new SimulatedSwarm({ clock: this.clock, random: this.stream('network') })
    this.#fencing = new Fencing(this.book, server => incarnation(this.#hostOf(server).starts))
  }

  /** Managers m1, m2… and storage servers a, b, c…, all registered. */
  static async start(options: ClusterOptions): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(options)
    await cluster.run('the cluster starts', cluster.#startAll(options))
    return cluster
  }

  /** Lets time pass until the story has ended. */
  run<T>(what: string, story: Promise<T>, limit?: number): Promise<T> {
    return this.clock.settle(what, story, limit)
  }

  /** Within a story: waits for a condition; throws after `limit` virtual milliseconds. */
  async until(what: string, condition: () => boolean, limit = 60_000): Promise<void> {
    if (!(await this.within(limit, condition))) {
      throw new Error(`not within ${limit} virtual ms: ${what}`)
    }
  }

  /** Within a story: whether the condition comes true in time. */
  async within(limit: number, condition: () => boolean): Promise<boolean> {
    const end = this.clock.now() + limit
    for (let pause = 1; !condition(); pause = Math.min(2 * pause, POLL_MS)) {
      if (this.clock.now() >= end) return false
      await wait(this.clock, pause)
    }
    return true
  }

  /** Chance for one purpose: what draws from another stream does not change it. */
  stream(purpose: string): SeededRandom {
    return streamOf(this.#seed, purpose)
  }

  /** Told of every message of every process. */
  observe(observer: (seen: Seen) => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  /** What checkers of the protocol found so far. */
  get findings(): readonly string[] {
    return [...this.book.findings, ...this.#fencing.findings]
  }

  /** The newest configuration that any process has taken up. */
  get configuration(): Configuration {
    const { newest } = this.book
    if (!newest) throw new Error('there is no configuration yet')
    return newest
  }

  get managerNames(): readonly string[] {
    return this.#named('manager')
  }

  get serverNames(): readonly string[] {
    return this.#named('storage')
  }

  /** Of all processes that there are or have been. */
  get processNames(): readonly string[] {
    return [...this.#hosts.keys()]
  }

  isUp(name: string): boolean {
    return this.#managers.has(name) || this.#servers.has(name)
  }

  /** A storage server that has started, and not one that is about to. */
  isServing(name: string): boolean {
    return (this.#servers.get(name)?.running ?? null) !== null
  }

  /** The manager that leads, if one does; after a partition the one that has led for longer. */
  get leader(): string | null {
    const leading = [...this.#managers].find(([, { manager }]) => manager.leads)
    return leading?.[0] ?? null
  }

  get managersUp(): readonly string[] {
    return [...this.#managers.keys()]
  }

  diskOf(name: string): SimulatedDisk {
    return this.#known(name).disk
  }

  idOf(name: string): PeerId {
    return this.#known(name).id
  }

  nameOf(id: PeerId): string {
    return this.#names.get(id) ?? id.slice(-4)
  }

  // ---- managers -------------------------------------------------------------------------------

  /** Resolves when it has started, or died on the way. */
  async startManager(name: string): Promise<void> {
    const first = this.managerNames.length === 0
    const host = this.#host(name, 'manager')
    this.trace.say(name, 'starts')
    const process = this.#process(host, ['manager'])
    const { clock, peers, network } = process
    const manager = new Manager({
      ...{ clock, random: this.#random, disk: host.disk, peers },
      log: this.trace.log(name),
      addresses: () => network.addresses,
      newCluster: first,
      rebuildAfter: this.#rebuildAfter,
      isGenuine: notice => this.#isGone(notice),
    })
    const running = { ...process, manager, started: false }
    this.#managers.set(name, running)
    const start = async (): Promise<void> => {
      await manager.start()
      await peers.start()
      running.started = true
    }
    await Promise.race([start(), clock.death])
  }

  async endManager(name: string, death: Death): Promise<void> {
    const process = this.#managers.get(name)
    if (!process) throw new Error(`${name} does not run`)
    this.trace.say(name, death)
    if (death === 'stop' && process.started) {
      await process.manager.stop()
      await process.peers.stop()
    }
    this.#end(this.#known(name), process, death)
    this.#managers.delete(name)
  }

  // ---- storage servers ------------------------------------------------------------------------

  /** Of a server that has started: what it works with, for a fault that it does not notice. */
  storeOf(name: string): FileBlockStore {
    const running = this.#servers.get(name)?.running
    if (!running) throw new Error(`${name} has not started`)
    return running.store
  }

  /** Resolves when it has started, or died on the way. */
  async startServer(name: string): Promise<void> {
    const host = this.#host(name, 'storage')
    this.trace.say(name, 'starts')
    const process: ServerProcess = { ...this.#process(host, ['storage']), running: null }
    this.#servers.set(name, process)
    await Promise.race([this.#startServer(host, process), process.clock.death])
  }

  async #startServer(host: Host, process: ServerProcess): Promise<void> {
    const { clock, peers, network } = process
    const { name, disk } = host
    const log = this.trace.log(name)
    const store = await FileBlockStore.open({ clock, disk, log })
    const watch = new ConfigurationWatch({ peers, log, clock })
    this.#noteAll(host, watch)
    const server = new StorageServer({
      ...{ clock, random: this.#random, disk, peers, store, log, watch },
      self: {
        ...{ name, domain: name, weight: 100, capacity: byteCount(100 * GIB) },
        incarnation: incarnation(host.starts),
        addresses: () => network.addresses,
      },
    })
    await server.start()
    await peers.start()
    process.running = { store, server }
  }

  async endServer(name: string, death: Death): Promise<void> {
    const process = this.#servers.get(name)
    if (!process) throw new Error(`${name} does not run`)
    this.trace.say(name, death)
    const { running } = process
    const clean = death === 'stop' && (!running || (await this.#stopServer(running, process)))
    this.#end(this.#known(name), process, death === 'stop' && !clean ? 'kill' : death)
    this.#servers.delete(name)
  }

  /** Its host has seen its process end, and says so (client/gone-notice.ts). */
  async tellGone(name: string): Promise<boolean> {
    const { id, starts } = this.#known(name)
    const notice = { server: id, incarnation: incarnation(starts), signature: new Uint8Array(64) }
    const host = this.#host(`host of ${name}.${starts}`, 'client')
    const { clock, peers } = this.#process(host, ['client'])
    peers.serve('configuration', () => undefined)
    await peers.start()
    const told = await bringGoneNotice({ peers, clock, notice })
    await peers.stop()
    return told
  }

  /** Identities have no keys here; what is told must be so. */
  #isGone({ server, incarnation: gone }: GoneNotice): boolean {
    const { name, starts } = this.#hostOf(server)
    const lives = this.#servers.has(name) && starts === gone
    if (lives) throw new Error(`${name} lives, and is said to be gone`)
    return true
  }

  /** False: its disk is too full for what a clean stop writes, and it ends like a killed one. */
  async #stopServer(
    { server, store }: NonNullable<ServerProcess['running']>,
    { peers }: Process,
  ): Promise<boolean> {
    try {
      await server.stop()
      await peers.stop()
      await store.close()
      return true
    } catch (error) {
      if (!isSwarmdiskError(error, 'disk-full')) throw error
      return false
    }
  }

  /** Its machine gets an empty disk; the process does not run. */
  wipe(name: string): void {
    const host = this.#known(name)
    this.trace.say(name, 'is wiped')
    const { clock, latency } = host
    host.disk = new SimulatedDisk({ clock, random: this.#disks, latency })
  }

  // ---- processes that stand still -------------------------------------------------------------

  /** As by SIGSTOP: nothing of its process happens, and what others send to it waits. */
  freeze(name: string): void {
    this.trace.say(name, 'stands still')
    this.#known(name).clock.freeze()
  }

  /** As by SIGCONT: it finds all that is due, its timers first or what others have sent. */
  thaw(name: string): void {
    const { clock } = this.#known(name)
    if (!clock.frozen) return
    this.trace.say(name, 'goes on')
    const deliver = (): void => this.swarm.resume()
    if (this.#random.chance(0.5)) return clock.thaw(deliver)
    clock.thaw()
    deliver()
  }

  isFrozen(name: string): boolean {
    return this.#known(name).clock.frozen
  }

  // ---- clients --------------------------------------------------------------------------------

  /** A client that writes alone, unless it shares. */
  async startClient(options: ClientOptions = {}): Promise<Client> {
    const { ioTimeout = null, shared = false } = options
    const host = this.#host(`client-${++this.#clients}`, 'client')
    const { name, id } = host
    const { clock, peers, network } = this.#process(host, ['client'])
    const log = this.trace.log(name)
    const watch = new ConfigurationWatch({ peers, log, clock })
    this.#noteAll(host, watch)
    // Some foresee a FLUSH after every write, some soon, and some as in earnest.
    const flushesForeseenAfter = this.stream(`forecast of ${name}`).pick([
      0,
      1,
      FLUSHES_FORESEEN_AFTER,
    ])
    const driver = new ClusterVolumeDriver({
      flushesForeseenAfter,
      ...{ clock, random: this.#random, peers, watch, log, ioTimeout },
      ...{ host: name, mountPoint: '/mnt', shared, memory: network.memory },
    })
    await peers.start()
    await this.until('the client has a configuration', () => watch.current() !== null)
    let alive = true
    return {
      ...{ name, clock, driver, peers, watch, id },
      get alive() {
        return alive
      },
      stop: async () => {
        await driver.close()
        await peers.stop()
        alive = false
      },
      die: () => {
        this.trace.say(name, 'dies')
        alive = false
        this.swarm.crash(id, { silent: this.#random.chance(0.5) })
        clock.die()
        host.clock.thaw()
      },
    }
  }

  async admin(client: Client, command: AdminCommand): Promise<AdminResult> {
    const linked = (): readonly PeerId[] =>
      this.managersUp.map(name => this.idOf(name)).filter(id => client.peers.find(id))
    await this.until('the client reaches a manager', () => linked().length > 0)
    const json = JSON.stringify(command)
    const reply = await client.peers.request(linked()[0]!, 'admin', { json })
    if (reply === LOST) throw new Error('the manager was lost')
    return JSON.parse(reply.json) as AdminResult
  }

  /** False: refused; or nobody knows, since the manager died with the question. */
  async ask(client: Client, command: AdminCommand): Promise<boolean> {
    try {
      return (await this.admin(client, command)).ok
    } catch (error) {
      if (!(error instanceof Error) || isSwarmdiskError(error)) throw error
      return false
    }
  }

  async createVolume(client: Client, wish: VolumeWish): Promise<OpenVolume> {
    const replicas = Math.min(3, this.#servers.size)
    const { name, minInSync = null } = wish
    const command = {
      command: 'volume-create',
      replicas,
      force: false,
      ...wish,
      minInSync,
    } as const
    const result = await this.admin(client, command)
    if (!result.ok) throw new Error(result.message)
    await this.until('the client sees the volume', () => client.driver.open(name) !== null)
    const volume = client.driver.open(name)
    if (!volume) throw new Error('it was there')
    return volume
  }

  // ---- what is ---------------------------------------------------------------------------------

  /** All shards of all volumes. */
  shards(): readonly ShardAllocation[] {
    return [...this.configuration.volumes.values()].flatMap(volume => volume.shards)
  }

  /** The number of starts of this process so far: its incarnation. */
  incarnationOf(id: PeerId): number {
    return this.#hostOf(id).starts
  }

  /** Every storage server that is up has heard of the newest configuration. */
  get allKnow(): boolean {
    const { epoch } = this.configuration
    return [...this.#servers.keys()].every(name => this.#known(name).epoch === epoch)
  }

  /** Every replica of every shard is in-sync, in its server's newest incarnation. */
  get healthy(): boolean {
    const { volumes } = this.configuration
    return [...volumes.values()].every(volume =>
      volume.shards.every(
        shard =>
          shard.replicas.length === volume.replicas &&
          shard.replicas.every(
            replica =>
              replica.state === 'in-sync' &&
              // As the hosts count: a server that is back may not have registered yet.
              replica.incarnation === this.incarnationOf(replica.server),
          ),
      ),
    )
  }

  /** Stops all servers cleanly and opens their stores, for a look at what they hold. */
  async stores(): Promise<Map<PeerId, FileBlockStore>> {
    for (const name of [...this.#servers.keys()]) await this.endServer(name, 'stop')
    const stores = new Map<PeerId, FileBlockStore>()
    for (const name of this.serverNames) {
      const { disk, id } = this.#known(name)
      const log = this.trace.log(name)
      stores.set(id, await FileBlockStore.open({ clock: this.clock, disk, log }))
    }
    return stores
  }

  // ---- inside ----------------------------------------------------------------------------------

  async #startAll({ servers, managers = 1 }: ClusterOptions): Promise<void> {
    for (let i = 1; i <= managers; i++) await this.startManager(`m${i}`)
    await this.until(
      'all managers are members',
      () => this.book.newest?.managers.length === managers,
    )
    for (let i = 0; i < servers; i++) await this.startServer(String.fromCharCode(97 + i))
    await this.until(
      'all servers are registered',
      () => (this.book.newest?.servers.size ?? 0) === servers,
    )
  }

  #named(kind: Kind): readonly string[] {
    return [...this.#hosts.values()].filter(host => host.kind === kind).map(host => host.name)
  }

  #known(name: string): Host {
    const host = this.#hosts.get(name)
    if (!host) throw new Error(`there is no ${name}`)
    return host
  }

  #hostOf(id: PeerId): Host {
    return this.#known(this.nameOf(id))
  }

  #host(name: string, kind: Kind): Host {
    const known = this.#hosts.get(name)
    if (known) return known
    // Identities in the order of their making, so that a seed gives the same ones again.
    const id = peerId((this.#hosts.size + 1).toString(16).padStart(64, '0'))
    const latency = kind === 'storage' ? this.#disks.pick(this.#kinds) : FAST_DISK
    const clock = new PausableClock(this.clock)
    const disk = new SimulatedDisk({ clock, random: this.#disks, latency })
    const host = { id, name, kind, clock, latency, disk, starts: 0, epoch: 0 }
    this.#hosts.set(name, host)
    this.#names.set(id, name)
    return host
  }

  #process(host: Host, roles: readonly Role[]): Process {
    host.starts++
    const clock = new MortalClock(host.clock)
    const server = !roles.includes('client')
    const addresses = server ? [{ host: host.name, port: 1 }] : []
    const network = this.swarm.network(host.id, { addresses, server, clock: host.clock })
    const table = new PeerTable({
      ...{ network, clock, random: this.#random, log: this.trace.log(host.name) },
      self: { roles, name: host.name, incarnation: incarnation(host.starts) },
    })
    const see = (seen: Seen): void => {
      if (clock.alive) this.#see(seen)
    }
    const who = `${host.name}.${host.starts}`
    const peers = new WatchedPeers(table, see, () => {
      const manager = this.#managers.get(host.name)?.manager
      if (manager && clock.alive) this.book.note(who, manager.configuration)
    })
    return { clock, network, peers }
  }

  #see(seen: Seen): void {
    this.#fencing.see(seen)
    if (this.trace.on) {
      const { moment, operation, request, reply } = seen
      const what = `${moment} ${operation} ${this.nameOf(seen.other)}`
      const body = moment === 'answered' || moment === 'returned' ? reply : request
      this.trace.say(this.nameOf(seen.at), what, brief(body))
    }
    for (const observer of this.#observers) observer(seen)
  }

  #noteAll(host: Host, watch: ConfigurationWatch): void {
    const who = `${host.name}.${host.starts}`
    host.epoch = 0
    watch.subscribe(configuration => {
      host.epoch = configuration.epoch
      this.book.note(who, configuration)
    })
  }

  #end(host: Host, process: Process, death: Death): void {
    if (death !== 'stop') this.swarm.crash(host.id, { silent: death === 'silent power' })
    process.clock.die()
    host.clock.thaw()
    const power = death === 'power' || death === 'silent power'
    host.disk = power ? host.disk.crash() : host.disk.restart()
  }
}
