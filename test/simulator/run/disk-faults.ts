// Disks that are full, refuse, are slow, or rot.
import { byteCount, byteOffset, type PeerId } from '../../../src/base/brands.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import type { VolumeRecord } from '../../../src/layout/configuration.js'
import { splitRange } from '../../../src/layout/geometry.js'
import { blockOffset } from '../../../src/storage/store/layer-format.js'
import { SECTOR_BYTES, SECTORS_PER_BLOCK } from '../check/volume-model.js'
import type { Latency } from '../simulated-disk.js'
import type { FaultContext } from './fault-context.js'

const PLENTY = 2 ** 40
/** One that seeks all the time, one that syncs badly, one that is about to fail. */
const SLOW: readonly Latency[] = [
  { read: 30, write: 5, sync: 60 },
  { read: 0.3, write: 0.05, sync: 700 },
  { read: 400, write: 20, sync: 200 },
]

export class DiskFaults {
  /** The only server whose bits flip. */
  readonly rotten: string
  readonly #o: FaultContext
  /** Sectors with data, of any volume. */
  readonly #sectors: (volume: number) => readonly number[]
  readonly #flipped = new Set<string>()
  #full: string | null = null

  constructor(context: FaultContext, sectors: (volume: number) => readonly number[]) {
    this.#o = context
    this.#sectors = sectors
    this.rotten = context.random.pick(context.cluster.serverNames)
  }

  get full(): string | null {
    return this.#full
  }

  /** Nobody may have read a flipped bit yet: its replica is corrupt until somebody does. */
  isDamaged(server: PeerId, shard: string): boolean {
    return server === this.#o.cluster.idOf(this.rotten) && this.#flipped.has(shard)
  }

  /** Its blocks, and nothing else; and this process alone: the next one may write again. */
  refuse(name: string, duration: number): void {
    const { cluster, caution, note } = this.#o
    // One that is starting may not get up at all.
    if (!cluster.isServing(name) || !caution.mayRefuse) return
    note('disk refuses')
    const disk = cluster.diskOf(name)
    disk.fail = (operation, path) => {
      if (operation !== 'write' || !path.includes('/layer-')) return null
      return new SwarmdiskError('disk-error', `cannot write ${path}`)
    }
    caution.refuses(cluster.idOf(name), duration)
    cluster.clock.after(duration, () => (disk.fail = null))
  }

  /** Of this process, whatever its role. */
  slow(name: string, duration: number): void {
    const { cluster, caution, random, note } = this.#o
    const id = cluster.idOf(name)
    if (!cluster.isUp(name) || !caution.mayBeSlow(id)) return
    note('disk slow')
    const disk = cluster.diskOf(name)
    disk.setLatency(random.pick(SLOW))
    caution.isSlow(id, duration)
    cluster.clock.after(duration, () => disk.setLatency(null))
  }

  fill(name: string): void {
    const { cluster, caution, random, note } = this.#o
    if (!cluster.isServing(name) || !caution.mayRefuse) return
    note('disk full')
    const disk = cluster.diskOf(name)
    disk.setCapacity(disk.used() + random.below(24) * BLOCK_BYTES)
    caution.refuses(cluster.idOf(name), Infinity)
    this.#full = name
  }

  empty(): void {
    if (this.#full === null) return
    const { cluster, caution } = this.#o
    cluster.diskOf(this.#full).setCapacity(PLENTY)
    caution.refusesNoMore(cluster.idOf(this.#full))
    this.#full = null
  }

  flip(): void {
    const { cluster, random } = this.#o
    const volume = random.pick([...cluster.configuration.volumes.values()])
    const sector = random.pick(this.#sectors(volume.id))
    if (sector !== undefined) this.#flipSector(volume, sector)
  }

  /** One sector of about every other block that is used. */
  rot(): void {
    const { cluster, random } = this.#o
    for (const volume of cluster.configuration.volumes.values()) {
      const firsts = this.#sectors(volume.id).filter(sector => sector % SECTORS_PER_BLOCK === 0)
      for (const first of firsts) {
        if (random.chance(0.5)) continue
        this.#flipSector(volume, first + random.below(SECTORS_PER_BLOCK))
      }
    }
  }

  #flipSector(volume: VolumeRecord, sector: number): void {
    const { cluster, note } = this.#o
    const range = { offset: byteOffset(sector * SECTOR_BYTES), length: byteCount(SECTOR_BYTES) }
    const [piece] = splitRange(range, volume.shards.length)
    const block = Math.floor(piece!.shardOffset / BLOCK_BYTES)
    const path = `data/${volume.id}/${piece!.shard}/layer-1`
    const at = blockOffset(block) + (piece!.shardOffset % BLOCK_BYTES)
    const disk = cluster.diskOf(this.rotten)
    if (!disk.hasData(path, at)) return
    note('bit flipped')
    disk.bitFlip(path, at)
    this.#flipped.add(`${volume.id}/${piece!.shard}`)
  }
}
