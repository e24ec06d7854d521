// A volume with a write-back cache (`mount --cache writeback`): a write is answered when it is in
// memory, and sent to the servers when it is asked to be durable, when it has been waiting for a
// while, or when the cache fills. What is read comes from the cache where that is newer. As with a
// disk's own cache, a FLUSH that returned is durable, writes to the same place keep their order,
// and what was never flushed may be lost, any part of it, when this process ends before its time.
//
// A write that fails after it was answered is reported once, by the next FLUSH; when the volume is
// not ours any more, or is gone, by the writes after it as well.
import { assert } from '../../base/assert.js'
import { byteCount, byteOffset, type ByteCount, type ByteOffset } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import { Coalesced } from '../../base/coalesced.js'
import { isSwarmdiskError, type SwarmdiskError } from '../../base/errors.js'
import {
  BLOCK_BYTES,
  REQUEST_BYTES_MAX,
  WRITE_BACK_AGE_MS,
  WRITE_BACK_BYTES,
  WRITE_BACK_RUNS_MAX,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { blockRange, type ByteRange } from '../../layout/geometry.js'
import { timedOut } from '../bounded-call.js'
import { Losses } from '../flush/losses.js'
import type { OpenVolume } from '../volume-driver.js'
import { Window } from '../window.js'
import { CachedBlocks, type Run } from './cached-blocks.js'

const RUN_BLOCKS = REQUEST_BYTES_MAX / BLOCK_BYTES
/** From here on it makes room before anybody waits for it. */
const DRAIN_FROM_BLOCKS = WRITE_BACK_BYTES / BLOCK_BYTES / 4

export interface WriteBackOptions {
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds after which a call that waits fails; null: never. */
  readonly ioTimeout: number | null
  /** Where it is kept when it leaves the cache. */
  readonly below: OpenVolume
}

export class WriteBackVolume implements OpenVolume {
  readonly below: OpenVolume
  readonly #options: WriteBackOptions
  readonly #blocks = new CachedBlocks()
  /** Memory: of what is held, and of writes that are being taken in. */
  readonly #room = new Window({ requests: Infinity, bytes: WRITE_BACK_BYTES })
  #runs = 0
  /** Calls of attach() that were not followed by release(). */
  #claims = 0
  #decided = 0
  /** Everything up to this age has waited for long enough. */
  #due = 0
  #timer: Timer | null = null
  readonly #losses = new Losses()
  readonly #flushes = new Coalesced(() => this.#flush())
  /** Nothing can be written any more, at least not before it is opened again. */
  #ended: SwarmdiskError | null = null

  constructor(options: WriteBackOptions) {
    this.#options = options
    this.below = options.below
  }

  get name(): string {
    return this.below.name
  }

  get size(): ByteCount {
    return this.below.size
  }

  get claimed(): boolean {
    return this.below.claimed
  }

  async attach(options?: { readonly takeover?: boolean }): Promise<void> {
    await this.below.attach(options)
    this.#claims++
    this.#ended = null
  }

  /** With the last one, what it holds is sent first: nobody else may write until then. */
  async release(): Promise<void> {
    this.#claims--
    if (this.#claims > 0) return this.below.release()
    try {
      await this.#drained('The last flush')
    } catch (error) {
      // Whatever is left must not ask for the volume again.
      if (isSwarmdiskError(error)) this.#ended ??= error
      throw error
    } finally {
      await this.below.release()
    }
  }

  async read(offset: ByteOffset, into: Uint8Array): Promise<void> {
    // Below, what was sent before this read comes before it, and what is sent later after it: so
    // what is held now is all that may be missing, wherever it is when the answer comes.
    const held = this.#blocks.look({ offset, length: byteCount(into.length) })
    if (!held?.whole) await this.below.read(offset, into)
    held?.over(into)
  }

  async write(offset: ByteOffset, data: Uint8Array): Promise<void> {
    assert(offset + data.length <= this.size, 'a write within the volume')
    const { blocks } = blockRange({ offset, length: byteCount(data.length) })
    const bytes = blocks * BLOCK_BYTES
    await this.#enter(bytes)
    try {
      if (this.#ended) throw this.#ended
      const more = this.#blocks.write(offset, data)
      // Blocks that were dirty before have their memory.
      this.#room.leave(bytes - more * BLOCK_BYTES, 0)
    } catch (error) {
      this.#room.leave(bytes, 0)
      throw error
    }
    this.#later()
    this.#send()
  }

  async discard(offset: ByteOffset, length: ByteCount): Promise<void> {
    await this.#drained('A discard', { offset, length })
    if (this.#ended) throw this.#ended
    await this.below.discard(offset, length)
  }

  async flush(): Promise<void> {
    const said = this.#losses.flush()
    try {
      await this.#flushes.request()
    } catch (error) {
      // One of them is enough to say that something is missing.
      throw said() ?? error
    }
    const lost = said()
    if (lost) throw lost
  }

  /** What is held lies before the old end. */
  grow(size: number): Promise<void> {
    return this.below.grow(size)
  }

  async #flush(): Promise<void> {
    await this.#drained('A flush')
    await this.below.flush()
  }

  /**
   * Sends all that it holds, for as long as it takes; what cannot be sent is given up, and reported
   * by the next FLUSH.
   */
  drain(): Promise<void> {
    return new Promise(resolve => this.#whenDecided(resolve))
  }

  /** Blocks of memory that were freed so far: whether drain() gets on. */
  get decided(): number {
    return this.#decided
  }

  #enter(bytes: number): Promise<void> {
    return this.#bounded('A write', done => {
      const undo = this.#room.enter(bytes, done)
      // Somebody waits: nothing may be kept for later.
      if (this.#room.waiting > 0) this.#send()
      return undo
    })
  }

  /** Resolves when all that is held by now has been decided; what is not goes on if it fails. */
  #drained(what: string, range?: ByteRange): Promise<void> {
    return this.#bounded(what, done => this.#whenDecided(done, range))
  }

  #whenDecided(done: () => void, range?: ByteRange): () => void {
    const undo = this.#blocks.whenDecided(done, range)
    this.#send()
    return undo
  }

  /** `begin` may call `done` before it returns how to stop waiting. */
  #bounded(what: string, begin: (done: () => void) => () => void): Promise<void> {
    const { clock, ioTimeout } = this.#options
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null
      let over = false
      const undo = begin(() => {
        over = true
        timer?.cancel()
        resolve()
      })
      if (over || ioTimeout === null) return
      timer = clock.after(ioTimeout, () => {
        undo()
        reject(timedOut(`${what} of volume ${this.name}`, ioTimeout))
      })
    })
  }

  #send(): void {
    while (this.#runs < WRITE_BACK_RUNS_MAX) {
      const run = this.#next()
      if (!run) return
      this.#runs++
      void this.#carryOut(run).then(() => {
        this.#runs--
        const blocks = this.#blocks.decided(run)
        this.#decided += blocks
        this.#room.leave(blocks * BLOCK_BYTES, 0)
        this.#send()
      })
    }
  }

  #next(): Run | null {
    const wanted = this.#blocks.takeWanted(RUN_BLOCKS)
    if (wanted) return wanted
    const full = this.#blocks.size >= DRAIN_FROM_BLOCKS || this.#room.waiting > 0
    return this.#blocks.takeOldest(RUN_BLOCKS, full ? Infinity : this.#due)
  }

  async #carryOut(run: Run): Promise<void> {
    // Given up, as a volume without a cache gives up what it has not sent: below, a write would ask
    // for the right to write anew, which may have been given back by now.
    if (this.#ended) return this.#failed(this.#ended)
    try {
      for (const { offset, bytes } of run.writes) await this.below.write(byteOffset(offset), bytes)
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#failed(error)
    }
  }

  #failed(error: SwarmdiskError): void {
    if (this.#losses.note(error)) {
      this.#options.log.error('a write that was answered from the cache is lost', {
        volume: this.name,
        error: error.message,
      })
    }
    const final = ['aborted', 'not-found', 'fenced', 'in-use'].includes(error.code)
    if (final) this.#ended ??= error
  }

  /** What is dirty now is sent after a while, if nothing has asked for it before. */
  #later(): void {
    if (this.#timer || this.#blocks.dirty === 0) return
    const { age } = this.#blocks
    this.#timer = this.#options.clock.after(WRITE_BACK_AGE_MS, () => {
      this.#timer = null
      this.#due = age
      this.#send()
      this.#later()
    })
  }
}
