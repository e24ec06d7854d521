// What the stories of moving copies share: a verified load on one volume while servers are emptied,
// go and come, and what must have been true at every epoch on the way.
import { byteOffset, type Epoch } from '../../src/base/brands.js'
import { wait } from '../../src/base/clock.js'
import { BLOCK_BYTES, BLOCKS_PER_EXTENT, MOVES_AT_ONCE } from '../../src/base/limits.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { inSyncOf } from '../../src/layout/replicas.js'
import { heldBy } from '../../src/layout/movement/newcomers.js'
import type { AdminCommand } from '../../src/net/admin.js'
import { Histories } from './check/histories.js'
import { VolumeModel } from './check/volume-model.js'
import { differences } from './check/holdings.js'
import { content, Values, Workload } from './run/workload.js'
import type { Client, SimulatedCluster } from './simulated-cluster.js'

const EXTENTS = 8
const LINES = 3
const CALLS = 20
const PAUSE_MS = 400
/** Written once before the load, away from it, so that there is something to copy. */
const FILLED_FROM = 64
const FILLED = 24
/** The load of a volume: it is in all its shards. */
const PLACES = Array.from({ length: EXTENTS }, (_, extent) => extent * BLOCKS_PER_EXTENT)

export class MovingStory {
  readonly cluster: SimulatedCluster
  readonly client: Client
  readonly #workload: Workload
  readonly #histories: Histories
  readonly #since: Epoch
  #ending = false

  private constructor(cluster: SimulatedCluster, client: Client) {
    this.cluster = cluster
    this.client = client
    this.#since = cluster.configuration.epoch
    this.#histories = new Histories(cluster.clock)
    const subject = {
      ...{ name: 'data', histories: this.#histories, model: new VolumeModel() },
      ...{ values: new Values(), places: PLACES, inherited: false },
    }
    const { clock } = cluster
    this.#workload = new Workload({
      ...{ clock, random: cluster.stream('work'), who: client.name, subject },
      volume: client.driver.open('data')!,
      flushed: () => undefined,
    })
  }

  /** A volume of three replicas with something in it, and a load that goes on until `finish`. */
  static async begin(cluster: SimulatedCluster): Promise<MovingStory> {
    const client = await cluster.startClient()
    const size = EXTENTS * BLOCKS_PER_EXTENT * BLOCK_BYTES
    const volume = await cluster.createVolume(client, { name: 'data', size, replicas: 3 })
    for (const block of filledBlocks()) {
      await volume.write(byteOffset(block * BLOCK_BYTES), content(block))
    }
    await volume.flush()
    const story = new MovingStory(cluster, client)
    void story.#load()
    return story
  }

  /** Enough to be in the way, with pauses, since every call is judged. */
  async #load(): Promise<void> {
    while (!this.#ending) {
      this.#workload.burst('all', LINES, CALLS)
      await wait(this.cluster.clock, PAUSE_MS)
    }
  }

  get operations(): number {
    return this.#workload.operations
  }

  held(name: string): number {
    return heldBy(this.cluster.configuration, this.cluster.idOf(name))
  }

  /** Throws what the managers refuse. */
  async admin(command: AdminCommand): Promise<void> {
    const answer = await this.cluster.admin(this.client, command)
    if (!answer.ok) throw new Error(answer.message)
  }

  drain(name: string): Promise<void> {
    return this.admin({ command: 'server-drain', name, force: false })
  }

  untilEmpty(name: string): Promise<void> {
    return this.cluster.until(`${name} is empty`, () => this.held(name) === 0, 300_000)
  }

  untilHealthy(): Promise<void> {
    return this.cluster.until('all is in-sync', () => this.cluster.healthy, 300_000)
  }

  /** Ends the load and the servers; one line for everything that is wrong. */
  async finish(): Promise<readonly string[]> {
    const { cluster } = this
    this.#ending = true
    this.#workload.stop()
    await cluster.until('the load has ended', () => this.#workload.idle)
    await this.#workload.readAll()
    const wrong = await this.#wrongBlocks()
    await this.client.stop()
    await this.untilHealthy()
    return [
      ...wrong,
      ...this.#workload.findings,
      ...this.#histories.findings(),
      ...(await differences(cluster)),
      ...cluster.findings,
    ]
  }

  async #wrongBlocks(): Promise<readonly string[]> {
    const volume = this.client.driver.open('data')!
    const found: string[] = []
    for (const block of filledBlocks()) {
      const into = new Uint8Array(BLOCK_BYTES)
      await volume.read(byteOffset(block * BLOCK_BYTES), into)
      if (!Buffer.from(into).equals(content(block))) found.push(`block ${block} is another one`)
    }
    return found
  }

  /** Every configuration since the load began. */
  *#epochs(): Iterable<Configuration> {
    for (let at: number = this.#since; at <= this.cluster.configuration.epoch; at++) {
      const configuration = this.cluster.book.at(at as Epoch)
      if (configuration) yield configuration
    }
  }

  /** The fewest in-sync copies of a shard at any epoch, and the most that were made at once. */
  get extremes(): { readonly fewest: number; readonly most: number } {
    let fewest = Infinity
    let most = 0
    for (const { volumes } of this.#epochs()) {
      let made = 0
      for (const shard of [...volumes.values()].flatMap(({ shards }) => shards)) {
        const inSync = inSyncOf(shard).length
        fewest = Math.min(fewest, inSync)
        made += shard.replicas.length - inSync
      }
      most = Math.max(most, made)
    }
    return { fewest, most }
  }

  /** Nothing was taken away before it was made elsewhere, and few were made at once. */
  get gentle(): boolean {
    const { fewest, most } = this.extremes
    return fewest >= 3 && most <= MOVES_AT_ONCE
  }
}

function filledBlocks(): readonly number[] {
  return PLACES.flatMap(place =>
    Array.from({ length: FILLED }, (_, i) => place + FILLED_FROM + i * 37),
  )
}
