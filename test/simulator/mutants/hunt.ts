// Runs the simulator on a mutant until a seed catches it.
import { runSeeds } from '../pool/pool.js'
import { seedsFrom } from '../run/shape.js'
import { copyOf } from './mutate.js'
import type { Mutant } from './mutant.js'

export interface Hunt {
  /** Null: it survived. */
  readonly caughtBy: number | null
  /** Seeds that were run. */
  readonly seeds: number
  /** The first thing that was found. */
  readonly finding: string
}

/** The known seed first, then those from 1 on that can show it. */
export async function hunt(
  mutant: Mutant,
  options: { readonly seeds: number; readonly from?: number; readonly workers?: number },
): Promise<Hunt> {
  const { root, remove } = copyOf(mutant)
  const { workers, from = 1, seeds: count } = options
  const rest = seedsFrom(from, { count: count - 1, mode: mutant.mode })
  let seeds = 0
  try {
    const order = [mutant.caughtBy, ...rest]
    for await (const { seed, findings, died } of runSeeds({
      ...{ seeds: order, root, story: mutant.story ?? 'faults' },
      ...(workers === undefined ? {} : { workers }),
    })) {
      seeds++
      // Where nothing can run every mutant would look caught.
      if (died) throw new Error(`mutant ${mutant.name}, seed ${seed}: ${findings[0]}`)
      if (findings.length > 0) return { caughtBy: seed, seeds, finding: findings[0]! }
    }
    return { caughtBy: null, seeds, finding: '' }
  } finally {
    remove()
  }
}
