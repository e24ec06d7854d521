// Scrubs of a volume under clients that write the same few blocks over and over, while servers die,
// links are cut, copies move, and snapshots come and go: as long as nothing has rotted they report
// nothing. Then a bit flips on one server, and a write is lost on another; a scrub finds just
// these, repairs what it may, and when the server with the lost write has caught up again, all is
// well.
import { blockIndex, byteCount, byteOffset, epoch } from '../../../src/base/brands.js'
import { wait } from '../../../src/base/clock.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import { verdictOf, type ScrubResult } from '../../../src/client/scrub/scrub-report.js'
import { VolumeScrub } from '../../../src/client/scrub/volume-scrub.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import type { AdminCommand } from '../../../src/net/admin.js'
import type { VolumeRecord } from '../../../src/layout/configuration.js'
import { headOf } from '../../../src/layout/layers.js'
import { blockOffset } from '../../../src/storage/store/layer-format.js'
import { differences } from '../check/holdings.js'
import { content } from '../run/workload.js'
import type { SeededRandom } from '../seeded-random.js'
import { SimulatedCluster, type Client } from '../simulated-cluster.js'
import { Disturbances } from '../snapshots/disturbances.js'
import type { Sink } from '../trace.js'

const MIB = 2 ** 20
const STEPS = 9
const ATTEMPTS_MAX = 20
const WRITERS = 2
const VALUES = 3
/** In two shards, and next to each other in the index. */
const PLACES = [0, 1, 2, 511, 512, 1023, 1024, 1025, 2500]
const PAUSES_MS = [0, 1, 5, 50, 500, 3_000]
const HEALING_LIMIT_MS = 300_000
const RUN_LIMIT_MS = 3_600_000

export interface ScrubOutcome {
  readonly findings: readonly string[]
  readonly scrubs: number
  readonly counts: ReadonlyMap<string, number>
  /** Virtual milliseconds. */
  readonly time: number
}

/** A block with data, and where. */
interface Victim {
  readonly server: string
  readonly volume: VolumeRecord
  readonly shard: number
  readonly block: number
}

class ScrubStory {
  readonly #cluster: SimulatedCluster
  readonly #random: SeededRandom
  readonly #findings: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #disturbances: Disturbances
  readonly #snapshots: string[] = []
  #client!: Client
  #scrubs = 0
  #next = 1
  #writing = true

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster
    this.#random = cluster.stream('scrub')
    this.#disturbances = new Disturbances({
      ...{ cluster, random: this.#random },
      client: (): Client => this.#client,
      ask: (command: AdminCommand): Promise<boolean> => this.#ask(command),
      count: (what: string): void => this.#count(what),
    })
  }

  async tell(): Promise<ScrubOutcome> {
    this.#client = await this.#cluster.startClient()
    const wish = { name: 'v', size: 16 * MIB, replicas: 3, minInSync: 2 }
    const volume = await this.#cluster.createVolume(this.#client, wish)
    const writers = Array.from({ length: WRITERS }, () => this.#write(volume))
    for (let step = 0; step < STEPS; step++) await this.#step()
    await this.#disturbances.end()
    await this.#healthy()
    // Under load still: a whole scrub, and nothing is wrong.
    await this.#scrubWell('under load')
    this.#writing = false
    await Promise.all(writers)
    await volume.flush()
    await this.#planted()
    await this.#client.stop()
    const differing = await differences(this.#cluster)
    return {
      findings: [...this.#findings, ...differing, ...this.#cluster.findings],
      scrubs: this.#scrubs,
      counts: this.#counts,
      time: this.#cluster.clock.now(),
    }
  }

  /** Few values, so that a block is often again as it was. */
  async #write(volume: OpenVolume): Promise<void> {
    const random = this.#random
    const nothing = new Uint8Array(BLOCK_BYTES)
    while (this.#writing) {
      const offset = byteOffset(random.pick(PLACES) * BLOCK_BYTES)
      const value = random.below(VALUES)
      if (value === 0 && random.chance(0.5)) await volume.discard(offset, byteCount(BLOCK_BYTES))
      else await volume.write(offset, value === 0 ? nothing : content(value))
      if (random.chance(0.05)) await volume.flush()
      await wait(this.#cluster.clock, random.pick([0, 1, 2, 5, 50]))
    }
  }

  async #step(): Promise<void> {
    const chance = this.#random.below(100)
    if (chance < 35) await this.#disturbances.begin()
    else if (chance < 45) await this.#snapshot()
    else if (chance < 52) await this.#forget()
    else {
      const { rotten, different } = await this.#scrub(this.#random.chance(0.5))
      for (const one of [...rotten, ...different]) this.#wrong('while nothing is wrong', one)
    }
    await wait(this.#cluster.clock, this.#random.pick(PAUSES_MS))
  }

  async #scrub(repair: boolean): Promise<ScrubResult> {
    const { peers, watch } = this.#client
    const volume = [...watch.current()!.volumes.values()].find(({ name }) => name === 'v')!
    const { clock } = this.#cluster
    const scrub = new VolumeScrub({ context: { peers, watch, clock }, volume, repair })
    const result = await scrub.run()
    this.#scrubs++
    this.#count(`scrub ${verdictOf(result)}`)
    return result
  }

  /** Sooner or later: copies may be on their way to where they belong. */
  async #scrubWell(when: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await this.#healthy()
      const { epoch: before } = this.#cluster.configuration
      const result = await this.#scrub(false)
      const verdict = verdictOf(result)
      if (verdict === 'wrong' || attempt >= ATTEMPTS_MAX) return this.#wrong(when, result)
      if (verdict !== 'well' || this.#cluster.configuration.epoch !== before) continue
      const copies = this.#volume.shards.reduce((sum, { replicas }) => sum + replicas.length, 0)
      if (result.replicas !== copies) this.#wrong(`${when}, of ${copies} copies`, result)
      return
    }
  }

  /** A bit flips, a write is lost: both are found, and nothing else. */
  async #planted(): Promise<void> {
    await this.#scrubWell('before')
    // Each writes where nothing else is looked for.
    const rotten = await this.#victim(PLACES[1]!)
    this.#flip(rotten)
    const lost = await this.#victim(PLACES[6]!)
    await this.#loseWrite(lost)
    const result = await this.#scrub(true)
    const [flaw] = result.rotten
    const isFlaw = flaw?.server === rotten.server && flaw.outcome === 'repaired'
    if (result.rotten.length !== 1 || !isFlaw || flaw.block !== rotten.block) {
      this.#wrong(`a bit of block ${rotten.block} on ${rotten.server} has flipped`, result)
    }
    const [difference] = result.different
    const alone = difference?.versions.find(({ servers }) => servers.join() === lost.server)
    if (result.different.length !== 1 || !alone || difference?.block !== lost.block) {
      this.#wrong(`a write of block ${lost.block} on ${lost.server} was lost`, result)
    }
    // What docs/operations.md says: who has it wrong is restarted, and takes what the others have.
    await this.#cluster.endServer(lost.server, 'stop')
    await this.#cluster.startServer(lost.server)
    await this.#healthy()
    await this.#scrubWell('when it was restarted')
  }

  /** Some in-sync replica of this block, which is written anew. */
  async #victim(place: number): Promise<Victim> {
    await this.#client.driver.open('v')!.write(byteOffset(place * BLOCK_BYTES), content(7))
    await this.#client.driver.open('v')!.flush()
    const volume = this.#volume
    const shard = Math.floor(place / 1024) % volume.shards.length
    const block = Math.floor(place / 1024 / volume.shards.length) * 1024 + (place % 1024)
    const { server } = this.#random.pick(volume.shards[shard]!.replicas)
    return { server: this.#cluster.nameOf(server), volume, shard, block }
  }

  /** In the newest of the files of which the head is made that has the block. */
  #flip({ server, volume, shard, block }: Victim): void {
    const disk = this.#cluster.diskOf(server)
    const { id, covers } = headOf(volume.layers)
    for (let number = id; number > 0; number--) {
      const path = `data/${volume.id}/${shard}/layer-${number}`
      const isOfHead = covers.some(({ first, last }) => first <= number && number <= last)
      if (!isOfHead || !disk.hasData(path, blockOffset(block))) continue
      return disk.bitFlip(path, blockOffset(block))
    }
    throw new Error(`${server} has no block ${block} of ${volume.id}/${shard}`)
  }

  /** Its store says that it has it. */
  async #loseWrite({ server, volume, shard, block }: Victim): Promise<void> {
    const name = { volume: volume.id, shard }
    const store = await this.#cluster.storeOf(server).openShard(name, volume.layers)
    const at = epoch(volume.shards[shard]!.epoch)
    await store.write(blockIndex(block), content(6), at)
  }

  async #snapshot(): Promise<void> {
    const name = `s${this.#next++}`
    const made = await this.#ask({
      command: 'snapshot-create',
      snapshots: [{ volume: 'v', name }],
    })
    if (!made) return
    this.#count('snapshot')
    this.#snapshots.push(name)
  }

  async #forget(): Promise<void> {
    const name = this.#snapshots.shift()
    if (name === undefined) return
    if (await this.#ask({ command: 'snapshot-delete', volume: 'v', name })) this.#count('delete')
  }

  /** Whether it was done: else there may be too few servers now, or nobody has answered. */
  async #ask(command: AdminCommand): Promise<boolean> {
    try {
      return (await this.#cluster.admin(this.#client, command)).ok
    } catch {
      return false // the answer was lost with its link
    }
  }

  get #volume(): VolumeRecord {
    return [...this.#cluster.configuration.volumes.values()].find(({ name }) => name === 'v')!
  }

  /** As far as the client has heard, too. */
  #healthy(): Promise<void> {
    const healthy = (): boolean => {
      const { configuration, healthy: well } = this.#cluster
      return well && this.#client.watch.current()?.epoch === configuration.epoch
    }
    return this.#cluster.until('I7: all is in-sync again', healthy, HEALING_LIMIT_MS)
  }

  #wrong(when: string, what: unknown): void {
    this.#findings.push(`scrub ${this.#scrubs}, ${when}: ${JSON.stringify(what)}`)
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}

export async function runScrub(seed: number, sink: Sink | null = null): Promise<ScrubOutcome> {
  const cluster = await SimulatedCluster.start({ seed, servers: 4, managers: 3, sink })
  return cluster.run('the story of scrubs', new ScrubStory(cluster).tell(), RUN_LIMIT_MS)
}
