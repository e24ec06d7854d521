// An open volume: splits calls at extent borders, keeps overlapping requests in order, bounds what
// is outstanding and what is kept, and gives each request to its shard. The data of a write is
// copied once, when it is let in: the caller may use its buffer again as soon as it has an answer,
// while the copy goes out, is retried, and is kept until a FLUSH covers it.
import { assert } from '../base/assert.js'
import { shardIndex, type ByteCount, type ByteOffset, type ShardIndex } from '../base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import {
  CLIENT_WINDOW_BYTES,
  CLIENT_WINDOW_REQUESTS,
  KEPT_WRITES_BYTES,
  KEPT_WRITES_MAX,
} from '../base/limits.js'
import type { VolumeRecord } from '../layout/configuration.js'
import type { Piece } from '../layout/geometry.js'
import { growVolume } from './access/grow-volume.js'
import { VolumeAccess } from './access/volume-access.js'
import { boundedCall } from './bounded-call.js'
import type { ClientContext } from './context.js'
import { discardByWriting } from './discard.js'
import { FlushForecast } from './flush/flush-forecast.js'
import { Losses } from './flush/losses.js'
import { piecesOf } from './pieces.js'
import { RangeOrder, type Turn } from './range-order.js'
import { ShardLine, volumeGone } from './shard/shard-line.js'
import type { ShardRequest } from './shard/shard-request.js'
import type { OpenVolume } from './volume-driver.js'
import { Window } from './window.js'

const WINDOW = { requests: CLIENT_WINDOW_REQUESTS, bytes: CLIENT_WINDOW_BYTES }
const KEPT = { requests: KEPT_WRITES_MAX, bytes: KEPT_WRITES_BYTES }

interface Transfer {
  readonly kind: 'read' | 'write'
  readonly offset: ByteOffset
  readonly buffer: Uint8Array
  /** Of a write: a FLUSH is expected next. */
  readonly durable: boolean
}

interface Part {
  readonly piece: Piece
  readonly request: ShardRequest
  readonly line: ShardLine
  /** The caller's, of which the part begins at `from`. */
  readonly buffer: Uint8Array
  readonly from: number
  readonly durable: boolean
}

export class VolumeIo implements OpenVolume {
  readonly #context: ClientContext
  #record: VolumeRecord
  readonly #lines = new Map<ShardIndex, ShardLine>()
  readonly #order = new RangeOrder()
  // Two, so that reads go on while all writes are held.
  readonly #reads = new Window(WINDOW)
  readonly #writes = new Window(WINDOW)
  readonly #kept = new Window(KEPT)
  readonly #access: VolumeAccess
  /** Calls of attach() that were not followed by release(). */
  #claims = 0
  #gone = false
  #draining = false
  readonly #losses = new Losses()
  readonly #forecast: FlushForecast

  constructor(context: ClientContext, record: VolumeRecord) {
    this.#context = context
    this.#record = record
    this.#forecast = new FlushForecast(context.flushesForeseenAfter)
    const name = { volume: record.id, volumeName: record.name }
    this.#access = new VolumeAccess(context, name, {
      attached: () => {
        for (const line of this.#lines.values()) line.attached()
      },
      fenced: error => this.#fenced(error),
    })
  }

  get name(): string {
    return this.#record.name
  }

  get size(): ByteCount {
    return this.#record.size
  }

  read(offset: ByteOffset, into: Uint8Array): Promise<void> {
    return this.#carryOut({ kind: 'read', offset, buffer: into, durable: false })
  }

  write(offset: ByteOffset, data: Uint8Array): Promise<void> {
    const durable = this.#forecast.written()
    return this.#carryOut({ kind: 'write', offset, buffer: data, durable })
  }

  async discard(offset: ByteOffset, length: ByteCount): Promise<void> {
    await discardByWriting(this, offset, length)
  }

  async attach({ takeover = false }: { readonly takeover?: boolean } = {}): Promise<void> {
    this.#check()
    if (this.#claims === 0) this.#access.forgetFence()
    this.#claims++
    try {
      await this.#bounded('attach', [], this.#permit(takeover))
    } catch (error) {
      await this.release()
      throw error
    }
  }

  async release(): Promise<void> {
    assert(this.#claims > 0, 'only what was attached is released')
    this.#claims--
    if (this.#claims > 0) return
    try {
      if (this.#access.attached) await this.flushOwn()
    } finally {
      // Somebody may have opened it meanwhile.
      if (this.#claims === 0) await this.giveBack()
    }
  }

  /** What is unflushed by now, or under way, is given up. */
  async giveBack(): Promise<void> {
    this.#access.forgetFence()
    if (!this.#access.claimed) return
    const closed = new SwarmdiskError('aborted', `Volume ${this.name} was closed.`)
    this.#context.pending.endWrites(this.#record.id, closed)
    for (const line of this.#lines.values()) line.forgetKept()
    await this.#access.release()
  }

  /** Nothing is asked of the managers any more. */
  end(): void {
    this.#access.end()
  }

  /** On record as one that may write, or on the way to be. */
  get claimed(): boolean {
    return this.#access.claimed
  }

  async flush(): Promise<void> {
    this.#check()
    this.#forecast.flushed()
    const said = this.#losses.flush()
    if (this.#access.fenced) return say(said())
    // The first time also shards that we never wrote to: whoever had the volume before us may have
    // died without a FLUSH, and what we read of it must not vanish behind what we write.
    this.#record.shards.forEach((_, i) => this.#line(shardIndex(i)))
    const lines = [...this.#lines.values()]
    try {
      await this.#bounded(
        'flush',
        [],
        this.#permit(false).then(() => this.#flushLines(lines)),
      )
    } catch (error) {
      if (isSwarmdiskError(error, 'fenced')) said() // that is the same
      throw error
    }
    say(said())
  }

  async grow(size: number): Promise<void> {
    this.#check()
    const { pending } = this.#context
    const name = { volume: this.#record.id, volumeName: this.name, shard: shardIndex(0) }
    const request = pending.begin({ kind: 'flush', ...name })
    try {
      await this.#bounded('resize', [request], growVolume(this.#context, request, size))
    } finally {
      pending.end(request)
    }
  }

  /** Gets the right to write where we do not have it. */
  async #permit(takeover: boolean): Promise<void> {
    if (this.#access.attached) return
    const { pending } = this.#context
    const name = { volume: this.#record.id, volumeName: this.name, shard: shardIndex(0) }
    const request = pending.begin({ kind: 'flush', ...name })
    try {
      await this.#permitted(request, takeover)
    } finally {
      pending.end(request)
    }
  }

  async #permitted(request: ShardRequest, takeover = false): Promise<void> {
    if (this.#access.attached) return
    request.obstacle = { kind: 'access' }
    const problem = await request.hold<SwarmdiskError | null>(done =>
      this.#access.granted(done, takeover),
    )
    request.obstacle = null
    if (problem) throw problem
  }

  #fenced(error: SwarmdiskError): void {
    this.#losses.note(error)
    this.#context.pending.endWrites(this.#record.id, error)
    for (const line of this.#lines.values()) line.forgetKept()
  }

  /** With every configuration; null when the volume has been deleted. */
  reconfigured(record: VolumeRecord | null): void {
    if (record) {
      this.#record = record
      this.#access.reconfigured(record)
      for (const line of this.#lines.values()) line.reconsider()
    } else if (!this.#gone) {
      this.#gone = true
      this.#context.pending.endVolume(this.#record.id, volumeGone(this.name))
    }
  }

  #check(): void {
    this.#context.pending.check()
    if (this.#gone) throw volumeGone(this.name)
  }

  async #carryOut(transfer: Transfer): Promise<void> {
    this.#check()
    const { kind, offset, buffer } = transfer
    assert(offset + buffer.length <= this.size, `a ${kind} within the volume`)
    const parts = this.#parts(transfer)
    const [first] = parts
    if (first && parts.length === 1 && this.#context.ioTimeout === null) {
      // The only thing that can end the call is its only part: there is nothing to bound.
      return await this.#carryOutPart(first)
    }
    const work = Promise.all(parts.map(part => this.#carryOutPart(part)))
    const requests = parts.map(part => part.request)
    await this.#bounded(kind, requests, work)
  }

  /** The requests are all begun before the first one waits. */
  #parts({ kind, offset, buffer, durable }: Transfer): readonly Part[] {
    const range = { offset, length: buffer.length }
    return piecesOf(range, this.#record.shards.length).map(piece => {
      const line = this.#line(piece.shard)
      const from = piece.offset - offset
      return { piece, line, request: line.begin(kind), buffer, from, durable }
    })
  }

  #line(shard: ShardIndex): ShardLine {
    const known = this.#lines.get(shard)
    if (known) return known
    const name = { volume: this.#record.id, volumeName: this.name, shard }
    const line = new ShardLine(this.#context, name, {
      released: ({ bytes, requests }) => this.#kept.leave(bytes, requests),
      lost: sentence => {
        this.#context.log.error(sentence)
        this.#losses.note(new SwarmdiskError('data-lost', sentence))
      },
    })
    this.#lines.set(shard, line)
    return line
  }

  async #bounded(
    kind: string,
    requests: readonly ShardRequest[],
    work: Promise<unknown>,
  ): Promise<void> {
    const what = `A ${kind} of volume ${this.name}`
    await boundedCall(this.#context, { what, requests }, work)
  }

  #carryOutPart(part: Part): Promise<void> {
    return part.request.name.kind === 'write' ? this.#writePart(part) : this.#readPart(part)
  }

  async #readPart({ piece, request, line, buffer, from }: Part): Promise<void> {
    const { offset, shardOffset, length } = piece
    const turn = this.#order.add({ offset, length, write: false })
    try {
      if (!turn.come) await waitForTurn(request, turn)
      const full = this.#enter(this.#reads, request, length)
      if (full !== null) await full
      try {
        if (this.#access.attached && line.unreached) await line.reach(request)
        await line.read(request, { offset: shardOffset, length, into: buffer, from })
      } finally {
        this.#reads.leave(length)
      }
    } finally {
      turn.end()
      this.#context.pending.end(request)
    }
  }

  async #writePart({ piece, request, line, buffer, from, durable }: Part): Promise<void> {
    const { offset, shardOffset, length } = piece
    const turn = this.#order.add({ offset, length, write: true })
    try {
      if (!turn.come) await waitForTurn(request, turn)
      if (!this.#access.attached) await this.#permitted(request)
      const keepsMuch = this.#enter(this.#kept, request, length)
      if (keepsMuch !== null) await keepsMuch
      try {
        const full = this.#enter(this.#writes, request, length)
        if (full !== null) await full
        try {
          request.admitted = true
          const payload = new Uint8Array(buffer.subarray(from, from + length)) // a copy
          await line.write(request, { offset: shardOffset, payload }, durable)
        } finally {
          this.#writes.leave(length)
        }
      } catch (error) {
        this.#kept.leave(length) // only what was acknowledged is kept
        throw error
      }
    } finally {
      turn.end()
      this.#context.pending.end(request)
    }
    this.#drain()
  }

  /** Null: it has entered, and has nothing to wait for. */
  #enter(window: Window, request: ShardRequest, bytes: number): Promise<undefined> | null {
    request.check()
    if (window.tryEnter(bytes)) return null
    return request.waitFor(done => window.enter(bytes, done))
  }

  /** Before the end: what this client wrote, and no more. */
  async flushOwn(): Promise<void> {
    await this.#flushLines(this.#written())
  }

  async #flushLines(lines: readonly ShardLine[]): Promise<void> {
    await Promise.all(lines.map(line => line.flush()))
  }

  #written(): readonly ShardLine[] {
    return [...this.#lines.values()].filter(line => line.unflushed)
  }

  /** Half of what may be kept is unflushed: makes room before writes have to wait for it. */
  #drain(): void {
    if (this.#draining || !this.#halfFull()) return
    this.#draining = true
    this.#flushLines(this.#written()).then(
      () => {
        this.#draining = false
        this.#drain()
      },
      (error: unknown) => {
        this.#draining = false // ended or deleted: whoever reads or writes hears of it
        if (!isSwarmdiskError(error)) throw error
      },
    )
  }

  #halfFull(): boolean {
    const half = this.#kept.bytes * 2 >= KEPT.bytes || this.#kept.requests * 2 >= KEPT.requests
    return half && this.#written().length > 0
  }
}

function say(lost: SwarmdiskError | null): void {
  if (lost) throw lost
}

/** It comes when every earlier request to an overlapping range, that matters, is decided. */
function waitForTurn(request: ShardRequest, turn: Turn): Promise<undefined> {
  return request.waitFor(done => {
    turn.whenCome(done)
    return () => undefined
  })
}
