// Where a volume is read or written: places of one size, at multiples of it. A sample of them is
// drawn from ranges of data as those are found, however many there are, in bounded memory. Pure.
import { assert } from '../../base/assert.js'
import { byteOffset, type ByteOffset } from '../../base/brands.js'
import { BENCH_UNITS_MAX } from '../../base/limits.js'
import type { Random } from '../../base/random.js'
import type { BenchJob } from './jobs.js'

export interface Units {
  readonly count: number
  offset(index: number): ByteOffset
}

/** All that lie within a volume. */
export function allUnits(size: number, unit: number): Units {
  return { count: Math.floor(size / unit), offset: index => byteOffset(index * unit) }
}

/** Which one is next, for as long as somebody asks. */
export function nextUnit(
  { count }: Pick<Units, 'count'>,
  order: BenchJob['order'],
  random: Random,
): () => number {
  assert(count > 0, 'there is a unit')
  if (order === 'random') return () => random.below(count)
  let next = 0
  return () => {
    const index = next
    next = (next + 1) % count
    return index
  }
}

export interface SampleShape {
  /** Bytes. */
  readonly unit: number
  readonly order: BenchJob['order']
  /** Units that it keeps. */
  readonly most?: number
}

/**
 * Of all units that lie whole within a range that was offered: as many as it may keep, each as
 * likely as any other; or in sequence, the first of them, so that neighbours stay together.
 */
export class UnitSample {
  readonly #shape: Required<SampleShape>
  readonly #random: Random
  readonly #numbers: number[] = []
  #seen = 0
  #sorted = true

  constructor({ most = BENCH_UNITS_MAX, ...shape }: SampleShape, random: Random) {
    this.#shape = { ...shape, most }
    this.#random = random
  }

  offer({ offset, length }: { readonly offset: number; readonly length: number }): void {
    const { unit } = this.#shape
    const end = Math.floor((offset + length) / unit)
    for (let number = Math.ceil(offset / unit); number < end; number++) this.#offer(number)
  }

  /** Those that it keeps by now, ascending. */
  units(): Units {
    if (!this.#sorted) this.#numbers.sort((a, b) => a - b)
    this.#sorted = true
    const numbers = [...this.#numbers]
    const { unit } = this.#shape
    return { count: numbers.length, offset: index => byteOffset(numbers[index]! * unit) }
  }

  #offer(number: number): void {
    this.#seen++
    this.#sorted = false
    if (this.#numbers.length < this.#shape.most) this.#numbers.push(number)
    else if (this.#shape.order === 'random') {
      const place = this.#random.below(this.#seen)
      if (place < this.#shape.most) this.#numbers[place] = number
    }
  }
}

/** Some of them, ascending: any, or in sequence the first. */
export function fewer(
  units: Units,
  { order, most }: Required<Omit<SampleShape, 'unit'>>,
  random: Random,
): Units {
  if (units.count <= most) return units
  const chosen = order === 'sequential' ? first(most) : drawn(units.count, most, random)
  return { count: most, offset: index => units.offset(chosen[index]!) }
}

function first(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** `most` of the numbers below `count`, each as likely as any other, ascending. */
function drawn(count: number, most: number, random: Random): readonly number[] {
  const numbers = [...first(count)]
  for (let i = 0; i < most; i++) {
    const other = i + random.below(count - i)
    const number = numbers[other]!
    numbers[other] = numbers[i]!
    numbers[i] = number
  }
  return numbers.slice(0, most).sort((a, b) => a - b)
}
