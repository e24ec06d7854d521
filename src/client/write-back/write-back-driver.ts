// The volumes of a driver, each with a write-back cache; snapshots, which are never written, have
// none.
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
  readonly below: VolumeDriver
}

export class WriteBackDriver implements VolumeDriver {
  readonly #options: WriteBackDriverOptions
  /** By what is below: a volume that was deleted and made again is another one. */
  readonly #volumes = new WeakMap<OpenVolume, WriteBackVolume>()
  readonly #open = new Map<string, WriteBackVolume>()

  constructor(options: WriteBackDriverOptions) {
    this.#options = options
  }

  volumes(): readonly VolumeInfo[] {
    return this.#options.below.volumes()
  }

  open(name: string): OpenVolume | null {
    const below = this.#options.below.open(name)
    if (!below) return null
    const volume = this.#volumes.get(below) ?? new WriteBackVolume({ ...this.#options, below })
    this.#volumes.set(below, volume)
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
    const drained = Promise.all([...this.#open.values()].map(volume => volume.drain()))
    await Promise.race([drained, wait(this.#options.clock, CLOSE_FLUSH_MS)])
    await this.#options.below.close()
  }
}
