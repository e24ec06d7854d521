// When layers are merged: a few shards of a server at a time, one merge in each, and not faster
// than the pace of them all. What fails is told once and tried again after a while, or when the
// layers change.
import { byteCount } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import { MERGE_RESERVE_BYTES, MERGE_RETRY_MS, MERGES_AT_ONCE } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Disk } from '../../disk/disk.js'
import { PaceState } from '../replication/pace-state.js'
import type { MergeProgress } from '../shard-store.js'
import { Slots } from '../slots.js'
import { LayerMerge, type MergeHost, type MergePair } from './layer-merge.js'
import type { LayerStore } from './layer-store.js'

/** On a small disk: half of what clients have to leave free. */
const RESERVE_PART = 1 / 100

export interface MergesOptions {
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Log
  readonly bytesPerSecond: number
}

/** What the merges of all shards of a server share. */
export class Merges {
  readonly clock: Clock
  readonly log: Log
  readonly slots = new Slots(MERGES_AT_ONCE)
  readonly #disk: Disk
  readonly #rate: number
  readonly #pace = new PaceState()

  constructor({ clock, disk, log, bytesPerSecond }: MergesOptions) {
    this.clock = clock
    this.log = log
    this.#disk = disk
    this.#rate = bytesPerSecond
  }

  /** Milliseconds to wait after so much work. */
  delay(bytes: number): number {
    return this.#pace.take({ now: this.clock.now(), rate: this.#rate }, bytes)
  }

  async checkRoom(): Promise<void> {
    const { free, total } = await this.#disk.space()
    if (free >= Math.min(MERGE_RESERVE_BYTES, total * RESERVE_PART)) return
    throw new SwarmdiskError('disk-full', 'the disk is too full for layers to be merged')
  }
}

/** What the shard does for its merges. */
export interface MergingShard extends Pick<MergeHost, 'turn' | 'quiet' | 'remove'> {
  readonly path: string
  holds(file: LayerStore): boolean
  /** Files of one layer that is several; the newest first. */
  unmerged(): readonly (readonly LayerStore[])[]
}

interface Current {
  readonly merge: LayerMerge
  readonly ended: Promise<void>
}

export class ShardMerges {
  readonly #shared: Merges
  readonly #shard: MergingShard
  #current: Current | null = null
  /** Waits for a slot, or has one. */
  #busy = false
  #stopped = false
  #failing = false
  #retry: Timer | null = null
  /** Each ends a pause in progress. */
  readonly #pauses = new Set<() => void>()

  constructor(shared: Merges, shard: MergingShard) {
    this.#shared = shared
    this.#shard = shard
  }

  /** The layers have changed, or are there for the first time. */
  start(): void {
    this.#retry?.cancel()
    this.#retry = null
    if (this.#busy || this.#stopped || this.#shard.unmerged().length === 0) return
    this.#busy = true
    void this.#shared.slots.run(() => this.#mergeAll())
  }

  /** When it resolves nothing is under way, and nothing will be. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#retry?.cancel()
    this.#endPauses()
    await this.#current?.ended
  }

  noteChange(...[file, range]: Parameters<LayerMerge['noteChange']>): void {
    this.#current?.merge.noteChange(file, range)
  }

  /** Files that the shard does not hold any more are not used by a merge from then on. */
  async released(): Promise<void> {
    const current = this.#current
    if (!current || this.#hasBoth(current.merge)) return
    this.#endPauses()
    await current.ended
  }

  progress(): MergeProgress | null {
    let [files, bytesLeft] = [0, 0]
    const merge = this.#current?.merge
    for (const group of this.#shard.unmerged()) {
      files += group.length - 1
      for (let i = 0; i + 1 < group.length; i++) {
        const [upper, lower] = [group[i]!, group[i + 1]!]
        const underWay = merge?.upper === upper && merge.lower === lower
        bytesLeft += underWay ? merge.bytesLeft : Math.min(upper.used, lower.used)
      }
    }
    return files > 0 ? { files, bytesLeft: byteCount(bytesLeft) } : null
  }

  async #mergeAll(): Promise<void> {
    try {
      for (let pair = this.#next(); pair; pair = this.#next()) await this.#merge(pair)
    } finally {
      this.#busy = false
    }
  }

  /** The oldest first: all but the newest file of the head are written by nobody. */
  #next(): MergePair | null {
    const group = this.#stopped || this.#retry ? undefined : this.#shard.unmerged()[0]
    const [lower, upper] = group?.toReversed() ?? []
    return lower && upper ? { lower, upper } : null
  }

  async #merge(pair: MergePair): Promise<void> {
    const removed: LayerStore[] = []
    const merge = new LayerMerge(pair, {
      turn: range => this.#shard.turn(range),
      quiet: () => this.#shard.quiet(),
      pause: bytes => this.#pause(pair, bytes),
      remove: async file => {
        this.#checkWanted(pair)
        await this.#shard.remove(file)
        removed.push(file)
      },
    })
    const ended = this.#run(merge).finally(async () => {
      this.#current = null
      for (const file of removed) await file.close()
    })
    this.#current = { merge, ended }
    await ended
  }

  async #run(merge: LayerMerge): Promise<void> {
    try {
      await merge.run()
      this.#failing = false
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      if (this.#stopped || !this.#hasBoth(merge)) return
      if (!this.#failing) {
        const { path: folder } = this.#shard
        this.#shared.log.warn('merging layers failed and is tried again', {
          folder,
          error: error.message,
        })
      }
      this.#failing = true
      this.#retry = this.#shared.clock.after(MERGE_RETRY_MS, () => this.start())
    }
  }

  async #pause(pair: MergePair, bytes: number): Promise<void> {
    this.#checkWanted(pair)
    await this.#wait(this.#shared.delay(bytes))
    this.#checkWanted(pair)
    await this.#shared.checkRoom()
  }

  async #wait(delay: number): Promise<void> {
    if (delay === 0) return
    let end!: () => void
    const ended = new Promise<void>(resolve => {
      end = resolve
    })
    const timer = this.#shared.clock.after(delay, end)
    this.#pauses.add(end)
    await ended
    this.#pauses.delete(end)
    timer.cancel()
  }

  #endPauses(): void {
    for (const end of this.#pauses) end()
  }

  /** The shard is being closed, or the layer has gone. */
  #checkWanted(pair: MergePair): void {
    if (!this.#stopped && this.#hasBoth(pair)) return
    throw new SwarmdiskError('aborted', 'nobody wants this merge any more')
  }

  #hasBoth({ upper, lower }: MergePair): boolean {
    return this.#shard.holds(upper) && this.#shard.holds(lower)
  }
}
