// Rules of scrubs, each left out once. The seeds are those of the story of scrubs.
import type { Mutant } from './mutant.js'

export const SCRUB_MUTANTS: readonly Mutant[] = [
  {
    name: 'scrub-believes-repairs',
    breaks: 'A block is called repaired, and nothing was fetched.',
    edits: [
      {
        file: 'storage/scrub/page-check.ts',
        find: 'repair = await repairBlocks(context, [{ block, layer }])',
        replace: "repair = 'repaired'",
      },
      {
        file: 'storage/scrub/page-check.ts',
        find: "return again?.length === 0 ? 'repaired' : 'not-now'",
        replace: "return again ? 'repaired' : 'not-now'",
      },
    ],
    story: 'scrub',
    caughtBy: 1,
  },
]
