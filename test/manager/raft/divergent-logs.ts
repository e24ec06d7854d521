// Logs as figure 7 of the Raft paper shows them: what leaders of several terms have left behind
// that died before a majority had their entries. Nothing but the first entry is committed.
import type { PeerId } from '../../../src/base/brands.js'
import { logIndex, RaftLog, raftTerm } from '../../../src/manager/raft/raft-log.js'
import { majority } from '../../../src/manager/raft/quorum.js'
import type { HardState } from '../../../src/manager/raft/raft-types.js'
import type { LogEntry } from '../../../src/net/manager-messages.js'
import type { SeededRandom } from '../../simulator/seeded-random.js'
import { diskWith } from './raft-group.js'
import type { RaftDisk } from './raft-node.js'

export interface DivergenceOptions {
  readonly members: readonly PeerId[]
  readonly random: SeededRandom
  readonly value: () => Uint8Array
}

interface Left {
  readonly id: PeerId
  hardState: HardState
  entries: readonly LogEntry[]
}

const TERMS_MAX = 6
const ENTRIES_MAX = 3

export function divergentLogs({ members, random, value }: DivergenceOptions): readonly RaftDisk[] {
  const first = diskWith(members, [1])
  const left = members.map((id): Left => ({
    id,
    hardState: first.hardState,
    entries: first.entries,
  }))
  for (let term = 2; term <= TERMS_MAX; term++) {
    const leader = random.pick(left)
    const { last } = new RaftLog(null, leader.entries)
    const voters = left.filter(({ entries }) => new RaftLog(null, entries).isCoveredBy(last))
    if (voters.length < majority(members.length)) continue
    for (const voter of voters) voter.hardState = { term: raftTerm(term), vote: leader.id }
    const added = Array.from({ length: 1 + random.below(ENTRIES_MAX) }, (_, i): LogEntry => {
      const index = logIndex(last.index + 1 + i)
      return { index, term: raftTerm(term), members: null, data: value() }
    })
    leader.entries = [...leader.entries, ...added]
    // Some got all of it, but never a majority.
    const others = voters.filter(voter => voter !== leader)
    for (const other of others.slice(0, random.below(majority(members.length) - 1 || 1))) {
      other.entries = leader.entries
    }
  }
  return left.map(({ hardState, entries }) => ({ ...first, hardState, entries }))
}
