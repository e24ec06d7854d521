// Whom a primary wants to go on without: a table.
import test from 'tape'
import { whomToSuspend } from '../../../src/storage/replication/suspects.js'
import type { SuspensionCause } from '../../../src/layout/change.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const [P, F, G, H] = [testPeer(1), testPeer(2), testPeer(3), testPeer(4)]
const NAMES = new Map([P, F, G, H].map((id, i) => [id, 'PFGH'[i] ?? '?']))
const IDS = new Map([...NAMES].map(([id, name]) => [name, id]))

interface Case {
  readonly says: string
  /** In-sync, the primary first. */
  readonly inSync: string
  readonly minInSync: number
  readonly overdue: Readonly<Record<string, SuspensionCause>>
  readonly chosen: string
}

const CASES: readonly Case[] = [
  {
    says: 'a follower that keeps the others waiting',
    ...{ inSync: 'PFG', minInSync: 2, overdue: { F: 'unreachable' }, chosen: 'F' },
  },
  {
    says: 'the primary itself, whose disk refuses',
    ...{ inSync: 'PFG', minInSync: 2, overdue: { P: 'failing' }, chosen: 'P' },
  },
  {
    says: 'out of reach of most, it is the primary that is cut off',
    ...{
      inSync: 'PFG',
      minInSync: 2,
      overdue: { F: 'unreachable', G: 'unreachable' },
      chosen: 'P',
    },
  },
  {
    says: 'of two nobody is most: the primary stays',
    ...{ inSync: 'PF', minInSync: 1, overdue: { F: 'unreachable' }, chosen: 'F' },
  },
  {
    says: 'full disks are not a sign of being cut off',
    ...{ inSync: 'PFG', minInSync: 1, overdue: { F: 'failing', G: 'failing' }, chosen: 'FG' },
  },
  {
    says: 'nobody, if too few would stay for writing',
    ...{ inSync: 'PFG', minInSync: 2, overdue: { F: 'failing', G: 'stuck' }, chosen: '' },
  },
  {
    says: 'nobody, if they are too few already',
    ...{ inSync: 'PF', minInSync: 2, overdue: { F: 'unreachable' }, chosen: '' },
  },
  {
    says: 'never the last one, whatever the volume wants',
    ...{ inSync: 'P', minInSync: 0, overdue: { P: 'failing' }, chosen: '' },
  },
  {
    says: 'not one that is not in-sync',
    ...{ inSync: 'PF', minInSync: 1, overdue: { G: 'stuck' }, chosen: '' },
  },
  {
    says: 'several at once',
    ...{ inSync: 'PFGH', minInSync: 2, overdue: { F: 'unreachable', P: 'stuck' }, chosen: 'FP' },
  },
]

test('whom to go on without', t => {
  for (const { says, inSync, minInSync, overdue, chosen } of CASES) {
    const input = {
      self: P,
      inSync: inSync.split('').map(name => IDS.get(name)!),
      overdue: Object.entries(overdue).map(([name, cause]) => ({ server: IDS.get(name)!, cause })),
      minInSync,
    }
    const found = whomToSuspend(input).map(({ server }) => NAMES.get(server))
    t.equal(found.join(''), chosen, says)
  }
  t.end()
})
