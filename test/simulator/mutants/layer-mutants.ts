// Rules of layers (design §6), each left out once. The seeds are those of the story of snapshots:
// the runs of run-seed.ts make none.
import type { Mutant } from './mutant.js'

export const LAYER_MUTANTS: readonly Mutant[] = [
  {
    name: 'merge-out-of-order',
    breaks: 'Of a layer that is several files, one is merged with the next one above it.',
    edits: [
      {
        file: 'storage/store/merges.ts',
        find: 'const [lower, upper] = group?.toReversed() ?? []',
        replace: `const [lower, next, newest] = group?.toReversed() ?? []
    const upper = newest ?? next`,
      },
    ],
    story: 'snapshots',
    caughtBy: 2,
  },
]
