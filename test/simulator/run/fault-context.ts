// What all kinds of faults share.
import type { SeededRandom } from '../seeded-random.js'
import type { SimulatedCluster } from '../simulated-cluster.js'
import type { Caution } from './caution.js'
import type { Mode } from './shape.js'

export interface FaultContext {
  readonly cluster: SimulatedCluster
  readonly mode: Mode
  readonly random: SeededRandom
  readonly caution: Caution
  /** Counts a fault of this kind. */
  readonly note: (what: string) => void
}

export function shuffled<T>(random: SeededRandom, items: readonly T[]): T[] {
  const rest = [...items]
  return items.map(() => rest.splice(random.below(rest.length), 1)[0]!)
}
