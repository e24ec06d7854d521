// The volumes of a driver, each with a write-back cache; snapshots, which are never written, have
// none.
import type { ByteCount } from '../../base/brands.js'
import { wait, type Clock } from '../../base/clock.js'
import { CLOSE_FLUSH_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type {
  HeldState,
  OpenSnapshot,
  OpenVolume,
  SnapshotInfo,
  VolumeDriver,
  VolumeInfo,
} from '../volume-driver.js'
import { WriteBackVolume } from './write-back-volume.js'

export interface WriteBackDriverOptions {
  readonly clock: Clock
  readonly log: Log
  readonly ioTimeout: number | null
  readonly below: VolumeDriver
}

export class WriteBackDriver implements VolumeDriver {
  readonly #options: WriteBackDriverOptions
  readonly #open = new Map<string, WriteBackVolume>()

  constructor(options: WriteBackDriverOptions) {
    this.#options = options
  }

  volumes(): readonly VolumeInfo[] {
    return this.#options.below.volumes()
  }

  size(name: string): ByteCount | null {
    return this.#options.below.size(name)
  }

  open(name: string): OpenVolume | null {
    const below = this.#options.below.open(name)
    if (!below) {
      this.#open.delete(name)
      return null
    }
    const known = this.#open.get(name)
    // One that was deleted and made again is another one.
    if (known?.below === below) return known
    const volume = new WriteBackVolume({ ...this.#options, below })
    this.#open.set(name, volume)
    return volume
  }

  snapshots(): readonly SnapshotInfo[] {
    return this.#options.below.snapshots()
  }

  openSnapshot(volume: string, name: string): OpenSnapshot | null {
    return this.#options.below.openSnapshot(volume, name)
  }

  held(): HeldState | null {
    return this.#options.below.held()
  }

  abort(): void {
    this.#options.below.abort()
  }

  async close(): Promise<void> {
    const volumes = [...this.#open.values()]
    let left = volumes.length
    const drained = Promise.all(volumes.map(volume => volume.drain().then(() => left--)))
    const decided = (): number => volumes.reduce((sum, volume) => sum + volume.decided, 0)
    // As long as it gets on.
    for (let before = -1; left > 0 && decided() > before;) {
      before = decided()
      await Promise.race([drained, wait(this.#options.clock, CLOSE_FLUSH_MS)])
    }
    await this.#options.below.close()
  }
}
