// Finds where a volume holds data, from the servers' indexes alone. A large one is not looked
// through as a whole: parts of it, in random order, until there is enough of a mixture. One that
// holds little is looked through to its end.
import { byteCount, byteOffset } from '../../base/brands.js'
import type { Interruption } from '../../base/interruption.js'
import { BENCH_LOOK_BYTES, BENCH_LOOK_PARTS, BENCH_PARTS_MAX } from '../../base/limits.js'
import type { Random } from '../../base/random.js'
import type { ByteRange } from '../../layout/geometry.js'
import type { UnitSample } from './units.js'

export interface DataPlace {
  /** Bytes. */
  readonly size: number
  /** Bytes over which all shards have equal parts. */
  readonly stripe: number
  /** What is no hole, in ascending order. */
  readonly ranges: (within: ByteRange) => AsyncIterable<ByteRange>
}

export interface LookOptions {
  readonly random: Random
  readonly interruption: Interruption
  /** From 0 to 1. */
  readonly reached: (part: number) => void
}

/** Offers it to all of these, until an interruption. */
export async function findData(
  place: DataPlace,
  samples: readonly UnitSample[],
  { random, interruption, reached }: LookOptions,
): Promise<void> {
  const parts = shuffled(partsOf(place), random)
  const share = BENCH_LOOK_BYTES / Math.min(parts.length, BENCH_LOOK_PARTS)
  let found = 0
  for (const [i, part] of parts.entries()) {
    if (found >= BENCH_LOOK_BYTES || interruption.asked) return
    reached(i / parts.length)
    let here = 0
    for await (const { offset, length } of rangesIn(place, part, share)) {
      if (interruption.asked) return
      const wanted = Math.min(length, share - here)
      for (const sample of samples) sample.offer({ offset, length: wanted })
      here += wanted
      if (here >= share) break
    }
    found += here
  }
}

/**
 * All shards are asked at once, and each answers for all of its span: so first for as much as would
 * do if it were full, and for twice that where it is not.
 */
async function* rangesIn(
  { stripe, ranges }: DataPlace,
  { offset, length }: ByteRange,
  enough: number,
): AsyncGenerator<ByteRange> {
  let width = Math.ceil(enough / stripe) * stripe
  for (let at = 0; at < length; width *= 2) {
    const bytes = byteCount(Math.min(width, length - at))
    yield* ranges({ offset: byteOffset(offset + at), length: bytes })
    at += bytes
  }
}

/** The whole volume, in equal parts of whole stripes; the last one may be shorter. */
export function partsOf({ size, stripe }: Omit<DataPlace, 'ranges'>): readonly ByteRange[] {
  const stripes = Math.ceil(size / stripe)
  const bytes = Math.ceil(stripes / BENCH_PARTS_MAX) * stripe
  return Array.from({ length: Math.ceil(size / bytes) }, (_, i) => ({
    offset: byteOffset(i * bytes),
    length: byteCount(Math.min(bytes, size - i * bytes)),
  }))
}

function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  const mixed = [...items]
  for (let i = mixed.length - 1; i > 0; i--) {
    const other = random.below(i + 1)
    const item = mixed[i]!
    mixed[i] = mixed[other]!
    mixed[other] = item
  }
  return mixed
}
