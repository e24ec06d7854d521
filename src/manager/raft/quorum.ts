// Counting managers: how many are a majority, and what a majority has reached. Any two majorities
// of one set of members have a member in common, and so have those of two sets that differ by one
// member: on this rest elections, commits, leases and changes of membership.
import { assert } from '../../base/assert.js'

export const majority = (count: number): number => Math.floor(count / 2) + 1

/** The greatest value that a majority has reached or passed. */
export function reached(values: readonly number[]): number {
  assert(values.length > 0, 'somebody votes')
  const descending = [...values].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))
  return descending[majority(values.length) - 1]!
}
