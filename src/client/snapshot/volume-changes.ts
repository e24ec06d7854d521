// What may differ between two points in time of a volume, as ranges in ascending order: each shard
// is asked in its own space, a bounded answer at a time, and what they say is woven together. Takes
// time for changes and index pages, not for the size of the volume.
import {
  blockIndex,
  byteCount,
  byteOffset,
  shardIndex,
  type ShardIndex,
} from '../../base/brands.js'
import { HELD_QUESTIONS_AT_ONCE } from '../../base/limits.js'
import type { VolumeRecord } from '../../layout/configuration.js'
import {
  shardSpan,
  spanInVolume,
  type BlockSpan,
  type ByteRange,
  type ShardOfVolume,
} from '../../layout/geometry.js'
import { headOf } from '../../layout/layers.js'
import { layersBetween } from '../../snapshot/difference.js'
import type { ClientContext } from '../context.js'
import { Window } from '../window.js'
import { ChangeLine, type Comparison } from './change-line.js'

export interface ChangedRange extends ByteRange {
  /** It is known to be zeroes at the later end; else it may be anything. */
  readonly zeroes: boolean
}

export interface ChangesOptions extends Pick<Comparison, 'from' | 'to'> {
  /** It is in there while it asks, so that it hears of configurations. */
  readonly underWay: Set<VolumeChanges>
}

export class VolumeChanges {
  readonly #comparison: Comparison
  readonly #lines: readonly ChangeLine[]
  readonly #place: Omit<ShardOfVolume, 'shard'>
  /** No layer lies between them. */
  readonly #same: boolean
  readonly #straight: boolean
  readonly #underWay: Set<VolumeChanges>

  constructor(
    context: ClientContext,
    record: VolumeRecord,
    { from, to, underWay }: ChangesOptions,
  ) {
    const { id: volume, name: volumeName, layers, shards, size } = record
    this.#comparison = { volume, volumeName, from, to }
    this.#underWay = underWay
    this.#lines = shards.map((_, i) => new ChangeLine(context, this.#comparison, shardIndex(i)))
    this.#place = { size, shardCount: shards.length }
    const ends = { from: from?.layer ?? null, to: to?.layer ?? headOf(layers).id }
    const between = layersBetween(layers, ends)
    this.#same = between.layers.length === 0
    this.#straight = between.straight
  }

  get volume(): Comparison['volume'] {
    return this.#comparison.volume
  }

  /** With every configuration. */
  reconfigured(volume: VolumeRecord | null): void {
    for (const line of this.#lines) line.reconsider(volume)
  }

  /** Ascending and apart. From nothing: only what is no hole. */
  async *ranges(within: ByteRange): AsyncGenerator<ChangedRange> {
    if (this.#same || within.length === 0) return
    this.#underWay.add(this)
    try {
      yield* this.#joined(within)
    } finally {
      this.#underWay.delete(this)
    }
  }

  async *#joined(within: ByteRange): AsyncGenerator<ChangedRange> {
    const fromNothing = this.#comparison.from === null
    let waiting: ChangedRange | null = null
    for await (const found of this.#woven(within)) {
      const range = clipped(found, within)
      if (range === null || (fromNothing && range.zeroes)) continue
      const joined: ChangedRange | null = waiting === null ? null : join(waiting, range)
      if (waiting !== null && joined === null) yield waiting
      waiting = joined ?? range
    }
    if (waiting !== null) yield waiting
  }

  async *#woven(within: ByteRange): AsyncGenerator<ChangedRange> {
    const questions = new Window({ requests: HELD_QUESTIONS_AT_ONCE, bytes: 0 })
    const shards = this.#lines.map((line, i) => {
      const place = { ...this.#place, shard: shardIndex(i) }
      return new ShardChanges({ line, place, questions, span: shardSpan(within, place) })
    })
    for (const shard of shards) shard.ask()
    let left = [...shards]
    while (left.length > 0) {
      for (const shard of left) if (shard.next === null && !shard.done) await shard.answered()
      left = left.filter(shard => shard.next !== null)
      const first = left.reduce<ShardChanges | null>(earlier, null)
      if (first === null) return
      const range = first.take()
      yield { ...range, zeroes: range.zeroes && this.#straight }
    }
  }
}

function earlier(best: ShardChanges | null, shard: ShardChanges): ShardChanges {
  return best === null || shard.next!.offset < best.next!.offset ? shard : best
}

interface ShardWork {
  readonly line: ChangeLine
  readonly place: ShardOfVolume & { readonly shard: ShardIndex }
  readonly questions: Window
  readonly span: BlockSpan
}

/** The changes of one shard, as ranges of the volume. */
class ShardChanges {
  readonly #work: ShardWork
  #at: number
  readonly #end: number
  #answer: Promise<void> | null = null
  #pieces: Iterator<ChangedRange> | null = null
  next: ChangedRange | null = null

  constructor(work: ShardWork) {
    this.#work = work
    this.#at = work.span.block
    this.#end = work.span.block + work.span.blocks
  }

  get done(): boolean {
    return this.next === null && this.#answer === null
  }

  ask(): void {
    if (this.#at >= this.#end) return
    this.#answer = this.#ask()
    // Told to whoever waits for it.
    this.#answer.catch(() => undefined)
  }

  /** Something is next, or nothing more. */
  async answered(): Promise<void> {
    while (this.next === null && this.#answer !== null) {
      await this.#answer
    }
  }

  /** What is next; afterwards, the one behind it. */
  take(): ChangedRange {
    const taken = this.next!
    this.#advance()
    return taken
  }

  async #ask(): Promise<void> {
    const { line, questions } = this.#work
    await new Promise<void>(resolve => void questions.enter(0, resolve))
    try {
      const span = { block: blockIndex(this.#at), blocks: this.#end - this.#at }
      const { end, ranges } = await line.ask(span)
      this.#at = end
      this.#pieces = piecesOf(ranges, this.#work.place)
    } finally {
      questions.leave(0)
    }
    this.#answer = null
    this.#advance()
  }

  #advance(): void {
    const step = this.#pieces?.next()
    this.next = step?.done === false ? step.value : null
    if (this.next === null) this.ask()
  }
}

function* piecesOf(
  ranges: readonly (BlockSpan & { readonly zeroes: boolean })[],
  place: ShardWork['place'],
): Generator<ChangedRange> {
  for (const { block, blocks, zeroes } of ranges) {
    for (const piece of spanInVolume({ block, blocks }, place)) yield { ...piece, zeroes }
  }
}

function clipped(range: ChangedRange, { offset, length }: ByteRange): ChangedRange | null {
  const start = Math.max(range.offset, offset)
  const end = Math.min(range.offset + range.length, offset + length)
  if (end <= start) return null
  return { offset: byteOffset(start), length: byteCount(end - start), zeroes: range.zeroes }
}

function join(a: ChangedRange, b: ChangedRange): ChangedRange | null {
  if (a.zeroes !== b.zeroes || a.offset + a.length !== b.offset) return null
  return { ...a, length: byteCount(a.length + b.length) }
}
