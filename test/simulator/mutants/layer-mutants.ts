// Rules of layers (design §6) and of sizes, each left out once. The seeds are those of the stories
// of snapshots and of a volume that grows: the runs of run-seed.ts have neither.
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
    caughtBy: 3,
  },
  {
    name: 'merge-older-wins',
    breaks: 'A merge copies a block up over a newer one.',
    edits: [
      {
        file: 'storage/store/layer-merge.ts',
        find: "const hidden = this.#direction === 'up' && isPresent(to, slot)",
        replace: 'const hidden = false',
      },
    ],
    story: 'snapshots',
    caughtBy: 12,
  },
  {
    name: 'merge-keeps-older',
    breaks: 'A merge copies no block down over an older one.',
    edits: [
      {
        file: 'storage/store/layer-merge.ts',
        find: "const hidden = this.#direction === 'up' && isPresent(to, slot)",
        replace: 'const hidden = isPresent(to, slot)',
      },
    ],
    story: 'snapshots',
    caughtBy: 1,
  },
  {
    name: 'merge-loses-zeroes',
    breaks: 'A merge copies blocks, and no marks of zeroes.',
    edits: [
      {
        file: 'storage/store/layer-merge.ts',
        find: `copyEntry(entries, from, slot)
    if (stateOf(from, slot) === 'zeroes') continue`,
        replace: `if (stateOf(from, slot) === 'zeroes') continue
    copyEntry(entries, from, slot)`,
      },
    ],
    story: 'snapshots',
    caughtBy: 2,
  },
  {
    name: 'zeroes-fall-through',
    breaks: 'Where a layer has a mark of zeroes, a read looks into those below.',
    edits: [
      {
        file: 'storage/store/block-runs.ts',
        find: "return runsOf(entries, run, 'absent')",
        replace: "return [...runsOf(entries, run, 'absent'), ...runsOf(entries, run, 'zeroes')]",
      },
    ],
    story: 'snapshots',
    caughtBy: 1,
  },
  {
    name: 'written-while-sealed',
    breaks: 'A primary takes writes while its volume is sealed.',
    edits: [
      {
        file: 'storage/replica/shard-replica.ts',
        find: 'if (this.#sealing.sealed) return this.#park(call)',
        replace: '',
      },
    ],
    story: 'snapshots',
    caughtBy: 12,
  },
  {
    name: 'snapshot-before-all-are-ready',
    breaks: 'A snapshot is made when some shards of each volume are ready.',
    edits: [
      {
        file: 'manager/snapshots.ts',
        find: 'const isReady = known.shards.every(',
        replace: 'const isReady = known.shards.some(',
      },
    ],
    story: 'snapshots',
    caughtBy: 31,
  },
  {
    name: 'size-of-the-opening',
    breaks: 'A replica knows the size that its configuration says.',
    edits: [
      {
        file: 'storage/replica/shard-replica.ts',
        find: 'this.#facts = facts',
        replace: 'this.#facts = { ...facts, bytes: this.#facts?.bytes ?? facts.bytes }',
      },
    ],
    story: 'growing',
    caughtBy: 1,
  },
  {
    name: 'newer-epoch-under-older-size',
    breaks: 'Who asks under a newer configuration waits until the server has it.',
    edits: [
      {
        file: 'layout/epoch-rule.ts',
        find: "if (client > server) return 'ask-manager'",
        replace: '',
      },
    ],
    story: 'growing',
    caughtBy: 1,
  },
]
