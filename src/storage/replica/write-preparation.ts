// From a client's bytes to whole blocks, at the primary. A block that is written in part is merged
// with what it holds, read after every earlier write to it has been stored; until the result is
// ordered, the range is locked and nothing that overlaps is ordered.
import { byteCount } from '../../base/brands.js'
import { BLOCK_BYTES } from '../../base/limits.js'
import { byteRange, blockRange } from '../../layout/geometry.js'
import type { DataStatus, WriteRequest } from '../../net/messages.js'
import { endOf, spanBetween, type BlockSpan } from '../replication/block-spans.js'
import { RangeLocks } from '../replication/range-locks.js'
import type { ReplicaContext } from './replica-context.js'
import { readOwn, statusOf } from './shard-reader.js'

export interface ToPrepare {
  readonly key: number
  readonly request: WriteRequest
  /** Of the blocks of the request, those that were not executed before. */
  readonly spans: readonly BlockSpan[]
}

export class WritePreparation {
  readonly #context: ReplicaContext
  readonly #locks = new RangeLocks()

  constructor(context: ReplicaContext) {
    this.#context = context
  }

  prepare({ key, request, spans }: ToPrepare): void {
    const allocation = this.#context.state.epoch
    for (const span of spans) {
      this.#locks.acquire(span, release => {
        const ready = (payload: Uint8Array): void => {
          this.#context.step({ kind: 'prepared', allocation, key, block: span.block, payload })
          release()
        }
        const whole = wholeBlocks(request, span)
        if (whole) return ready(whole)
        this.#merge(request, span).then(ready, (error: unknown) => {
          const status = error instanceof Unreadable ? error.status : statusOf(error)
          this.#context.step({ kind: 'not-prepared', allocation, key, status })
          release()
        })
      })
    }
  }

  async #merge(request: WriteRequest, span: BlockSpan): Promise<Uint8Array> {
    const { offset, length } = byteRange(span)
    const from = request.offset - offset
    await this.#context.applier.quiet(span)
    const whole = new Uint8Array(length)
    for (const block of partial(request, span)) {
      const old = await readOwn(this.#context, block.block, 1)
      if (typeof old === 'string') throw new Unreadable(old)
      whole.set(old, (block.block - span.block) * BLOCK_BYTES)
    }
    whole.set(request.payload.subarray(Math.max(0, -from), length - from), Math.max(0, from))
    return whole
  }
}

/** What a request has for a span; null where it writes some block in part. */
function wholeBlocks({ offset, payload }: WriteRequest, span: BlockSpan): Uint8Array | null {
  const { offset: start, length } = byteRange(span)
  const from = start - offset
  if (from === 0 && payload.byteLength === length) return payload
  const covered = from >= 0 && payload.byteLength - from >= length
  return covered ? payload.subarray(from, from + length) : null
}

/** A block that would be merged has no good copy, or none that can be had now. */
class Unreadable extends Error {
  constructor(readonly status: DataStatus) {
    super(status)
  }
}

/** The blocks of a span that a request covers in part: its first, its last, or neither. */
function partial(request: WriteRequest, span: BlockSpan): readonly BlockSpan[] {
  const range = { offset: request.offset, length: byteCount(request.payload.byteLength) }
  const touched = blockRange(range)
  const starts = request.offset % BLOCK_BYTES !== 0
  const ends = (request.offset + range.length) % BLOCK_BYTES !== 0
  const found = new Set<number>()
  if (starts) found.add(touched.block)
  if (ends) found.add(endOf(touched) - 1)
  return [...found]
    .filter(block => block >= span.block && block < endOf(span))
    .map(block => spanBetween(block, block + 1))
}
