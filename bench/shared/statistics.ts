// The arithmetic of the benchmarks: medians, ratios, and whether something grows. Pure.
import { assert } from '../../src/base/assert.js'

/** The item in the middle by a number; of an even count the lower one, which was measured. */
export function middleBy<T>(items: readonly T[], by: (item: T) => number): T {
  const sorted = [...items].sort((a, b) => by(a) - by(b))
  const middle = sorted[Math.floor((sorted.length - 1) / 2)]
  assert(middle !== undefined, 'there is something to take the middle of')
  return middle
}

/** Null where there is nothing to compare with. */
export function ratio(value: number, of: number): number | null {
  return of > 0 ? value / of : null
}

export function showRatio(value: number | null): string {
  return value === null ? '-' : value.toFixed(2)
}

export function showWhole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

export function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Trend {
  /** What y gains while x grows by one: least squares. */
  readonly slope: number
  /** The standard error of the slope; infinite for fewer than three points. */
  readonly error: number
}

export function trend(points: readonly Point[]): Trend {
  const middle = { x: mean(points.map(({ x }) => x)) ?? 0, y: mean(points.map(({ y }) => y)) ?? 0 }
  let [xx, xy, yy] = [0, 0, 0]
  for (const { x, y } of points) {
    xx += (x - middle.x) ** 2
    xy += (x - middle.x) * (y - middle.y)
    yy += (y - middle.y) ** 2
  }
  if (points.length < 3 || xx === 0) return { slope: 0, error: Infinity }
  const slope = xy / xx
  // Rounding can take a perfect line a little below zero.
  const left = Math.max(0, yy - slope * xy)
  return { slope, error: Math.sqrt(left / (points.length - 2) / xx) }
}

/**
 * What grows more slowly than `tolerance`, or by less than twice the error, cannot be told from
 * what does not grow. Null: too few points to say anything.
 */
export function isFlat({ slope, error }: Trend, tolerance: number): boolean | null {
  if (!Number.isFinite(error)) return null
  return slope <= Math.max(tolerance, 2 * error)
}

/** The last third, at least the last point. */
export function lastThird<T>(items: readonly T[]): readonly T[] {
  return items.slice(Math.min(items.length - 1, Math.floor((items.length * 2) / 3)))
}
