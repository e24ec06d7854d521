// One run of the simulator, decided by its seed: a cluster, volumes, a writer, perhaps a reader;
// faults; then everything heals, and must be right, in-sync and equal. Used by cluster.test.ts for
// a few seeds and by simulate.ts for many.
import type { PeerId } from '../../src/base/brands.js'
import type { Log } from '../../src/base/log.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import { compareShard } from './equal-replicas.js'
import { Faults } from './faults.js'
import { SimulatedCluster, type Client } from './simulated-cluster.js'
import { VolumeModel } from './volume-model.js'
import { Values, Workload } from './workload.js'

const MIB = 2 ** 20
const VOLUME_BYTES = 64 * MIB
/** Virtual milliseconds: everything must be over by then. */
const HEALING_LIMIT = 300_000
/** What a dead client had under way has been decided or refused by then. */
const AFTER_DEATH = 10_000

export interface Outcome {
  readonly findings: readonly string[]
  readonly operations: number
  readonly faults: ReadonlyMap<string, number>
}

type Damage = (server: PeerId, shard: string) => boolean

/** Between replicas that are not known to be damaged. Ends the servers. */
export async function differences(
  cluster: SimulatedCluster,
  isDamaged: Damage = () => false,
): Promise<string[]> {
  const { volumes } = cluster.configuration
  const stores = await cluster.stores()
  const found: string[] = []
  for (const volume of volumes.values()) {
    for (const [shard, allocation] of volume.shards.entries()) {
      const held = allocation.replicas
        .map(replica => replica.server)
        .filter(server => !isDamaged(server, `${volume.id}/${shard}`))
        .map(server => stores.get(server)!)
      const compared = compareShard({ volume: volume.id, shard, stores: held })
      found.push(...(await cluster.clock.settle('replicas are compared', compared)))
    }
  }
  return found
}

/** A volume and what is known about it; the writers come and go. */
interface Subject {
  readonly name: string
  readonly model: VolumeModel
  readonly values: Values
}

class Run {
  readonly #cluster: SimulatedCluster
  readonly #careful: boolean
  readonly #subjects: Subject[] = []
  readonly #workloads: Workload[] = []
  #clients: Client[] = []
  #writing: Workload[] = []

  readonly #torn: boolean

  constructor(cluster: SimulatedCluster, torn: boolean) {
    this.#cluster = cluster
    this.#torn = torn
    this.#careful = cluster.random.chance(0.5)
  }

  async run(): Promise<Outcome> {
    const { random, clock } = this.#cluster
    const writer = await this.#client()
    const volumes = 1 + random.below(2)
    for (let i = 0; i < volumes; i++) await this.#volume(writer, `v${i}`)
    this.#write(writer)
    if (this.#careful) this.#read(await this.#client())
    const faults = new Faults({
      cluster: this.#cluster,
      careful: this.#careful,
      torn: this.#torn,
      clients: () => this.#clients.map(({ id }) => id),
      sectors: volume => this.#subjects[volume - 1]?.model.sectors() ?? [],
      memoryMayBeLost: () => {
        for (const { model } of this.#subjects) model.memoryMayBeLost()
      },
    })
    let count = 15 + random.below(25)
    for (; count > 0; count--) {
      await faults.next()
      if (!this.#careful && random.chance(0.03)) await this.#replaceWriter()
    }
    await faults.heal()
    const ended = Promise.all(this.#workloads.map(workload => workload.stop()))
    const living = this.#writing
    const all = this.#careful ? ended : Promise.all(living.map(workload => workload.stop()))
    await clock.settle('the workloads end', all, HEALING_LIMIT)
    await clock.until('all is in-sync again', () => this.#cluster.healthy, HEALING_LIMIT)
    await this.#check()
    for (const client of this.#clients) await client.stop()
    const findings = [
      ...this.#workloads.flatMap(workload => workload.findings),
      ...(await differences(this.#cluster, (server, shard) => faults.isDamaged(server, shard))),
    ]
    const operations = this.#workloads.reduce((sum, workload) => sum + workload.operations, 0)
    return { findings, operations, faults: faults.counts }
  }

  async #client(): Promise<Client> {
    const client = await this.#cluster.startClient()
    this.#clients.push(client)
    return client
  }

  async #volume(client: Client, name: string): Promise<void> {
    const minInSync = this.#cluster.random.pick([1, 1, 2, 2, 2, 3])
    await this.#cluster.createVolume(client, { name, size: VOLUME_BYTES, minInSync })
    this.#subjects.push({ name, model: new VolumeModel(), values: new Values() })
  }

  #workload(volume: OpenVolume, subject: Subject, reads: 'only' | 'too'): Workload {
    const { clock, random } = this.#cluster
    const options = {
      clock,
      random,
      volume,
      model: subject.model,
      reads,
      places: 6 + random.below(10),
    }
    const workload = new Workload(options, subject.values)
    workload.run(reads === 'only' ? 2 : 1 + random.below(4))
    this.#workloads.push(workload)
    return workload
  }

  #write(client: Client): void {
    this.#writing = this.#subjects.map(subject =>
      this.#workload(client.driver.open(subject.name)!, subject, 'too'),
    )
  }

  #read(client: Client): void {
    for (const subject of this.#subjects) {
      this.#workload(client.driver.open(subject.name)!, subject, 'only')
    }
  }

  /** The client's machine loses its power; later somebody else opens the volumes. */
  async #replaceWriter(): Promise<void> {
    const { clock, random } = this.#cluster
    if (!this.#cluster.isUp('manager')) return
    for (const client of this.#clients) client.die()
    for (const workload of this.#writing) workload.abandon()
    for (const { model } of this.#subjects) model.writerDied()
    for (const { model } of this.#subjects) model.memoryMayBeLost()
    this.#clients = []
    await clock.advance(AFTER_DEATH + random.below(1_000))
    this.#cluster.swarm.heal()
    this.#write(await this.#client())
  }

  /** Everything is read by the writer, and by somebody new. */
  async #check(): Promise<void> {
    const { clock } = this.#cluster
    for (const workload of this.#writing) {
      await clock.settle('everything is read', workload.checkAll())
      await clock.settle('a flush', workload.flush())
    }
    const other = await this.#client()
    for (const subject of this.#subjects) {
      const volume = other.driver.open(subject.name)!
      const { model, values } = subject
      const { random } = this.#cluster
      const options = { clock, random, volume, model, reads: 'only', places: 1 } as const
      const last = new Workload(options, values)
      this.#workloads.push(last)
      await clock.settle('everything is read once more', last.checkAll())
    }
  }
}

export async function runSeed(seed: number, log?: Log): Promise<Outcome> {
  const servers = 3 + (seed % 3)
  const cluster = await SimulatedCluster.start({ seed, servers, ...(log ? { log } : {}) })
  return new Run(cluster, seed % 2 === 0).run()
}
