// What happens to servers, managers and links while snapshots are made: one process is away at a
// time, and every shard keeps enough copies that have lost nothing.
import { wait } from '../../../src/base/clock.js'
import { isDraining } from '../../../src/layout/replicas.js'
import type { AdminCommand } from '../../../src/net/admin.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Client, Death, SimulatedCluster } from '../simulated-cluster.js'

const DEATHS: readonly Death[] = ['stop', 'kill', 'power', 'silent power']
const PAUSES_MS = [0, 50, 500, 2_000, 4_000]
const ASK_AGAIN_MS = 500
const COPIES_LEFT = 2
/** A server may be emptied as long as the others have room for all copies. */
const STAYING = 3

export interface DisturbancesHost {
  readonly cluster: SimulatedCluster
  readonly random: SeededRandom
  client(): Client
  ask(command: AdminCommand): Promise<boolean>
  count(what: string): void
}

export class Disturbances {
  readonly #host: DisturbancesHost
  readonly #under = new Set<Promise<void>>()
  /** Some process stops, which takes its time: it is still there, and dies no second death. */
  #stopping = false

  constructor(host: DisturbancesHost) {
    this.#host = host
  }

  /** Begins it; it may end much later. */
  async begin(): Promise<void> {
    const chance = this.#host.random.below(10)
    if (chance < 5) this.#die()
    else if (chance < 7) this.#cut()
    else if (chance < 8) this.standStill()
    else await this.#drain()
  }

  /** The process of a server, for a while; then it goes on as if nothing had been. */
  standStill(): void {
    const { cluster, random } = this.#host
    const name = random.pick(cluster.serverNames)
    const pause = random.pick(PAUSES_MS)
    if (!cluster.isUp(name) || cluster.isFrozen(name)) return
    this.#host.count('server stands still')
    cluster.freeze(name)
    this.#run(async () => {
      await wait(cluster.clock, pause)
      cluster.thaw(name)
    })
  }

  /** Everybody is there, and may hold what is placed there. */
  async end(): Promise<void> {
    const { cluster } = this.#host
    await Promise.all(this.#under)
    cluster.swarm.heal()
    for (let [name] = this.#draining; name !== undefined; [name] = this.#draining) {
      await this.#host.ask({ command: 'server-undrain', name })
      await wait(cluster.clock, ASK_AGAIN_MS)
    }
  }

  #die(): void {
    const { cluster, random } = this.#host
    const isServer = random.chance(0.7)
    const name = random.pick(isServer ? cluster.serverNames : cluster.managerNames)
    const death = random.pick(DEATHS)
    const pause = random.pick(PAUSES_MS)
    const allUp = [...cluster.serverNames, ...cluster.managerNames].every(
      one => cluster.isUp(one) && !cluster.isFrozen(one),
    )
    if (!allUp || this.#stopping || (isServer && !this.#spared(name))) return
    this.#host.count(`${isServer ? 'server' : 'manager'} ${death}`)
    this.#run(async () => {
      this.#stopping = true
      if (isServer) await cluster.endServer(name, death)
      else await cluster.endManager(name, death)
      this.#stopping = false
      await wait(cluster.clock, pause)
      if (isServer) await cluster.startServer(name)
      else await cluster.startManager(name)
    })
  }

  /** Without this server every shard has copies enough, with the memory that they had. */
  #spared(name: string): boolean {
    const { cluster } = this.#host
    const victim = cluster.idOf(name)
    return cluster.shards().every(({ replicas }) => {
      const others = replicas.filter(
        ({ server, state, incarnation }) =>
          server !== victim && state === 'in-sync' && incarnation === cluster.incarnationOf(server),
      )
      return others.length >= COPIES_LEFT
    })
  }

  #cut(): void {
    const { cluster, random } = this.#host
    const ids = [...cluster.serverNames, ...cluster.managerNames].map(name => cluster.idOf(name))
    const [one, other] = [random.pick(ids), random.pick([...ids, this.#host.client().id])]
    const pause = random.pick(PAUSES_MS)
    if (one === other) return
    this.#host.count('wire cut')
    cluster.swarm.partition(one, other)
    this.#run(async () => {
      await wait(cluster.clock, pause)
      cluster.swarm.heal(one, other)
    })
  }

  /** Or one that is being emptied is not any more. */
  async #drain(): Promise<void> {
    const { random } = this.#host
    const draining = this.#draining
    const staying = this.#members.filter(name => !draining.includes(name))
    const undo = draining.length > 0 && (staying.length <= STAYING || random.chance(0.5))
    if (!undo && staying.length <= STAYING) return
    const name = random.pick(undo ? draining : staying)
    const command = undo
      ? ({ command: 'server-undrain', name } as const)
      : ({ command: 'server-drain', name, force: false } as const)
    if (await this.#host.ask(command)) this.#host.count(undo ? 'undrain' : 'drain')
  }

  get #members(): readonly string[] {
    const { cluster } = this.#host
    return [...cluster.configuration.servers.keys()].map(id => cluster.nameOf(id))
  }

  get #draining(): readonly string[] {
    const { cluster } = this.#host
    const { configuration } = cluster
    return this.#members.filter(name => isDraining(configuration, cluster.idOf(name)))
  }

  #run(work: () => Promise<void>): void {
    const under = work().finally(() => this.#under.delete(under))
    this.#under.add(under)
  }
}
