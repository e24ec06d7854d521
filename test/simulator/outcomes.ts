// Every outcome that a crash of a simulated disk may have at this moment: the product of all its
// choices. For small workloads; the number is bounded and going beyond fails loudly.
import { assert } from '../../src/base/assert.js'
import type { SimulatedDisk, SimulatedDiskOptions } from './simulated-disk.js'

const OUTCOMES_MAX = 20_000

export function* everyOutcome(
  disk: SimulatedDisk,
  options?: SimulatedDiskOptions,
): Generator<SimulatedDisk> {
  const limits = disk.choices().map(choice => choice.options)
  const total = limits.reduce((product, options) => product * options, 1)
  assert(total <= OUTCOMES_MAX, `${total} outcomes are too many: make the workload smaller`)
  const pick = limits.map(() => 0)
  for (;;) {
    yield disk.survivor([...pick], options)
    let i = 0
    while (i < pick.length && ++pick[i]! === limits[i]) pick[i++] = 0
    if (i === pick.length) return
  }
}
