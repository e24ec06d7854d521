// What a snapshot may show of a writer that brings one value after the other to all places, in
// their order: some moment of that. Pure.
import type { SeededRandom } from '../seeded-random.js'

export const VOLUMES = ['v0', 'v1'] as const
const PLACES_MAX = 6
/** Within an extent: the first blocks, the borders of index pages and of the extent. */
const BLOCKS = [0, 1, 511, 1023, 1024, 1025]
const PLACE_DISTANCE = 2048
/** Every so many values, a place that knows zeroes gets those. */
const ZEROES_EVERY = 3

export interface Place {
  readonly volume: (typeof VOLUMES)[number]
  readonly block: number
  /** Some values are brought to it as zeroes. */
  readonly zeroes: boolean
}

/** Of both volumes by turns, in several shards; some blocks are neighbours. */
export function drawPlaces(random: SeededRandom): readonly Place[] {
  return Array.from({ length: 2 + random.below(PLACES_MAX - 1) }, (_, i) => ({
    volume: VOLUMES[i % 2]!,
    block: random.pick(BLOCKS) + PLACE_DISTANCE * Math.floor(i / 2),
    zeroes: i > 0 && random.chance(0.5),
  }))
}

/** What is read where this value was brought; nothing was, before the first one. */
export function shown(place: Place, value: number): number {
  return place.zeroes && value % ZEROES_EVERY === 0 ? 0 : value
}

export interface Between {
  /** The last value that all places had before the snapshot was asked for. */
  readonly least: number
  /** The last value that any place could have when it was there. */
  readonly most: number
}

export function isMoment(
  places: readonly Place[],
  picture: readonly number[],
  { least, most }: Between,
): boolean {
  for (let value = least; value <= most; value++) {
    // The value had reached so many places; the others had the one before.
    for (let reached = value === least ? places.length : 1; reached <= places.length; reached++) {
      const moment = places.map((place, i) => shown(place, i < reached ? value : value - 1))
      if (moment.every((one, i) => one === picture[i])) return true
    }
  }
  return false
}
