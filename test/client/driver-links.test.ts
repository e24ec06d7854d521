// The volume driver on real peers (PeerTable) over the simulated network: links that break and move
// between direct and swarm, partitions and new allocations, against one model of the content.
import test from 'tape'
import { byteOffset, generation, incarnation, type PeerId } from '../../src/base/brands.js'
import { silentLog } from '../../src/base/log.js'
import { ClusterVolumeDriver } from '../../src/client/driver.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import { PeerTable } from '../../src/net/peer-table.js'
import type { Role } from '../../src/net/peers.js'
import { UNSHARED_FRAMES } from '../../src/net/wire/frame-memory.js'
import {
  inSync,
  MANAGER,
  reallocated,
  SERVERS,
  testConfiguration,
  testVolume,
} from '../helpers/configurations.js'
import { testPeer } from '../helpers/scripted-peers.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { SimulatedSwarm } from '../simulator/simulated-network.js'
import { VirtualClock } from '../simulator/virtual-clock.js'
import { filled } from './scripted-cluster.js'
import { dataRequest, ServerContent } from './server-content.js'

const CLIENT = testPeer(0xc1)
/** The model lies across the border of two shards. */
const START = 4 * 1024 * 1024 - 32 * 1024

const VOLUME = testVolume({
  attachments: [{ client: CLIENT, host: 'host', mode: 'exclusive', since: '2026-01-01T00:00:00Z' }],
})

class LinkedCluster {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly swarm: SimulatedSwarm
  readonly driver: ClusterVolumeDriver
  readonly watch: ConfigurationWatch
  readonly content = new ServerContent(() => this.configuration)
  configuration = testConfiguration({
    volumes: new Map([[VOLUME.id, VOLUME]]),
  })
  readonly #manager: PeerTable
  readonly #tables: readonly PeerTable[]

  constructor(seed: number) {
    const { clock } = this
    const random = new SeededRandom(seed)
    this.random = random
    this.swarm = new SimulatedSwarm({ clock, random })
    this.#manager = this.#table(MANAGER, 'manager')
    this.#manager.serve('fetch-configuration', (_, __, answer) =>
      answer({ kind: 'full', configuration: this.configuration }),
    )
    this.#manager.serve('client-report', () => undefined)
    this.#manager.serve('client-heartbeat', () => undefined)
    this.#manager.serve('attach', (_, __, answer) =>
      answer({ kind: 'attached', epoch: this.configuration.epoch }),
    )
    const peers = this.#table(CLIENT, 'client')
    this.#tables = [this.#manager, peers, ...SERVERS.map(id => this.#server(id))]
    this.watch = new ConfigurationWatch({ peers, clock, log: silentLog })
    this.driver = new ClusterVolumeDriver({
      ...{ clock, random, peers, watch: this.watch, log: silentLog, ioTimeout: null },
      ...{ host: 'host', mountPoint: '/mnt', memory: UNSHARED_FRAMES, shared: false },
    })
  }

  async start(): Promise<void> {
    await this.clock.settle('start', Promise.all(this.#tables.map(table => table.start())))
    await this.clock.until('a configuration', () => this.watch.current() !== null)
  }

  async stop(): Promise<void> {
    this.driver.abort()
    await this.clock.settle('stop', Promise.all(this.#tables.map(table => table.stop())))
  }

  push(): void {
    const { configuration } = this
    this.#manager.notify(CLIENT, 'configuration', { kind: 'full', configuration })
  }

  #server(id: PeerId): PeerTable {
    const server = this.#table(id, 'storage')
    for (const kind of ['read', 'write', 'flush'] as const) {
      server.serve(kind, (request, _, answer) => {
        const run = (): void => answer(this.content.execute(dataRequest(kind, id, request)))
        this.clock.after(this.random.below(20), run)
      })
    }
    return server
  }

  #table(id: PeerId, role: Role): PeerTable {
    const { clock, random } = this
    const port = SERVERS.findIndex(server => server === id) + 1
    const addresses = port === 0 ? [] : [{ host: 'host', port }]
    const network = this.swarm.network(id, { addresses, server: role !== 'client' })
    const self = { roles: [role], name: role, incarnation: incarnation(1) }
    return new PeerTable({ network, clock, random, log: silentLog, self })
  }
}

function disturb(cluster: LinkedCluster): void {
  const { random, swarm, content } = cluster
  const server = random.pick(SERVERS)
  if (random.chance(0.3)) swarm.break(CLIENT, server)
  if (random.chance(0.1)) swarm.break(CLIENT, server, 'direct')
  if (random.chance(0.1)) swarm.partition(CLIENT, server)
  if (random.chance(0.85)) return
  const lost = random.chance(0.3)
  if (lost) content.loseMemory()
  const turn = random.below(3)
  const replicas = inSync(...SERVERS.slice(turn), ...SERVERS.slice(0, turn))
  const before = cluster.configuration
  const risen = lost ? { generation: generation(before.epoch) } : {}
  cluster.configuration = reallocated(before, 'all', { replicas, ...risen })
  if (random.chance(0.5)) cluster.push()
}

test('broken links, partitions and new allocations: nothing fails, nothing is lost', async t => {
  for (let seed = 1; seed <= 8; seed++) {
    const cluster = new LinkedCluster(seed)
    const { clock, random, swarm, driver } = cluster
    await cluster.start()
    const volume = driver.open('data')!
    const model = new Uint8Array(64 * 1024)
    const calls: Promise<void>[] = []
    for (let step = 0; step < 40; step++) {
      disturb(cluster)
      for (let i = random.below(4); i >= 0; i--) {
        const from = random.below(model.length - 1)
        const data = filled(1 + random.below(Math.min(9_000, model.length - from)), step + 1)
        model.set(data, from)
        calls.push(volume.write(byteOffset(START + from), data))
      }
      await clock.advance(random.below(100))
      if (random.chance(0.7)) swarm.heal()
      if (random.chance(0.2)) calls.push(volume.flush())
      if (step % 5 === 4) {
        swarm.heal()
        await clock.settle(`seed ${seed}, step ${step}`, Promise.all(calls.splice(0)), 120_000)
      }
    }
    const into = new Uint8Array(model.length)
    await clock.settle(`seed ${seed}: read`, volume.read(byteOffset(START), into), 120_000)
    if (Buffer.compare(into, model) !== 0) t.fail(`seed ${seed}: content differs`)
    await clock.settle(`seed ${seed}: flush`, volume.flush(), 120_000)
    await cluster.stop()
  }
  t.pass('8 seeds')
})

test('a server behind a dead link is named until it is back', async t => {
  const cluster = new LinkedCluster(1)
  const { clock, swarm, driver } = cluster
  await cluster.start()
  const volume = driver.open('data')!
  await clock.settle('write', volume.write(byteOffset(0), filled(4096, 1)))
  swarm.partition(CLIENT, SERVERS[0])
  const written = volume.write(byteOffset(0), filled(4096, 2))
  await clock.until('held', () => /server a, .*not reachable/.test(driver.held()?.reason ?? ''))
  swarm.heal()
  await clock.settle('write', written)
  t.equal(driver.held(), null)
  await cluster.stop()
})
