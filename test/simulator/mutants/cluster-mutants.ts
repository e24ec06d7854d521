// Rules about copies that move, and about who may read and write (design §4, §5, §7), each left out
// once.
//
// Some rules have no mutant, because no seed can show them, or none has in hundreds:
// - Who has agreed to lose a copy serves it no more (storage/voting/fence-state.ts): it takes a
//   client that still asks for it, by a configuration that is over, in the milliseconds until it
//   hears of the new one. test/storage/voting/voting.test.ts shows it; moved-unasked and
//   suspended-unasked leave out the question.
// - Hedged reads (client/shard/race.ts): what a dropped leg answers was the newest at some moment
//   of the same read, and every answer is judged by its generation, so taking it would break no
//   invariant; that nobody takes it is tested in test/client/driver-hedging.test.ts.
// - That the lease is looked at after the disk was read (storage/replica/shard-reader.ts), however
//   long that took: whoever asked did so before, so what was the newest then is a right answer. It
//   is for I4, as people understand it; returning.test.ts tells that story.
// - Giving up what is lost (layout/apply/promotion.ts, storage/voting/promotion.ts): no run from a
//   seed promotes; promotion.test.ts tells those stories.
import type { Mutant } from './mutant.js'

const MOVING: readonly Mutant[] = [
  {
    name: 'surplus-before-in-sync',
    breaks: 'A copy is given up when the one in its place is in-sync, not before.',
    edits: [
      {
        file: 'layout/movement/shard-moves.ts',
        find: 'while (kept.length > wanted) kept.splice',
        replace: `const made = this.#shard.replicas.length - this.#inSync.length
    while (kept.length > 1 && kept.length + made > wanted) kept.splice`,
      },
      {
        file: 'layout/apply/shards.ts',
        find: 'if (left >= 1 && left >= Math.min(wanted, had)) return null',
        replace: 'if (left >= 1 && left >= Math.min(wanted, had) - 1) return null',
      },
    ],
    caughtBy: 14,
  },
  {
    name: 'moved-unasked',
    breaks: 'Who loses a copy to a move has said that it serves no more, or its lease is over.',
    edits: [
      {
        file: 'manager/proposals/vote-rules.ts',
        find: "    case 'replicas-caught-up':\n",
        replace: "    case 'replicas-caught-up':\n    case 'shards-moved':\n",
      },
      {
        file: 'manager/proposals/vote-rules.ts',
        find: "    case 'shards-moved':\n    case 'replicas-suspended':\n",
        replace: "    case 'replicas-suspended':\n",
      },
    ],
    caughtBy: 17,
  },
  {
    name: 'moved-and-kept',
    breaks: 'A copy that is somewhere else now is dropped.',
    edits: [
      {
        file: 'storage/shard-holdings.ts',
        find: "return isNamed(allocation, self) ? 'keep' : 'drop'",
        replace: "return isNamed(allocation, self) || allocation.epoch > 0 ? 'keep' : 'drop'",
      },
    ],
    caughtBy: 2,
  },
]

const ACCESS: readonly Mutant[] = [
  {
    name: 'writer-not-checked',
    breaks: 'A storage server executes writes only of clients that are attached.',
    edits: [
      {
        file: 'storage/storage-server.ts',
        find: 'reads || isAttached(record, call.from)',
        replace: 'reads || record !== null',
      },
    ],
    mode: 'exclusive',
    caughtBy: 6,
  },
  {
    name: 'takeover-without-fence',
    breaks: 'Taking over gives every shard a new allocation, so that older requests are refused.',
    edits: [
      {
        file: 'layout/apply/attachments.ts',
        find: 'inTheWay.length > 0 ? fenced(next, epoch) : next',
        replace: 'inTheWay.length > 9e9 ? fenced(next, epoch) : next',
      },
    ],
    mode: 'exclusive',
    caughtBy: 6,
  },
]

export const CLUSTER_MUTANTS: readonly Mutant[] = [...MOVING, ...ACCESS]
