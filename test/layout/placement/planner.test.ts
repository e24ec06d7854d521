import test from 'tape'
import { incarnation, shardIndex, type PeerId } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import { explainUnavailable } from '../../../src/layout/condition.js'
import type { Configuration, Replica } from '../../../src/layout/configuration.js'
import { isRefusal } from '../../../src/layout/outcome.js'
import { planReturn, planVolume } from '../../../src/layout/placement/planner.js'
import type { Connected } from '../../../src/layout/replicas.js'
import {
  backUp,
  cluster,
  clusterWithVolume,
  downOf,
  GiB,
  must,
  reallocate,
  restart,
  server,
  serverId,
  shardOf,
  VOLUME,
} from '../clusters.js'

const start = clusterWithVolume()
const [A, B, C] = shardOf(start).replicas.map(replica => replica.server) as [PeerId, PeerId, PeerId]

function connected(configuration: Configuration, ...except: readonly PeerId[]): Connected {
  const here = [...configuration.servers.values()].filter(({ id }) => !except.includes(id))
  return new Map(here.map(record => [record.id, record.incarnation]))
}

function states(configuration: Configuration): readonly string[] {
  const { replicas, stale } = shardOf(configuration)
  const name = (id: PeerId): string => 'ABC'[[A, B, C].indexOf(id)] ?? '?'
  const one = (r: Replica): string => `${name(r.server)}${r.incarnation} ${r.state}`
  return [...replicas.map(one), ...stale.map(id => `${name(id)} stale`)]
}

/** Applies what is planned; the plan must settle at once. */
function returned(configuration: Configuration, who: Connected): Configuration {
  const plan = planReturn(configuration, who)
  if (plan === null) return configuration
  const after = must(configuration, plan)
  if (planReturn(after, who) !== null) throw new Error('a second plan follows from the first')
  return after
}

test('a new volume is planned for the servers that are up', t => {
  const before = must(cluster(4), {
    kind: 'server-registered',
    server: server(5, { state: 'draining' }),
  })
  const change = planVolume(before, { name: 'v', size: GiB, replicas: 2, minInSync: 1 })
  if (isRefusal(change)) return t.end(change.reason)
  t.equal(change.placement.length, 12)
  t.notOk(change.placement.flat().includes(serverId(5)))
  t.equal(must(before, change).volumes.size, 1)
  t.end()
})

test('a wish that cannot be is refused before it is planned', t => {
  const before = cluster(3)
  const wish = { name: 'v', size: GiB, replicas: 3, minInSync: 2 }
  const code = (fields: object): string => {
    const change = planVolume(before, { ...wish, ...fields })
    return isRefusal(change) ? change.code : 'planned'
  }
  t.equal(code({}), 'planned')
  t.equal(code({ size: NaN }), 'bad-size')
  t.equal(code({ size: 2 ** 60 }), 'bad-size')
  t.equal(code({ replicas: 5 }), 'too-few-servers')
  t.equal(code({ name: '' }), 'bad-name')
  t.equal(code({ minInSync: 9 }), 'bad-min-in-sync')
  t.end()
})

test('nothing follows while nobody restarted', t => {
  t.equal(planReturn(start, connected(start)), null)
  t.equal(planReturn(start, connected(start, A)), null, 'being away is not restarting')
  t.equal(planReturn(start, new Map()), null)
  t.end()
})

test('one restarted: it catches up from those that kept their memory', t => {
  const restarted = restart(start, A)
  const after = returned(restarted, connected(restarted))
  t.deepEqual(states(after), ['B1 in-sync', 'C1 in-sync', 'A2 syncing'])
  t.equal(shardOf(after).generation, 0)
  t.deepEqual(states(returned(restarted, connected(restarted, B))), [
    'B1 in-sync',
    'C1 in-sync',
    'A2 syncing',
  ])
  t.end()
})

test('restarted and away again: stale, and back it catches up', t => {
  const restarted = restart(start, A)
  const away = returned(restarted, connected(restarted, A))
  t.deepEqual(states(away), ['B1 in-sync', 'C1 in-sync', 'A stale'])
  t.deepEqual(states(returned(away, connected(away))), ['B1 in-sync', 'C1 in-sync', 'A2 syncing'])
  t.end()
})

test('a start that is not registered yet does not count', t => {
  const restarted = restart(start, A)
  const early = new Map(connected(restarted)).set(A, incarnation(3))
  t.deepEqual(states(returned(restarted, early)), ['B1 in-sync', 'C1 in-sync', 'A stale'])
  const others = new Map(early).set(B, incarnation(2)).set(C, incarnation(2))
  t.equal(planReturn(restarted, others), null, 'B and C restarted too, but that is not on record')
  t.end()
})

test('all others restarted: the shard waits for the one that may hold the newest writes', t => {
  const two = restart(restart(start, A), B)
  t.equal(planReturn(two, connected(two, C)), null)
  const sentences = explainUnavailable(two, connected(two, C))
  t.deepEqual(sentences, [
    'volume data: 9 shards wait for storage server s' +
      `${two.servers.get(C)!.name.slice(1)}, which may hold the newest writes`,
  ])
  const back = returned(two, connected(two))
  t.deepEqual(states(back), ['C1 in-sync', 'A2 syncing', 'B2 syncing'])
  t.end()
})

test('all restarted: the shard resumes from the first that is connected', t => {
  const all = [A, B, C].reduce(restart, start)
  const after = returned(all, connected(all))
  t.deepEqual(states(after), ['A2 in-sync', 'B2 syncing', 'C2 syncing'])
  t.equal(shardOf(after).generation, 1)
  const without = returned(all, connected(all, A))
  t.deepEqual(states(without), ['B2 in-sync', 'C2 syncing', 'A stale'])
  t.equal(planReturn(all, new Map()), null, 'nobody is there')
  t.match(explainUnavailable(all, new Map())[0]!, /9 shards wait for storage servers s1, s2 or s3/)
  const again = [A, B, C].reduce(restart, after)
  const resumed = returned(again, connected(again))
  t.deepEqual(states(resumed), ['A3 in-sync', 'B3 syncing', 'C3 syncing'], 'from A, the only one')
  t.equal(shardOf(resumed).generation, 2)
  t.end()
})

test('a syncing server that restarted goes on with its new start', t => {
  const restarted = restart(start, A)
  const syncing = returned(restarted, connected(restarted))
  const again = restart(syncing, A)
  t.deepEqual(states(returned(again, connected(again)))[2], 'A3 syncing')
  t.equal(planReturn(again, connected(again, A)), null, 'while it is away, nothing')
  t.end()
})

test('a stale server is not needed while the volume has its replicas elsewhere', t => {
  const four = must(start, { kind: 'server-registered', server: server(4) })
  const [a, b] = shardOf(four).replicas as [Replica, Replica]
  const other: Replica = { ...a, server: serverId(4), state: 'syncing' }
  const moving = must(four, reallocate(four, { replicas: [a, b, other], stale: [C] }))
  const copy = { volume: VOLUME, shard: shardIndex(0), server: other.server }
  const expected = shardOf(moving).epoch
  const moved = must(moving, { kind: 'replicas-caught-up', replicas: [{ ...copy, expected }] })
  t.equal(planReturn(moved, connected(moved)), null)
  const both = ['A1 in-sync', 'B1 in-sync', '?1 syncing', 'C1 syncing']
  t.deepEqual(states(returned(moving, connected(moving))), both, 'but while that is being made')
  const drain: Change = { kind: 'server-state', server: C, state: 'draining' }
  const emptied = must(moving, drain)
  t.equal(planReturn(emptied, connected(emptied)), null, 'if it is not being emptied itself')
  t.end()
})

test('a stale server is wanted in the place of one that is being emptied', t => {
  const four = must(start, { kind: 'server-registered', server: server(4) })
  const [a, b, c] = shardOf(four).replicas as [Replica, Replica, Replica]
  const stale = must(four, reallocate(four, { replicas: [a, b, c], stale: [serverId(4)] }))
  t.equal(planReturn(stale, connected(stale)), null)
  const emptied = must(stale, { kind: 'server-state', server: A, state: 'draining' })
  const all = ['A1 in-sync', 'B1 in-sync', 'C1 in-sync', '?1 syncing']
  t.deepEqual(states(returned(emptied, connected(emptied))), all)
  t.end()
})

test('sentences for what waits', t => {
  t.deepEqual(explainUnavailable(start, connected(start)), [])
  t.match(
    explainUnavailable(start, connected(start, C))[0]!,
    /^volume data: writes to 9 shards wait for storage server s\d to answer, .*; reads go on$/,
  )
  const [a, b, c] = shardOf(start).replicas as [Replica, Replica, Replica]
  const one = must(
    start,
    reallocate(start, { replicas: [a, { ...b, state: 'syncing' }], stale: [c.server] }),
  )
  t.match(
    explainUnavailable(one, connected(one))[0]!,
    /^volume data: writes to 1 shard wait until storage servers s\d or s\d has caught up/,
  )
  const all = [A, B, C].reduce(restart, start)
  t.match(explainUnavailable(all, connected(all))[0]!, /9 shards wait for the managers to resume/)
  t.end()
})

test('down while the shard went on: back, it catches up', t => {
  const down = must(start, downOf(start, A, B, C))
  t.deepEqual(states(down), ['B1 in-sync', 'C1 in-sync', 'A stale'])
  t.equal(planReturn(down, connected(down, A)), null)
  t.equal(planReturn(down, connected(down)), null, 'connected, but not registered yet')
  const back = backUp(down, A)
  const after = returned(back, connected(back))
  t.deepEqual(states(after), ['B1 in-sync', 'C1 in-sync', 'A1 syncing'])
  const early = new Map(connected(back)).set(A, incarnation(2))
  t.equal(planReturn(back, early), null, 'nor when it has started anew since')
  t.end()
})

test('down and in-sync: left behind as soon as another one is there', t => {
  const down = [A, B, C].reduce((now, id) => must(now, downOf(now, id)), start)
  t.deepEqual(states(down), ['A1 in-sync', 'B1 in-sync', 'C1 in-sync'], 'nobody was live')
  t.equal(planReturn(down, new Map()), null)
  t.equal(planReturn(down, connected(down)), null, 'nobody has registered yet')
  const back = backUp(down, B)
  const plan = planReturn(back, connected(back, A, C))
  t.equal(plan?.reason, 'servers that are away are left behind in 9 shards')
  t.deepEqual(states(returned(back, connected(back, A, C))), ['B1 in-sync', 'A stale', 'C stale'])
  const waits = returned(back, connected(back, A))
  t.deepEqual(states(waits), ['B1 in-sync', 'C1 in-sync', 'A stale'], 'C is about to register')
  const newer = new Map(connected(back, A)).set(C, incarnation(2))
  t.deepEqual(states(returned(back, newer)), ['B1 in-sync', 'A stale', 'C stale'], 'C restarted')
  t.end()
})

test('down and restarted: the shard resumes without it, or waits for who kept its memory', t => {
  const down = [A, B, C].reduce((now, id) => must(now, downOf(now, id)), start)
  const one = restart(down, A)
  t.equal(planReturn(one, connected(one, B, C)), null, 'B and C may have the newest writes')
  const all = [B, C].reduce(restart, one)
  const again = must(all, downOf(all, A))
  const after = returned(again, connected(again, A))
  t.deepEqual(states(after), ['B2 in-sync', 'C2 syncing', 'A stale'])
  t.equal(planReturn(again, connected(again, B, C)), null, 'not from A, which is down')
  t.end()
})

test('the reason of a plan says what it is about', t => {
  const restarted = restart(start, A)
  const reason = (configuration: Configuration, who: Connected): string | undefined =>
    planReturn(configuration, who)?.reason
  t.equal(reason(restarted, connected(restarted)), 'storage servers came back and catch up')
  const all = [A, B, C].reduce(restart, start)
  t.equal(reason(all, connected(all)), 'all in-sync copies of 9 shards had restarted: resumed')
  t.end()
})

test('sentences stay true when servers are down', t => {
  const sentences = (configuration: Configuration, ...except: readonly PeerId[]): string =>
    explainUnavailable(configuration, connected(configuration, ...except)).join()
  const [nameA, nameB, nameC] = [A, B, C].map(id => start.servers.get(id)!.name)
  const down = must(start, downOf(start, A, B, C))
  t.equal(sentences(down, A), '', 'degraded')
  const two = must(down, downOf(down, B, C))
  const names = [nameA, nameB].sort().map(name => `${name} (down)`)
  t.equal(
    sentences(two, A, B),
    `volume data: writes to 9 shards wait until storage servers ${names.join(' or ')} ` +
      'has caught up; reads go on',
  )
  const back = backUp(two, A)
  const after = returned(back, connected(back, B))
  const either = [nameA!, `${nameB} (down)`].sort().join(' or ')
  t.match(sentences(after, B), new RegExp(either.replace(/[()]/g, '\\$&')), 'only B is down')
  const all = must(two, downOf(two, C))
  t.equal(
    sentences(all, A, B, C),
    `volume data: 9 shards wait for storage server ${nameC} (down), ` +
      'which may hold the newest writes',
  )
  t.equal(sentences(all, A, B), sentences(all, A, B, C), 'connected, but not registered')
  t.end()
})

test('sentences count what is missing', t => {
  const [a, b, c] = shardOf(start).replicas as [Replica, Replica, Replica]
  const behind = (r: Replica): Replica => ({ ...r, state: 'syncing' })
  const volume = { ...start.volumes.get(VOLUME)!, minInSync: 3 }
  const strict = { ...start, volumes: new Map([[VOLUME, volume]]) }
  const one = must(strict, reallocate(strict, { replicas: [a, behind(b), behind(c)] }))
  const sentence = (configuration: Configuration): string =>
    explainUnavailable(configuration, connected(configuration)).join()
  t.match(sentence(one), /until storage servers s\d and s\d have caught up; reads go on$/)
  const gone = must(one, { kind: 'server-removed', server: C })
  t.match(sentence(gone), /writes to 9 shards wait for more replicas; reads go on/)
  const four = must(one, { kind: 'server-registered', server: server(4) })
  const more = must(four, reallocate(four, { stale: [serverId(4)] }))
  t.match(sentence(more), /until 2 of storage servers s\d, s\d and s4 have caught up; reads go on$/)
  t.end()
})
