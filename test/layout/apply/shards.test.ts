// The guard of I5: which reallocations are refused, and with which code.
import test from 'tape'
import { epoch, generation, incarnation, shardIndex, volumeId } from '../../../src/base/brands.js'
import type { CaughtUpReplica, Change, SuspensionCause } from '../../../src/layout/change.js'
import type { Configuration, Replica } from '../../../src/layout/configuration.js'
import {
  clusterWithVolume,
  must,
  reallocate,
  refusal,
  replica,
  restart,
  server,
  shardOf,
  VOLUME,
} from '../clusters.js'

const start = clusterWithVolume()
const [A, B, C] = shardOf(start).replicas.map(r => r.server) as [
  Replica['server'],
  Replica['server'],
  Replica['server'],
]
const [a, b, c] = shardOf(start).replicas as [Replica, Replica, Replica]
const syncing = (r: Replica): Replica => ({ ...r, state: 'syncing' })
const PLACE = { volume: VOLUME, shard: shardIndex(0) }

test('a replica leaves the in-sync set', t => {
  const after = must(start, reallocate(start, { replicas: [b, c], stale: [A] }))
  t.equal(after.epoch, start.epoch + 1)
  t.deepEqual(shardOf(after), {
    epoch: after.epoch,
    generation: 0,
    replicas: [b, c],
    stale: [A],
  })
  t.equal(shardOf(after, 1), shardOf(start, 1), 'the other shards are untouched')
  t.equal(refusal(start, reallocate(start, {})), 'no-change')
  t.equal(refusal(start, { kind: 'shards-reallocated', reason: '', shards: [] }), 'no-change')
  const last = must(after, reallocate(after, { replicas: [b], stale: [A, C] }))
  t.equal(shardOf(last).replicas.length, 1, 'down to one')
  t.end()
})

test('what was planned from another allocation is refused', t => {
  const after = must(start, reallocate(start, { replicas: [b, c], stale: [A] }))
  t.equal(refusal(after, reallocate(start, { replicas: [a], stale: [B, C] })), 'outdated')
  t.equal(refusal(start, reallocate(start, { volume: volumeId(9) })), 'no-such-volume')
  t.equal(refusal(start, reallocate(start, { shard: shardIndex(99) })), 'no-such-shard')
  const twice = reallocate(start, { replicas: [b, c], stale: [A] })
  const both = { ...twice, shards: [...twice.shards, ...twice.shards] }
  t.equal(refusal(start, both), 'bad-allocation', 'a shard is named once')
  t.end()
})

test('lists that could not be allocations are refused', t => {
  const other = server(9).id
  const cases: readonly (readonly [string, object])[] = [
    ['empty', { replicas: [] }],
    ['no in-sync primary', { replicas: [syncing(a), b, c] }],
    ['in-sync behind syncing', { replicas: [a, syncing(b), c] }],
    ['twice', { replicas: [a, b, b] }],
    ['replica and stale', { stale: [A] }],
    ['unknown server', { replicas: [a, b, c, { ...syncing(c), server: other }] }],
    ['a start not on record', { replicas: [a, b, { ...syncing(c), incarnation: incarnation(5) }] }],
    ['generation skips', { replicas: [a], stale: [B, C], generation: generation(2) }],
  ]
  for (const [name, fields] of cases) {
    t.equal(refusal(start, reallocate(start, fields)), 'bad-allocation', name)
  }
  t.end()
})

test('nobody becomes in-sync by reallocation', t => {
  const away = must(start, reallocate(start, { replicas: [a, b], stale: [C] }))
  t.equal(refusal(away, reallocate(away, { replicas: [a, b, c], stale: [] })), 'data-loss', 'stale')
  const back = must(away, reallocate(away, { replicas: [a, b, syncing(c)], stale: [] }))
  t.equal(refusal(back, reallocate(back, { replicas: [a, b, c] })), 'data-loss', 'syncing')
  const four = must(back, { kind: 'server-registered', server: server(4) })
  const fresh: Replica = { ...replica(four, server(4).id), state: 'in-sync' }
  const joined = reallocate(four, { replicas: [a, b, fresh, syncing(c)] })
  t.equal(refusal(four, joined), 'data-loss', 'a new server')
  t.end()
})

test('a server that restarted is not in-sync for its new start', t => {
  const restarted = restart(start, A)
  const renewed = { ...a, incarnation: incarnation(2) }
  t.equal(refusal(restarted, reallocate(restarted, { replicas: [renewed, b, c] })), 'data-loss')
  const behind = reallocate(restarted, { replicas: [b, c, syncing(renewed)] })
  t.equal(refusal(restarted, behind), null, 'but it may start syncing')
  const older = reallocate(restarted, { replicas: [b, c, syncing(a)] })
  t.equal(refusal(restarted, older), 'bad-allocation', 'with its newest start only')
  t.end()
})

test('the last copy that kept its memory is not dropped', t => {
  const two = restart(restart(start, A), B)
  t.equal(refusal(two, reallocate(two, { replicas: [a, b], stale: [C] })), 'data-loss')
  t.equal(refusal(two, reallocate(two, { replicas: [c], stale: [A, B] })), null)
  const all = restart(two, C)
  t.equal(
    refusal(all, reallocate(all, { replicas: [a, b], stale: [C] })),
    'data-loss',
    'while all have restarted, none is dropped: each may be the one to resume from',
  )
  t.end()
})

test('resuming: only when all have restarted, from one of them, in a new generation', t => {
  const resume = (before: Configuration, fields: object = {}): Change =>
    reallocate(before, {
      replicas: [{ ...replica(before, A), state: 'in-sync' }, replica(before, B)],
      stale: [C],
      generation: generation(1),
      ...fields,
    })
  const two = restart(restart(start, A), B)
  t.equal(refusal(two, resume(two)), 'data-loss', 'C may hold the newest writes')
  const all = restart(two, C)
  const resumed = must(all, resume(all))
  t.equal(shardOf(resumed).generation, 1)
  t.equal(shardOf(resumed).epoch, resumed.epoch)
  t.equal(refusal(all, resume(all, { generation: generation(0) })), 'data-loss', 'no generation')
  const newest = (id: Replica['server']): Replica => ({ ...replica(all, id), state: 'in-sync' })
  t.equal(
    refusal(all, resume(all, { replicas: [newest(A), newest(B)] })),
    'data-loss',
    'two would differ',
  )
  t.equal(
    refusal(all, resume(all, { replicas: [a, replica(all, B)] })),
    'data-loss',
    'with the newest start',
  )
  const four = must(all, { kind: 'server-registered', server: server(4) })
  const stranger: Replica = { ...replica(four, server(4).id), state: 'in-sync' }
  t.equal(
    refusal(four, resume(four, { replicas: [stranger], stale: [A, B, C] })),
    'data-loss',
    'from one that was in-sync',
  )
  t.end()
})

const caughtUp = (...replicas: readonly CaughtUpReplica[]): Change => ({
  kind: 'replicas-caught-up',
  replicas,
})
const claim = (before: Configuration, id: Replica['server']): CaughtUpReplica => ({
  volume: VOLUME,
  shard: shardIndex(0),
  server: id,
  expected: shardOf(before).epoch,
})

test('replicas that caught up stand behind the other in-sync ones', t => {
  const before = must(start, reallocate(start, { replicas: [c, syncing(a), syncing(b)] }))
  const one = must(before, caughtUp(claim(before, B)))
  t.deepEqual(shardOf(one).replicas, [c, b, syncing(a)])
  t.equal(shardOf(one).epoch, one.epoch)
  const both = must(before, caughtUp(claim(before, B), claim(before, A)))
  t.deepEqual(shardOf(both).replicas, [c, b, a])
  t.end()
})

test('catching up counts in its epoch, for a syncing replica of the newest start', t => {
  const before = must(start, reallocate(start, { replicas: [c, syncing(a)], stale: [B] }))
  t.equal(refusal(before, caughtUp()), 'no-change')
  t.equal(refusal(before, caughtUp({ ...claim(before, A), expected: epoch(1) })), 'outdated')
  t.equal(refusal(before, caughtUp(claim(before, B))), 'not-syncing', 'stale')
  t.equal(refusal(before, caughtUp(claim(before, C))), 'not-syncing', 'in-sync already')
  t.equal(
    refusal(before, caughtUp(claim(before, A), claim(before, A))),
    'not-syncing',
    'twice in one change',
  )
  const restarted = restart(before, A)
  t.equal(refusal(restarted, caughtUp(claim(restarted, A))), 'not-syncing', 'restarted since')
  t.end()
})

/** Shard 0 as a move would have it. */
function move(before: Configuration, fields: Parameters<typeof reallocate>[1]): Change {
  return { ...reallocate(before, fields), kind: 'shards-moved' }
}

test('a move adds a copy, and drops one when enough that kept their memory are left', t => {
  const four = must(start, { kind: 'server-registered', server: server(4) })
  const d: Replica = replica(four, server(4).id)
  const added = must(four, move(four, { replicas: [a, b, c, d] }))
  t.deepEqual(shardOf(added).replicas, [a, b, c, d])
  const synced = must(added, {
    kind: 'replicas-caught-up',
    replicas: [{ ...PLACE, server: d.server, expected: shardOf(added).epoch }],
  })
  const inSyncD: Replica = { ...d, state: 'in-sync' }
  const moved = must(synced, move(synced, { replicas: [b, c, inSyncD] }))
  t.deepEqual(shardOf(moved).replicas, [b, c, inSyncD], 'a living primary has left')
  t.deepEqual(shardOf(moved).stale, [], 'and is forgotten')
  t.equal(refusal(added, move(four, { replicas: [a, b] })), 'outdated')
  t.end()
})

test('a move that endangers a shard is refused', t => {
  const four = must(start, { kind: 'server-registered', server: server(4) })
  const d = replica(four, server(4).id)
  const data = (before: Configuration, replicas: readonly Replica[]): string | null =>
    refusal(before, move(before, { replicas }))
  t.equal(data(four, [a]), 'data-loss', 'fewer than writes need')
  t.equal(data(four, [a, b]), 'data-loss', 'fewer than there are, and than are wanted')
  t.equal(data(four, [b, c, a]), null, 'the same ones in another order')
  t.equal(data(four, [a, b, { ...d, state: 'in-sync' }]), 'data-loss', 'a copy that is none yet')
  t.equal(data(start, [a, b, c, d]), 'bad-allocation', 'an unknown server')
  const five = must(four, { kind: 'server-registered', server: server(5) })
  const e = replica(five, server(5).id)
  t.equal(data(five, [a, b, c, d, e]), 'bad-allocation', 'more than one on the way')
  const restarted = restart(restart(four, A), B)
  t.equal(data(restarted, [a, b]), 'data-loss', 'the last one that kept its memory')
  t.equal(data(restarted, [c, a]), null, 'as many as there are')
  const none = restart(restarted, C)
  t.equal(data(none, [a, b, c, d]), 'data-loss', 'who is to be copied, if nobody kept it?')
  const next = generation(1)
  t.equal(refusal(four, move(four, { replicas: [a, b], generation: next })), 'bad-allocation')
  t.end()
})

const suspend = (
  before: Configuration,
  ...servers: readonly (readonly [Replica['server'], SuspensionCause])[]
): Change => ({
  kind: 'replicas-suspended',
  replicas: servers.map(([id, cause]) => ({ ...claim(before, id), cause })),
})

test('a suspended replica is syncing from then on, and another one primary', t => {
  const after = must(start, suspend(start, [A, 'failing']))
  t.deepEqual(shardOf(after).replicas, [b, c, syncing(a)])
  t.equal(shardOf(after).epoch, after.epoch)
  t.equal(shardOf(after).generation, shardOf(start).generation, 'nothing is lost')
  t.equal(shardOf(after, 1), shardOf(start, 1), 'the other shards are untouched')
  const back = must(after, caughtUp(claim(after, A)))
  t.deepEqual(shardOf(back).replicas, [b, c, a], 'it comes back as any other')
  t.end()
})

test('suspending: in its epoch, who is in-sync, and enough stay for writing', t => {
  t.equal(refusal(start, { kind: 'replicas-suspended', replicas: [] }), 'no-change')
  const after = must(start, suspend(start, [A, 'stuck']))
  t.equal(refusal(after, suspend(start, [B, 'stuck'])), 'outdated')
  t.equal(refusal(after, suspend(after, [A, 'stuck'])), 'not-in-sync')
  t.equal(refusal(start, suspend(start, [server(9).id, 'stuck'])), 'not-in-sync')
  t.equal(refusal(after, suspend(after, [B, 'stuck'])), 'data-loss', 'one of two that it needs')
  t.equal(refusal(start, suspend(start, [A, 'stuck'], [B, 'stuck'])), 'data-loss', 'both at once')
  const lost = restart(start, C)
  t.equal(refusal(lost, suspend(lost, [A, 'stuck'])), 'data-loss', 'C has lost its memory')
  t.end()
})
