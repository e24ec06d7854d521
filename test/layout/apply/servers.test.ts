// Servers go down, come back and are removed; their copies go with them only where another one
// holds the newest writes.
import test from 'tape'
import { generation, incarnation, type PeerId } from '../../../src/base/brands.js'
import { apply } from '../../../src/layout/apply.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration, Replica } from '../../../src/layout/configuration.js'
import { checkConfiguration } from '../../../src/layout/invariants.js'
import { isRefusal } from '../../../src/layout/outcome.js'
import { planVolume } from '../../../src/layout/placement/planner.js'
import {
  backUp,
  clusterWithVolume,
  downOf,
  must,
  reallocate,
  refusal,
  replica,
  restart,
  server,
  serverId,
  shardOf,
  VOLUME,
} from '../clusters.js'

const start = clusterWithVolume()
const [a, b, c] = shardOf(start).replicas as [Replica, Replica, Replica]
const [A, B, C] = [a.server, b.server, c.server]
const syncing = (r: Replica): Replica => ({ ...r, state: 'syncing' })
const stateOf = (configuration: Configuration, id: PeerId): string | undefined =>
  configuration.servers.get(id)?.state
const removed = (id: PeerId): Change => ({ kind: 'server-removed', server: id })

test('a server that is down becomes stale, and the next in-sync one is the primary', t => {
  const after = must(start, downOf(start, A, B, C))
  t.equal(stateOf(after, A), 'down')
  t.equal(after.servers.get(A)?.incarnation, a.incarnation, 'the record is kept')
  t.deepEqual(shardOf(after), {
    epoch: after.epoch,
    generation: 0,
    replicas: [b, c],
    stale: [A],
  })
  const shards = after.volumes.get(VOLUME)!.shards
  t.ok(
    shards.every(shard => shard.stale.includes(A)),
    'in all its shards',
  )
  const both = must(after, downOf(after, B, C))
  t.deepEqual(shardOf(both).replicas, [c])
  t.deepEqual(shardOf(both).stale, [A, B], 'down to the last one, whatever minInSync says')
  t.end()
})

test('a syncing server that is down becomes stale, whoever is live', t => {
  const before = must(start, reallocate(start, { replicas: [a, syncing(b), syncing(c)] }))
  const after = must(before, downOf(before, B))
  t.deepEqual(shardOf(after), {
    epoch: after.epoch,
    generation: 0,
    replicas: [a, syncing(c)],
    stale: [B],
  })
  t.end()
})

test('the last that holds the newest writes stays in-sync while it is down', t => {
  const unchanged = (before: Configuration, live: readonly PeerId[], why: string): void => {
    const after = must(before, downOf(before, A, ...live))
    t.equal(shardOf(after), shardOf(before), why)
    t.equal(stateOf(after, A), 'down')
  }
  unchanged(start, [], 'nobody is live')
  unchanged(start, [A], 'itself does not count')
  unchanged(start, [serverId(99), serverId(99)], 'unknown servers do not count')
  const alone = must(start, reallocate(start, { replicas: [a, syncing(b)], stale: [C] }))
  unchanged(alone, [B, C], 'the others are not in-sync')
  const restarted = restart(restart(start, B), C)
  unchanged(restarted, [B, C], 'the others have restarted')
  const before = must(start, downOf(start, B))
  t.equal(shardOf(before), shardOf(start))
  unchanged(before, [B], 'the other one is down itself')
  t.end()
})

test('where the server has no part, nothing changes', t => {
  const four = must(start, { kind: 'server-registered', server: server(4) })
  const after = must(four, downOf(four, serverId(4), A))
  t.equal(after.volumes, four.volumes)
  const stale = must(start, reallocate(start, { replicas: [a, b], stale: [C] }))
  const still = must(stale, downOf(stale, C, A))
  t.equal(shardOf(still), shardOf(stale), 'stale already')
  t.notEqual(shardOf(still, 1), shardOf(stale, 1))
  t.end()
})

test('a restarted copy is stale when its server is down and another one has the newest', t => {
  const restarted = restart(start, A)
  t.deepEqual(shardOf(must(restarted, downOf(restarted, A, C))).replicas, [b, c])
  t.end()
})

test('who cannot be declared down', t => {
  t.equal(refusal(start, { ...downOf(start, A), server: serverId(77) }), 'no-such-server')
  const restarted = restart(start, A)
  t.equal(refusal(restarted, downOf(start, A, B)), 'outdated', 'it has registered anew')
  const after = must(start, downOf(start, A, B))
  t.equal(refusal(after, downOf(after, A, B)), 'no-change')
  const again = restart(after, A)
  t.equal(refusal(again, downOf(start, A, B)), 'outdated')
  t.equal(refusal(again, downOf(again, A, B)), null, 'but its new start may be')
  t.end()
})

test('registering makes a server that is down up again', t => {
  const after = must(start, downOf(start, A, B, C))
  const back = backUp(after, A)
  t.equal(stateOf(back, A), 'up')
  t.equal(shardOf(back), shardOf(after), 'its copies stay stale until they are planned for')
  t.equal(stateOf(restart(after, A), A), 'up', 'with a newer start, too')
  const older = { ...after.servers.get(A)!, state: 'up' as const, incarnation: incarnation(0) }
  t.equal(refusal(after, { kind: 'server-registered', server: older }), 'old-incarnation')
  t.end()
})

test('a plan to go on without a server is outdated when that has registered again', t => {
  const down = must(start, downOf(start, A))
  t.equal(shardOf(down), shardOf(start), 'it stays in-sync, and nobody else was live')
  const drop = reallocate(down, { replicas: [b, c], stale: [A] })
  t.equal(refusal(down, drop), null)
  const back = backUp(down, A)
  t.equal(refusal(back, drop), 'outdated', 'it may serve again')
  t.deepEqual(shardOf(back), { ...shardOf(start), epoch: back.epoch }, 'in the same place')
  t.equal(refusal(restart(down, A), drop), null, 'another start of it serves nothing')
  t.equal(restart(start, A).volumes, start.volumes, 'nor is anything new if it was not down')
  t.end()
})

test('volumes and reallocations leave out who is down', t => {
  const after = must(start, downOf(start, A, B, C))
  const wish = { name: 'v', size: 2 ** 24, replicas: 3, minInSync: 1 }
  const refused = planVolume(after, wish)
  t.equal(isRefusal(refused) && refused.code, 'too-few-servers')
  const planned = planVolume(after, { ...wish, replicas: 2 })
  t.equal(isRefusal(planned) || refusal(after, planned), null)
  t.notOk(!isRefusal(planned) && planned.placement.flat().includes(A))
  const onA = reallocate(after, { replicas: [b, c, replica(after, A)], stale: [] })
  t.equal(refusal(after, onA), 'outdated', 'it went down after the plan was made')
  const all = restart(restart(restart(start, A), B), C)
  const down = must(all, downOf(all, A))
  const resumed = { ...replica(down, A), state: 'in-sync' as const }
  const resume = { replicas: [resumed], stale: [B, C], generation: generation(1) }
  t.equal(refusal(down, reallocate(down, resume)), 'outdated', 'no resuming from it either')
  t.end()
})

test('a server that is removed leaves all its shards', t => {
  const before = must(start, reallocate(start, { replicas: [b, syncing(a)], stale: [C] }))
  const after = must(before, removed(A))
  t.deepEqual([...after.servers.keys()].includes(A), false)
  t.deepEqual(shardOf(after), { epoch: after.epoch, generation: 0, replicas: [b], stale: [C] })
  const named = after.volumes
    .get(VOLUME)!
    .shards.some(({ replicas, stale }) => stale.includes(A) || replicas.some(r => r.server === A))
  t.notOk(named, 'nothing names it any more')
  t.equal(after.nextVolume, before.nextVolume)
  t.equal(refusal(after, removed(A)), 'no-such-server')
  const stale = must(start, downOf(start, C, A, B))
  t.deepEqual(shardOf(must(stale, removed(C))).stale, [], 'also from the lists of stale copies')
  const again = must(after, { kind: 'server-registered', server: before.servers.get(A)! })
  t.equal(shardOf(again), shardOf(after), 'if it joins again, it has nothing')
  const bare = must(start, { kind: 'server-registered', server: server(4) })
  t.equal(must(bare, removed(serverId(4))).volumes, bare.volumes, 'one that held nothing')
  t.end()
})

test('a server with the last newest copy of something is not removed', t => {
  const reason = (configuration: Configuration, id: PeerId): string => {
    const outcome = apply(configuration, removed(id))
    return outcome.kind === 'refused' && outcome.code === 'data-loss' ? outcome.reason : 'no'
  }
  const one = must(start, reallocate(start, { replicas: [a, syncing(b)], stale: [C] }))
  t.match(
    reason(one, A),
    /^Without storage server "s\d", shard 0 of volume "data" would be left .*\.$/,
  )
  t.equal(refusal(one, removed(B)), null, 'but those that are syncing or stale are')
  t.equal(refusal(one, removed(C)), null)
  const alone = must(must(start, downOf(start, B, A)), downOf(start, C, A))
  t.match(reason(alone, A), /shard 0 of volume "data" \(and 8 more\) would be left/)
  const restarted = restart(restart(start, B), C)
  t.match(reason(restarted, A), /and 8 more/, 'those that restarted may have lost something')
  const all = restart(restarted, A)
  t.match(reason(all, A), /and 8 more/, 'each may be the one to resume from')
  t.equal(refusal(must(start, downOf(start, B, A)), removed(A)), null, 'C has everything')
  t.end()
})

test('what is left behind by a server that goes is found', t => {
  const after = must(start, downOf(start, A, B, C))
  const volume = start.volumes.get(VOLUME)!
  const shards = volume.shards.map(({ replicas, ...shard }) => ({
    ...shard,
    replicas: [...replicas.filter(r => r.server !== A), syncing(a)],
  }))
  const synced = { ...after, volumes: new Map([[VOLUME, { ...volume, shards }]]) }
  t.throws(() => checkConfiguration(synced), /nobody syncs/, 'a syncing copy')
  const gone = must(start, removed(A))
  t.throws(() => checkConfiguration({ ...gone, volumes: start.volumes }, start), /of the cluster/)
  const stale = new Map([[VOLUME, { ...volume, shards: volume.shards.map(dropped) }]])
  t.throws(() => checkConfiguration({ ...gone, volumes: stale }), /stale copies/)
  t.end()
})

function dropped({ replicas, ...shard }: ReturnType<typeof shardOf>): ReturnType<typeof shardOf> {
  return { ...shard, replicas: replicas.filter(r => r.server !== A), stale: [A] }
}

test('as many servers hold a shard after a server is down as before', t => {
  const extra = Array.from({ length: 11 }, (_, i) => server(10 + i))
  const before = extra.reduce(
    (configuration, one) => must(configuration, { kind: 'server-registered', server: one }),
    start,
  )
  const full = must(before, reallocate(before, { stale: extra.map(({ id }) => id) }))
  const ends = [A, B].reduce((now, id) => must(now, downOf(now, id, C)), full)
  t.equal(shardOf(ends).stale.length, 13, 'the limit of 14 holders is kept')
  const more = { replicas: [a, b, c], stale: [...extra.map(({ id }) => id), serverId(30)] }
  const thirty = must(full, { kind: 'server-registered', server: server(30) })
  t.equal(refusal(thirty, reallocate(thirty, more)), 'bad-allocation', '15 holders')
  const eight = extra.slice(0, 5).map(({ id }) => replica(before, id))
  t.equal(
    refusal(before, reallocate(before, { replicas: [a, b, c, ...eight] })),
    'bad-allocation',
    '8 replicas',
  )
  t.end()
})

test('a server that is emptied stays so, down or up, until an operator ends it', t => {
  const state = (to: 'draining' | 'up'): Change => ({ kind: 'server-state', server: A, state: to })
  const draining = must(start, state('draining'))
  t.equal(stateOf(draining, A), 'draining')
  t.equal(draining.volumes, start.volumes, 'nothing is taken from it')
  t.equal(refusal(draining, state('draining')), 'no-change')
  t.equal(refusal(start, state('up')), 'no-change')
  t.equal(refusal(start, { ...state('up'), server: serverId(99) } as Change), 'no-such-server')
  const down = must(draining, downOf(draining, A, B, C))
  t.equal(stateOf(down, A), 'down-draining')
  t.deepEqual(shardOf(down).stale, [A])
  t.equal(refusal(down, downOf(down, A, B, C)), 'no-change', 'it is down already')
  t.equal(stateOf(restart(down, A), A), 'draining', 'it is back, and still to be emptied')
  t.equal(stateOf(must(down, state('up')), A), 'down', 'ended while it is down')
  const later = must(must(start, downOf(start, A, B, C)), state('draining'))
  t.equal(stateOf(later, A), 'down-draining', 'begun while it is down')
  t.end()
})
