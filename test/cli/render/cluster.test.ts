// Managers and votes as people read them.
import test from 'tape'
import { renderEpoch, renderVolumeDetail } from '../../../src/cli/render/cluster.js'
import { renderManagerList, toleranceNote } from '../../../src/cli/render/managers.js'
import type { AttachmentResult, EpochResult, ManagerListResult } from '../../../src/net/admin.js'

const A = 'a'.repeat(64)
const B = 'b'.repeat(64)
const C = 'c'.repeat(64)

function lines(text: string): string[] {
  return text.split('\n').map(line => line.replaceAll(/ {2,}/g, ' | '))
}

test('managers: leader, reachable, candidates, and what the cluster survives', t => {
  const member = (id: string, leader: boolean, reachable: boolean) => {
    return { id, leader, reachable, addresses: [`10.0.0.${id.charCodeAt(0)}:7000`] }
  }
  const list: ManagerListResult = {
    managers: [member(A, true, true), member(B, false, false)],
    candidates: [{ id: C, addresses: ['10.0.0.9:7000'] }],
  }
  t.deepEqual(lines(renderManagerList(list)), [
    'MANAGER | ROLE | REACHABLE | ADDRESS',
    'aaaaaaaaaaaaaaaa | leader | yes | 10.0.0.97:7000',
    'bbbbbbbbbbbbbbbb | follower | no | 10.0.0.98:7000',
    '',
    'No members, but running ("manager add" takes one in):',
    'CANDIDATE | ADDRESS',
    'cccccccccccccccc | 10.0.0.9:7000',
    '',
    toleranceNote(2) ?? '',
  ])
  t.match(toleranceNote(1) ?? '', /One manager does not survive.*start two more on other hosts/)
  t.match(toleranceNote(2) ?? '', /Two managers do not survive.*start one more on another host/)
  t.equal(toleranceNote(3), null)
  t.end()
})

test('votes: who, how and why; overridden refusals say so', t => {
  const record: EpochResult = {
    epoch: 12,
    at: '2026-01-01T00:00:00.000Z',
    change: 'storage server c removed',
    kind: 'server-removed',
    proposer: 'operator at client 3f2a91c0',
    votes: [
      { voter: A, name: 'a', role: 'storage', approve: true, policy: false, reason: '' },
      {
        voter: B,
        name: B.slice(0, 8),
        role: 'manager',
        approve: false,
        policy: true,
        reason: 'Volume data would have 2 of 3 replicas.',
      },
      {
        voter: C,
        name: C.slice(0, 8),
        role: 'manager',
        approve: false,
        policy: false,
        reason: 'x',
      },
    ],
  }
  t.deepEqual(lines(renderEpoch(record)), [
    'epoch 12, 2026-01-01T00:00:00.000Z',
    'storage server c removed',
    'proposed by operator at client 3f2a91c0',
    '',
    'VOTER | ROLE | VOTE | REASON',
    'a | storage | approve',
    'bbbbbbbb | manager | refuse (overridden by --force) | Volume data would have 2 of 3 replicas.',
    'cccccccc | manager | refuse | x',
  ])
  t.end()
})

test('who has a volume: since when, and whether it was heard of', t => {
  const since = '2026-01-01T00:00:00.000Z'
  const attached: AttachmentResult = {
    ...{ client: A, host: 'node-1', mode: 'exclusive', since },
    ...{ lastSeen: '2026-01-01T01:59:00.000Z', expired: true },
  }
  const fresh: AttachmentResult = {
    ...{ client: B, host: 'node-2', mode: 'shared', since: '2026-01-01T01:59:55.000Z' },
    ...{ lastSeen: null, expired: false },
  }
  const volume = {
    ...{ name: 'data', id: 1, size: 2 ** 30, replicas: 3, minInSync: 2, health: 'ok' as const },
    shards: { total: 8, inSync: 8, degraded: 0, unavailable: 0, syncing: 0 },
    ...{ syncBytesLeft: 0, mergeBytesLeft: 0, syncSecondsLeft: null, origin: null },
    ...{ created: 5, placement: [] },
    usage: {
      used: 3 * 2 ** 20,
      snapshots: [{ name: 's', at: since, written: 2 ** 20, alone: 4096 }],
      silent: ['c'],
    },
    schedules: [{ period: 'hourly', keep: 24 } as const, { period: 'daily', keep: 7 } as const],
  }
  const now = Date.parse('2026-01-01T02:00:00.000Z')
  const shown = lines(renderVolumeDetail({ ...volume, attachments: [attached, fresh] }, now))
  t.match(shown[1] ?? '', /^data .*\| node-1 node-2$/)
  t.equal(shown[4], 'data | 2 | hourly=24,daily=7')
  t.equal(shown[6], 'takes 3 MiB on all servers together, without c: no answer')
  t.deepEqual(shown.slice(8, 10), [
    'SNAPSHOT | AT | WRITTEN | HELD ALONE',
    `s | ${since} | 1 MiB | 4 KiB`,
  ])
  t.deepEqual(shown.slice(11, 14), [
    'ATTACHED AT | CLIENT | MODE | SINCE | AGE | LAST SEEN',
    `node-1 | aaaaaaaa | exclusive | ${since} | 2 h | 1 min ago, expired`,
    'node-2 | bbbbbbbb | shared | 2026-01-01T01:59:55.000Z | 5 s | not by this leader',
  ])
  const clone = lines(renderVolumeDetail({ ...volume, origin: 'base@s', attachments: [] }, now))
  t.match(clone[0] ?? '', /CLONE OF$/, 'only where there is one')
  t.match(clone[1] ?? '', /base@s$/)
  const merging = { ...volume, mergeBytesLeft: 3 * 2 ** 20, attachments: [] }
  const merged = lines(renderVolumeDetail(merging, now))
  t.match(merged[0] ?? '', /MERGING$/, 'only while there is something to merge')
  t.match(merged[1] ?? '', /3 MiB to go$/)
  const free = lines(renderVolumeDetail({ ...volume, attachments: [] }, now))
  t.notOk(
    free.some(line => line.startsWith('ATTACHED AT')),
    'nobody: nothing is said',
  )
  t.end()
})
