// Space goes back to the disk in the background, after each flush: where blocks became zeroes or
// absent, durably, holes are punched. One shard of a server at a time, page by page, each with a
// turn of its own among the calls of clients. What is not given back, because the process ends or
// the disk refuses, is when its page loses data the next time.
import { isSwarmdiskError } from '../../../base/errors.js'
import { BLOCKS_PER_INDEX_PAGE, PUNCHES_AT_ONCE } from '../../../base/limits.js'
import type { Log } from '../../../base/log.js'
import { Slots } from '../../slots.js'
import type { BlockRange } from '../layer-format.js'
import type { LayerStore } from '../layer-store.js'
import type { Turn } from '../range-order.js'

/** What the shards of a server share. */
export class Reclaiming {
  readonly slots = new Slots(PUNCHES_AT_ONCE)
  readonly log: Log
  /** This disk or host has no holes. */
  #impossible = false

  constructor(log: Log) {
    this.log = log
  }

  get impossible(): boolean {
    return this.#impossible
  }

  cannot(): void {
    if (this.#impossible) return
    this.#impossible = true
    this.log.warn(
      'space that volumes give back stays taken: it needs the tool fallocate (util-linux) and a ' +
        'file system with holes, like ext4 or xfs',
    )
  }
}

export interface ReclaimingShard {
  files(): readonly LayerStore[]
  turn(range: BlockRange): Promise<Turn>
}

export class ShardReclaiming {
  readonly #shared: Reclaiming
  readonly #shard: ReclaimingShard
  #running: Promise<void> | null = null
  #stopped = false

  constructor(shared: Reclaiming, shard: ReclaimingShard) {
    this.#shared = shared
    this.#shard = shard
  }

  /** A flush has ended. */
  start(): void {
    if (this.#running || this.#stopped || this.#shared.impossible || !this.#next()) return
    this.#running = this.#shared.slots
      .run(() => this.#work())
      .finally(() => {
        this.#running = null
        this.start()
      })
  }

  /** When it resolves nothing is under way, and nothing will be. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#next(); next && !this.#stopped; next = this.#next()) {
        if (!(await this.#reclaim(next.file, next.page))) return this.#shared.cannot()
      }
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#shared.log.warn('space was not given back', { error: error.message })
    }
  }

  async #reclaim(file: LayerStore, page: number): Promise<boolean> {
    const first = page * BLOCKS_PER_INDEX_PAGE
    const turn = await this.#shard.turn({ first, last: first + BLOCKS_PER_INDEX_PAGE - 1 })
    try {
      // It may have gone while the turn came.
      return !this.#shard.files().includes(file) || (await file.reclaim(page))
    } finally {
      turn.leave()
    }
  }

  #next(): { readonly file: LayerStore; readonly page: number } | null {
    for (const file of this.#shard.files()) {
      const [page] = file.spare
      if (page !== undefined && !file.gone) return { file, page }
    }
    return null
  }
}
