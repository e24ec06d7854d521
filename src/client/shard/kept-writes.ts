// The acknowledged writes of one shard that no FLUSH has covered yet, in the order of their
// acknowledgement: overlapping ones are acknowledged in the order in which they were made, so to
// replay the list in order is to repeat history (design §5, "Memory that was lost"). Pure.
import { assert } from '../../base/assert.js'
import { byteOffset, type ByteOffset } from '../../base/brands.js'
import { BLOCK_BYTES } from '../../base/limits.js'

export interface KeptWrite {
  readonly offset: ByteOffset
  readonly payload: Uint8Array
}

/** Where the list ended when a FLUSH began. */
export type Mark = number

export class KeptWrites {
  #writes: KeptWrite[] = []
  /** Writes that were released so far: the mark of the first one kept. */
  #released = 0

  get size(): number {
    return this.#writes.length
  }

  add(write: KeptWrite): void {
    this.#writes.push(write)
  }

  mark(): Mark {
    return this.#released + this.#writes.length
  }

  list(): readonly KeptWrite[] {
    return [...this.#writes]
  }

  /** What was kept before the mark is durable now; some of it may have been released before. */
  release(mark: Mark): { readonly requests: number; readonly bytes: number } {
    const requests = mark - this.#released
    if (requests <= 0) return { requests: 0, bytes: 0 }
    assert(requests <= this.#writes.length, 'a mark of this list')
    const gone = this.#writes.slice(0, requests)
    this.#writes = this.#writes.slice(requests)
    this.#released = mark
    return { requests, bytes: gone.reduce((sum, write) => sum + write.payload.length, 0) }
  }
}

/**
 * What has to be written to repeat a list of writes: overlapping ones become one, as the last of
 * them left it, cut at block borders where it is too long for one request. So no block ever shows
 * an older write over a newer one that its replica still had, not even if the client dies in the
 * middle. What is given does not overlap.
 */
export function* flattened(writes: readonly KeptWrite[], longest: number): Generator<KeptWrite> {
  assert(longest % BLOCK_BYTES === 0, 'requests are cut at block borders')
  const order = new Map(writes.map((write, i) => [write, i]))
  const byOffset = [...writes].sort((a, b) => a.offset - b.offset)
  for (let first = 0; first < byOffset.length;) {
    let end = 0
    let next = first
    for (let write = byOffset[next]; write; write = byOffset[++next]) {
      if (next > first && write.offset >= end) break
      end = Math.max(end, endOf(write))
    }
    const cluster = byOffset.slice(first, next)
    cluster.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
    yield* cutAtBlocks(overlaid(cluster), longest)
    first = next
  }
}

/** One write with the effect of all, which overlap; a single one is not copied. */
function overlaid(cluster: readonly KeptWrite[]): KeptWrite {
  const [only] = cluster
  assert(only, 'a cluster holds a write')
  if (cluster.length === 1) return only
  const start = Math.min(...cluster.map(write => write.offset))
  const payload = new Uint8Array(Math.max(...cluster.map(endOf)) - start)
  for (const write of cluster) payload.set(write.payload, write.offset - start)
  return { offset: byteOffset(start), payload }
}

function* cutAtBlocks({ offset, payload }: KeptWrite, longest: number): Generator<KeptWrite> {
  for (let at = 0; at < payload.length;) {
    // Counted from a block border, so that all pieces but the first begin at one.
    const room = longest - ((offset + at) % BLOCK_BYTES)
    const end = Math.min(payload.length, at + room)
    yield { offset: byteOffset(offset + at), payload: payload.subarray(at, end) }
    at = end
  }
}

function endOf({ offset, payload }: KeptWrite): number {
  return offset + payload.length
}
