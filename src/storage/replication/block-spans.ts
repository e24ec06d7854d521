// Arithmetic of spans of blocks. Pure.
import { assert } from '../../base/assert.js'
import { blockIndex } from '../../base/brands.js'
import type { BlockSpan } from '../../layout/geometry.js'

export type { BlockSpan } from '../../layout/geometry.js'

export const endOf = (span: BlockSpan): number => span.block + span.blocks

export function spanBetween(first: number, end: number): BlockSpan {
  assert(first < end, 'a span has blocks')
  return { block: blockIndex(first), blocks: end - first }
}

export function overlap(a: BlockSpan, b: BlockSpan): boolean {
  return a.block < endOf(b) && b.block < endOf(a)
}

/** Whether `outer` has every block of `inner`. */
export function covers(outer: BlockSpan, inner: BlockSpan): boolean {
  return outer.block <= inner.block && endOf(inner) <= endOf(outer)
}

/** What is left of a span without the holes, in order. */
export function subtract(span: BlockSpan, holes: readonly BlockSpan[]): readonly BlockSpan[] {
  let left: readonly BlockSpan[] = [span]
  for (const hole of holes) {
    left = left.flatMap(part => {
      if (!overlap(part, hole)) return [part]
      const rest: BlockSpan[] = []
      if (part.block < hole.block) rest.push(spanBetween(part.block, hole.block))
      if (endOf(hole) < endOf(part)) rest.push(spanBetween(endOf(hole), endOf(part)))
      return rest
    })
  }
  return left
}

/** Sorted, without overlaps, neighbours joined. */
export function union(spans: readonly BlockSpan[]): readonly BlockSpan[] {
  const sorted = [...spans].sort((a, b) => a.block - b.block)
  const joined: BlockSpan[] = []
  for (const span of sorted) {
    const last = joined.at(-1)
    if (last && span.block <= endOf(last)) {
      joined[joined.length - 1] = spanBetween(last.block, Math.max(endOf(last), endOf(span)))
    } else joined.push(span)
  }
  return joined
}

/** Cuts spans at these block numbers, and so that no part has more than `limit` blocks. */
export function cut(
  spans: readonly BlockSpan[],
  borders: ReadonlySet<number>,
  limit: number,
): readonly BlockSpan[] {
  assert(limit > 0, 'parts have blocks')
  const sorted = [...borders].sort((a, b) => a - b)
  const parts: BlockSpan[] = []
  for (const span of spans) {
    const inside = sorted.filter(border => border > span.block && border < endOf(span))
    let first: number = span.block
    for (const end of [...inside, endOf(span)]) {
      for (; first < end; first += limit) {
        parts.push(spanBetween(first, Math.min(first + limit, end)))
      }
      first = end
    }
  }
  return parts
}

export function blocksIn(spans: readonly BlockSpan[]): number {
  return spans.reduce((sum, span) => sum + span.blocks, 0)
}
