// What goes wrong in a run, drawn from its seed: processes that stop, are killed or lose their
// power (servers and the manager), links that break, wires cut in one direction or both, direct
// links that cannot be opened, full disks, flipped bits. Times are random microseconds.
//
// `careful` runs have readers beside the writer, and bit flips: then one server at a time is down,
// and the next one only when all replicas are in-sync again, so memory is never lost and a good
// copy always left. In the others anything may happen, all servers without power included.
import { BLOCK_BYTES } from '../../src/base/limits.js'
import { byteCount, byteOffset, type PeerId } from '../../src/base/brands.js'
import { splitRange } from '../../src/layout/geometry.js'
import { blockOffset } from '../../src/storage/store/layer-format.js'
import type { Death, SimulatedCluster } from './simulated-cluster.js'
import { SECTOR_BYTES } from './volume-model.js'

const DEATHS: readonly Death[] = ['stop', 'kill', 'power']
/** Virtual milliseconds between faults: in the middle of a call, of settling, of a timeout. */
const PAUSES = [0.5, 5, 50, 500, 3_000, 9_000]

export interface FaultsOptions {
  readonly cluster: SimulatedCluster
  readonly careful: boolean
  /** Servers often die while a write is at some replicas only. */
  readonly torn: boolean
  readonly clients: () => readonly PeerId[]
  /** Sectors with data, of any volume. */
  readonly sectors: (volume: number) => readonly number[]
  readonly memoryMayBeLost: () => void
}

export class Faults {
  readonly #o: FaultsOptions
  /** The only server whose bits flip. */
  readonly #rotten: string
  #full: string | null = null
  readonly counts = new Map<string, number>()
  readonly #flipped = new Set<string>()

  constructor(options: FaultsOptions) {
    this.#o = options
    const { random, serverNames } = options.cluster
    this.#rotten = random.pick(serverNames)
  }

  /** One fault, then some time. */
  async next(): Promise<void> {
    const { cluster } = this.#o
    await this.#one()
    const pause = cluster.random.pick(PAUSES)
    await cluster.clock.advance((pause * cluster.random.below(1_000_000)) / 1_000_000)
  }

  /** All is well from now on. */
  async heal(): Promise<void> {
    const { cluster } = this.#o
    cluster.swarm.heal()
    cluster.swarm.allowed.direct = true
    if (this.#full !== null) this.#empty(this.#full)
    if (!cluster.isUp('manager')) await cluster.startManager()
    for (const name of cluster.serverNames) {
      if (!cluster.isUp(name)) await cluster.startServer(name)
    }
  }

  async #one(): Promise<void> {
    const { cluster, careful } = this.#o
    const { random, swarm } = cluster
    const name = random.pick(cluster.serverNames)
    const chance = random.below(100)
    if (chance < 40) return this.#server(name)
    if (chance < 50) return this.#manager()
    if (chance < 60) return this.#note('link broken', () => swarm.break(...this.#pair()))
    if (chance < 68) return this.#note('wire cut one way', () => swarm.cut(...this.#pair()))
    if (chance < 74) return this.#note('wire cut', () => swarm.partition(...this.#pair()))
    if (chance < 84) return this.#note('wires healed', () => swarm.heal())
    if (chance < 88) {
      return this.#note('direct links switched', () => {
        swarm.allowed.direct = !swarm.allowed.direct
        for (const kind of ['direct', 'swarm'] as const) {
          if (random.chance(0.5)) swarm.break(...this.#pair(), kind)
        }
      })
    }
    if (chance < 92) return this.#note('disk full or not', () => this.#fillOrEmpty(name))
    if (careful) return this.#note('bit flipped', () => this.#flip())
    return this.#powerCut()
  }

  #note(what: string, act: () => unknown): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
    act()
  }

  #pair(): [PeerId, PeerId] {
    const { cluster, clients } = this.#o
    const names = [...cluster.serverNames, 'manager']
    const all = [...names.map(name => cluster.idOf(name)), ...clients()]
    const from = cluster.random.pick(all)
    return [from, cluster.random.pick(all.filter(id => id !== from))]
  }

  async #server(name: string): Promise<void> {
    const { cluster, careful } = this.#o
    const down = cluster.serverNames.filter(other => !cluster.isUp(other))
    const back = down.includes(name) || (careful && down.length > 0)
    if (back) {
      this.#note('server started', () => undefined)
      return this.#start(down.includes(name) ? name : down[0]!)
    }
    if (careful && !(cluster.isUp('manager') && cluster.healthy)) return
    // A full disk has no room for what a clean stop writes: it fails, and the process is killed.
    const death = name === this.#full ? 'kill' : cluster.random.pick(DEATHS)
    this.#note(`server ${death}`, () => undefined)
    if (this.#o.torn) await this.#tear(name)
    await cluster.endServer(name, death)
    if (!careful) this.#o.memoryMayBeLost()
  }

  /** For a while one of the others gets nothing from it, so that writes are open when it dies. */
  async #tear(name: string): Promise<void> {
    const { cluster } = this.#o
    const others = cluster.serverNames.filter(other => other !== name)
    cluster.swarm.cut(cluster.idOf(name), cluster.idOf(cluster.random.pick(others)))
    await cluster.clock.advance(cluster.random.below(1_000))
  }

  async #manager(): Promise<void> {
    const { cluster } = this.#o
    if (!cluster.isUp('manager')) return cluster.startManager()
    const death = cluster.random.pick(DEATHS)
    this.#note(`manager ${death}`, () => undefined)
    await cluster.endManager(death)
  }

  /** All servers at once, and sometimes the manager. */
  async #powerCut(): Promise<void> {
    const { cluster } = this.#o
    this.#note('power cut', () => undefined)
    for (const name of cluster.serverNames) {
      if (cluster.isUp(name)) await cluster.endServer(name, 'power')
    }
    if (cluster.isUp('manager') && cluster.random.chance(0.3)) await cluster.endManager('power')
    this.#o.memoryMayBeLost()
    if (!cluster.isUp('manager')) await cluster.startManager()
    const names = [...cluster.serverNames]
    while (names.length > 0) {
      const [name] = names.splice(cluster.random.below(names.length), 1)
      if (cluster.random.chance(0.8)) await this.#start(name!)
    }
  }

  /** Without any room a server does not start: people make some. */
  async #start(name: string): Promise<void> {
    if (name === this.#full) this.#empty(name)
    await this.#o.cluster.startServer(name)
  }

  #fillOrEmpty(name: string): void {
    if (this.#full !== null) return this.#empty(this.#full)
    const disk = this.#o.cluster.diskOf(name)
    disk.setCapacity(disk.used() + this.#o.cluster.random.below(64) * BLOCK_BYTES)
    this.#full = name
  }

  #empty(name: string): void {
    this.#o.cluster.diskOf(name).setCapacity(2 ** 40)
    this.#full = null
  }

  #flip(): void {
    const { cluster, sectors } = this.#o
    if (!cluster.isUp('manager')) return
    const volume = cluster.random.pick([...cluster.configuration.volumes.values()])
    const sector = cluster.random.pick(sectors(volume.id))
    if (sector === undefined) return
    const offset = byteOffset(sector * SECTOR_BYTES)
    const range = { offset, length: byteCount(SECTOR_BYTES) }
    const [piece] = splitRange(range, volume.shards.length)
    const block = Math.floor(piece!.shardOffset / BLOCK_BYTES)
    const path = `data/${volume.id}/${piece!.shard}/layer-1`
    const at = blockOffset(block) + (piece!.shardOffset % BLOCK_BYTES)
    const disk = cluster.diskOf(this.#rotten)
    if (!disk.hasData(path, at)) return
    disk.bitFlip(path, at)
    this.#flipped.add(`${volume.id}/${piece!.shard}`)
  }

  /** Nobody may have read a flipped bit yet: its replica is corrupt until somebody does. */
  isDamaged(server: PeerId, shard: string): boolean {
    return server === this.#o.cluster.idOf(this.#rotten) && this.#flipped.has(shard)
  }
}
