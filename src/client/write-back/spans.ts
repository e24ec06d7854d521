// Parts of one block: lists of spans in order, which neither overlap nor touch. Pure.
import { BLOCK_BYTES } from '../../base/limits.js'

export interface Span {
  readonly from: number
  /** The first byte behind it. */
  readonly to: number
}

/** With one more part; those that it overlaps or touches become one with it. */
export function addSpan(spans: readonly Span[], added: Span): readonly Span[] {
  if (spans.length === 0 || isWhole([added])) return [added]
  const before = spans.filter(({ to }) => to < added.from)
  const after = spans.filter(({ from }) => from > added.to)
  const joined = spans.slice(before.length, spans.length - after.length)
  const from = Math.min(added.from, joined[0]?.from ?? added.from)
  const to = Math.max(added.to, joined.at(-1)?.to ?? added.to)
  return [...before, { from, to }, ...after]
}

/** Whether all of `wanted` is in one of them, since parts that touch are one. */
export function covers(spans: readonly Span[], wanted: Span): boolean {
  return spans.some(({ from, to }) => from <= wanted.from && wanted.to <= to)
}

export function isWhole(spans: readonly Span[]): boolean {
  return covers(spans, { from: 0, to: BLOCK_BYTES })
}
