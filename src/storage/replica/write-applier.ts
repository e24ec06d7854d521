// Brings a replica's writes into its store, in order, and says how far it is. Calls to the store
// run at the same time (it keeps overlapping ones in order) until one fails. Then no more are made;
// when those under way have ended, everything from the first one not stored is written again, in
// order, after a pause: a later write that had succeeded is not undone by an earlier one. What is
// waiting here is bounded by the windows of the clients.
//
// A write that is to be durable is flushed in the turn in which it is called, and counts as stored
// when both have ended. A flush that fails makes it no less stored: it is told of whoever flushes.
import { sequence, type BlockIndex, type Epoch, type Sequence } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { STORE_RETRY_MAX_MS, STORE_RETRY_MIN_MS } from '../../base/limits.js'
import { blocksOfBytes } from '../../layout/geometry.js'
import type { ShardStore } from '../shard-store.js'
import { overlap, type BlockSpan } from '../replication/block-spans.js'

export interface StoredUpTo {
  readonly allocation: Epoch
  readonly sequence: Sequence
  /** Everything up to here is durable, of what was to be. */
  readonly durable: Sequence
}

export interface Applied {
  readonly allocation: Epoch
  readonly sequence: Sequence
  readonly block: BlockIndex
  readonly durable: boolean
  readonly payload: Uint8Array
}

export interface WriteApplierOptions {
  readonly store: ShardStore
  readonly clock: Clock
  readonly stored: (upTo: StoredUpTo) => void
  readonly failing: (error: unknown) => void
}

interface Entry extends Applied {
  readonly span: BlockSpan
  stored: boolean
  flushed: boolean
}

export class WriteApplier {
  readonly #o: WriteApplierOptions
  /** The first one is not stored. */
  #entries: Entry[] = []
  #underWay = 0
  #halted = false
  #pause = STORE_RETRY_MIN_MS
  #timer: Timer | null = null
  /** Raised by discard(), so that what was under way is not heard any more. */
  #round = 0
  #waiting: { readonly span: BlockSpan | null; readonly resolve: () => void }[] = []

  constructor(options: WriteApplierOptions) {
    this.#o = options
  }

  push(write: Applied): void {
    const { allocation, sequence, block, durable, payload } = write
    const span = { block, blocks: blocksOfBytes(payload.byteLength) }
    // Spelled out: a spread costs microseconds.
    const entry: Entry = {
      allocation,
      sequence,
      block,
      durable,
      payload,
      span,
      stored: false,
      flushed: false,
    }
    this.#entries.push(entry)
    if (!this.#halted) this.#write(entry)
  }

  /** Forgets what is not stored; what the store has been told before takes effect or does not. */
  discard(): void {
    this.#round++
    this.#entries = []
    this.#underWay = 0
    this.#halted = false
    this.#timer?.cancel()
    this.#wake()
  }

  /**
   * Resolves when no write to these blocks (null: to any) waits to be stored. One that was ordered
   * before this call may be pushed only later in the same turn, so it looks once more after it.
   */
  async quiet(span: BlockSpan | null): Promise<void> {
    do {
      if (this.#isQuiet(span)) await Promise.resolve()
      else await new Promise<void>(resolve => this.#waiting.push({ span, resolve }))
    } while (!this.#isQuiet(span))
  }

  #isQuiet(span: BlockSpan | null): boolean {
    return span ? !this.#entries.some(e => overlap(e.span, span)) : this.#entries.length === 0
  }

  #write(entry: Entry): void {
    const round = this.#round
    entry.stored = false
    entry.flushed = false
    this.#underWay++
    let storing: Promise<void> | null
    try {
      storing = this.#o.store.write(entry.block, entry.payload, entry.allocation)
      if (entry.durable) storing = this.#flush(entry, storing)
    } catch (error) {
      return this.#ended(entry, { error })
    }
    if (!storing) return this.#ended(entry, null)
    storing.then(
      () => {
        if (round === this.#round) this.#ended(entry, null)
      },
      (error: unknown) => {
        if (round === this.#round) this.#ended(entry, { error })
      },
    )
  }

  async #flush(entry: Entry, storing: Promise<void> | null): Promise<void> {
    const flushed = this.#o.store.flush().then(
      () => true,
      (error: unknown) => {
        if (!isSwarmdiskError(error)) throw error
        return false
      },
    )
    const [done] = await Promise.all([flushed, storing])
    entry.flushed = done
  }

  #ended(entry: Entry, failure: { readonly error: unknown } | null): void {
    this.#underWay--
    if (failure) {
      if (!this.#halted) this.#o.failing(failure.error)
      this.#halted = true
    } else {
      entry.stored = true
      this.#advance()
    }
    if (this.#halted && this.#underWay === 0) this.#retry()
  }

  #advance(): void {
    let last: Entry | undefined
    let flushed: Entry | undefined
    while (this.#entries[0]?.stored) {
      last = this.#entries.shift()
      if (last?.flushed) flushed = last
    }
    if (!last) return
    // Sequences are counted in each allocation.
    const durable = flushed?.allocation === last.allocation ? flushed.sequence : sequence(0)
    if (!this.#halted) this.#pause = STORE_RETRY_MIN_MS
    this.#wake()
    this.#o.stored({ allocation: last.allocation, sequence: last.sequence, durable })
  }

  #retry(): void {
    this.#timer = this.#o.clock.after(this.#pause, () => {
      this.#halted = false
      this.#writeAll()
    })
    this.#pause = Math.min(this.#pause * 2, STORE_RETRY_MAX_MS)
  }

  /** What is stored at once leaves the list meanwhile, and may be the reason to discard it. */
  #writeAll(): void {
    const round = this.#round
    for (const entry of [...this.#entries]) {
      if (this.#halted || round !== this.#round) return
      this.#write(entry)
    }
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    const awake = this.#waiting.filter(({ span }) => this.#isQuiet(span))
    this.#waiting = this.#waiting.filter(waiter => !awake.includes(waiter))
    for (const { resolve } of awake) resolve()
  }
}
