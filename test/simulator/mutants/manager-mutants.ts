// Rules of the managers, of leases and of votes (design §4), each left out once.
//
// One rule has no mutant: that a write to the log says nothing of what a snapshot behind it commits
// (raft-driver.ts). Its absence takes a manager that dies in the milliseconds between two syncs, of
// entries and of a snapshot that replaces them; test/manager/history/raft-driver.test.ts shows it.
import type { Mutant } from './mutant.js'

export const MANAGER_MUTANTS: readonly Mutant[] = [
  {
    name: 'read-expired-lease',
    breaks: 'Without a lease no read is served, unless the other replicas vouch for it.',
    edits: [
      {
        file: 'storage/replica/shard-reader.ts',
        find:
          'const vouched = host.leaseValid() || (await confirmation.confirmed()) || ' +
          'host.leaseValid()',
        replace: 'const vouched = true || (await confirmation.confirmed()) || host.leaseValid()',
      },
    ],
    caughtBy: 22,
  },
  {
    name: 'confirm-nobody',
    breaks: 'A read without a lease is answered only if all that were asked say yes.',
    edits: [
      {
        file: 'storage/replica/read-confirmation.ts',
        find: 'return replies.every(reply => reply !== LOST && reply.ok)',
        replace: 'return replies.length >= 0',
      },
    ],
    caughtBy: 908,
  },
  {
    name: 'drop-without-fence',
    breaks: 'A server is declared down when its lease is over, not before.',
    edits: [
      {
        file: 'manager/leases/leases-state.ts',
        find: 'return heard + LEASE_MS + LEASE_MARGIN_MS',
        replace: 'return heard + LEASE_MARGIN_MS + 0 * LEASE_MS',
      },
    ],
    caughtBy: 2,
  },
  {
    name: 'lose-a-vote',
    breaks: 'A manager remembers whom it voted for, also over a restart.',
    edits: [
      {
        file: 'manager/raft/raft-core.ts',
        find: 'return vote === candidate || (vote === null && leader === null)',
        replace: 'return vote !== undefined || leader === null || candidate === vote',
      },
      {
        file: 'manager/raft/raft-state.ts',
        find: "assert(this.#vote === null || this.#vote === candidate, 'one vote in a term')",
        replace: '',
      },
    ],
    caughtBy: 9,
  },
  {
    name: 'forget-hard-state',
    breaks: 'Term and vote are durable before anything is said in that term.',
    edits: [
      {
        file: 'manager/history/raft-driver.ts',
        find: 'hardState: lastHardState(batch),',
        replace: 'hardState: lastHardState([]) ?? lastHardState(batch.slice(batch.length)),',
      },
    ],
    caughtBy: 3,
  },
  {
    name: 'acknowledge-before-durable',
    breaks: 'A manager acknowledges entries when they are on its disk.',
    edits: [
      {
        file: 'manager/history/raft-driver.ts',
        find: 'await this.#o.store.persist(write)',
        replace: 'await Promise.resolve(write)',
      },
    ],
    caughtBy: 6,
  },
  {
    name: 'commit-without-majority',
    breaks: 'What is committed is on the disks of a majority.',
    edits: [
      {
        file: 'manager/raft/quorum.ts',
        find: 'Math.floor(count / 2) + 1',
        replace: 'Math.max(1, Math.floor(count / 2))',
      },
    ],
    caughtBy: 6,
  },
  {
    name: 'suspended-unasked',
    breaks: 'A replica that lives has said that it serves no more before others go on without it.',
    edits: [
      {
        file: 'manager/proposals/vote-rules.ts',
        find: "    case 'replicas-caught-up':\n",
        replace: "    case 'replicas-caught-up':\n    case 'replicas-suspended':\n",
      },
      {
        file: 'manager/proposals/vote-rules.ts',
        find: "    case 'shards-moved':\n    case 'replicas-suspended':\n",
        replace: "    case 'shards-moved':\n",
      },
    ],
    caughtBy: 208,
  },
  {
    name: 'written-is-committed',
    breaks: 'The log of a manager calls nothing committed that is not.',
    edits: [
      {
        file: 'manager/history/raft-driver.ts',
        find: '      commit,\n    }\n    this.#durableCommit = commit',
        replace:
          '      commit: joined(batch).at(-1)?.index ?? commit,\n    }\n' +
          '    this.#durableCommit = commit',
      },
    ],
    caughtBy: 24,
  },
]
