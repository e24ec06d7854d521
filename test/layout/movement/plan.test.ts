// What moves next, case by case: servers that are emptied, that stay away, that come back, that are
// new.
import test from 'tape'
import { shardIndex, volumeId, type PeerId } from '../../../src/base/brands.js'
import { MOVES_AT_ONCE, MOVES_PER_TARGET } from '../../../src/base/limits.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration, ShardAllocation } from '../../../src/layout/configuration.js'
import { farBehind, heldBy, newcomers, stillNew } from '../../../src/layout/movement/newcomers.js'
import { planMoves, type ShardsMoved } from '../../../src/layout/movement/plan.js'
import { loadsOf } from '../../../src/layout/placement/load-ledger.js'
import { planReturn, planVolume } from '../../../src/layout/placement/planner.js'
import { isRefusal } from '../../../src/layout/outcome.js'
import type { Connected } from '../../../src/layout/replicas.js'
import {
  backUp,
  cluster,
  clusterWithVolume,
  downOf,
  GiB,
  must,
  server,
  serverId,
  shardOf,
  VOLUME,
  withSnapshot,
} from '../clusters.js'

const [A, B, C, D, E] = [1, 2, 3, 4, 5].map(serverId) as [PeerId, PeerId, PeerId, PeerId, PeerId]
const NOBODY: ReadonlySet<PeerId> = new Set()
const start = clusterWithVolume()
const four = must(start, { kind: 'server-registered', server: server(4) })

interface Around {
  readonly gone?: readonly PeerId[]
  readonly joining?: readonly PeerId[]
  readonly away?: readonly PeerId[]
  readonly avoid?: readonly PeerId[]
}

function everybody(configuration: Configuration, away: readonly PeerId[] = []): Connected {
  const up = [...configuration.servers.values()].filter(({ id }) => !away.includes(id))
  return new Map(up.map(({ id, incarnation }) => [id, incarnation]))
}

function plan(configuration: Configuration, around: Around = {}): ReturnType<typeof planMoves> {
  const view = {
    configuration,
    connected: everybody(configuration, around.away),
    gone: new Set(around.gone ?? []),
    joining: new Set(around.joining ?? []),
  }
  return planMoves(view, new Set(around.avoid ?? []))
}

/** The servers of shard 0; those that catch up have a ~. */
function holders(configuration: Configuration, shard = 0): string {
  const { replicas, stale } = shardOf(configuration, shard)
  const name = (id: PeerId): string => configuration.servers.get(id)!.name
  const all = replicas.map(({ server: id, state }) => name(id) + (state === 'syncing' ? '~' : ''))
  return [...all, ...stale.map(id => `(${name(id)})`)].sort().join(' ')
}

function state(of: PeerId, to: 'draining' | 'up'): Change {
  return { kind: 'server-state', server: of, state: to }
}

function catchUp(configuration: Configuration, only?: PeerId): Configuration {
  const replicas = [...configuration.volumes].flatMap(([volume, { shards }]) =>
    shards.flatMap(({ epoch: expected, replicas: all }, i) =>
      all
        .filter(({ server: id, state: is }) => is === 'syncing' && id === (only ?? id))
        .slice(0, 1)
        .map(({ server: id }) => ({ volume, shard: shardIndex(i), server: id, expected })),
    ),
  )
  return replicas.length === 0
    ? configuration
    : must(configuration, { kind: 'replicas-caught-up', replicas })
}

/** Every plan is applied and every copy made, until nothing is left to do. */
function finish(configuration: Configuration, around: Around = {}): Configuration {
  let now = configuration
  for (let round = 0; round < 500; round++) {
    const before = now
    const { drop } = plan(now, around)
    if (drop) now = must(now, drop)
    const { copy } = plan(now, around)
    if (copy) now = must(now, copy)
    now = catchUp(now)
    if (now === before) return now
  }
  throw new Error('no end')
}

function added(configuration: Configuration, change: ShardsMoved | null): readonly PeerId[] {
  return (change?.shards ?? []).flatMap(({ shard, replicas }) => {
    const old = shardOf(configuration, shard).replicas.map(({ server: id }) => id)
    return replicas.map(({ server: id }) => id).filter(id => !old.includes(id))
  })
}

test('nothing moves while everything is where it belongs', t => {
  for (const configuration of [start, four, cluster(3)]) {
    t.deepEqual(plan(configuration), { drop: null, copy: null, balanced: true })
  }
  t.end()
})

test('a server that is emptied: its copies are made elsewhere first, then dropped', t => {
  const draining = must(four, state(A, 'draining'))
  const { drop, copy } = plan(draining)
  t.equal(drop, null, 'nothing goes before there is a copy')
  t.equal(copy?.reason, 'storage server s1 is being emptied')
  t.deepEqual(added(draining, copy), Array(MOVES_PER_TARGET).fill(D), 'few at a time')
  const moving = must(draining, copy!)
  t.equal(holders(moving), 's1 s2 s3 s4~')
  t.deepEqual(plan(moving), { drop: null, copy: null, balanced: false }, 'until they are made')
  const made = catchUp(moving)
  const next = plan(made)
  t.equal(next.drop?.shards.length, 2)
  t.equal(next.drop?.reason, 'copies that are no longer needed are given up')
  t.ok(next.copy, 'and others begin')
  const dropped = must(made, next.drop!)
  t.equal(holders(dropped), 's2 s3 s4')
  t.equal(shardOf(dropped).replicas[0]!.state, 'in-sync')
  const empty = finish(draining)
  t.equal(loadsOf(empty).get(A)?.replicas, 0, 'it is empty')
  t.equal(must(empty, { kind: 'server-removed', server: A }).servers.size, 3)
  t.end()
})

test('copies of a clone go to where copies of its origin went', t => {
  const large = [4, 5, 6, 7].reduce(
    (now, i) => must(now, { kind: 'server-registered', server: server(i) }),
    start,
  )
  const snapped = withSnapshot(large, VOLUME, 's')
  const change: Change = { kind: 'volume-cloned', volume: VOLUME, snapshot: 's', name: 'c' }
  const cloned = must(snapped, change)
  const clone = volumeId(VOLUME + 1)
  const apart = (configuration: Configuration): number => {
    const [origin, other] = [VOLUME, clone].map(id => configuration.volumes.get(id)!.shards)
    const serversOf = ({ replicas }: ShardAllocation): string =>
      replicas
        .map(replica => replica.server)
        .sort()
        .join()
    return origin!.filter((shard, i) => serversOf(shard) !== serversOf(other![i]!)).length
  }
  t.equal(apart(cloned), 0, 'as it is made')
  const empty = finish(must(cloned, state(A, 'draining')))
  t.equal(loadsOf(empty).get(A)?.replicas, 0, 'a server is emptied')
  // The last ones of both begin at the same time.
  t.ok(apart(empty) <= MOVES_AT_ONCE, `${apart(empty)} shards are apart`)
  const flat = must(cloned, { kind: 'volume-flattened', volume: clone })
  t.ok(apart(finish(must(flat, state(A, 'draining')))) > MOVES_AT_ONCE, 'not if it needs none')
  t.end()
})

test('the primary is handed to those that lead the fewest', t => {
  const empty = finish(must(four, state(A, 'draining')))
  const led = [B, C, D].map(id => loadsOf(empty).get(id)!.primaries)
  t.ok(Math.max(...led) - Math.min(...led) <= 2, led.join(' '))
  t.end()
})

test('a server is emptied where no other one can take its copies: it keeps them', t => {
  const draining = must(start, state(A, 'draining'))
  t.deepEqual(plan(draining), { drop: null, copy: null, balanced: false })
  const two = must(four, state(A, 'draining'))
  t.deepEqual(plan(two, { away: [D] }).copy, null, 'not while the other one is away')
  t.deepEqual(plan(two, { avoid: [D] }).copy, null, 'not where it was refused')
  t.end()
})

test('a server that is emptied no longer keeps what was not dropped yet', t => {
  const draining = must(four, state(A, 'draining'))
  const moving = must(draining, plan(draining).copy!)
  const again = must(moving, state(A, 'up'))
  const { drop, copy } = plan(again)
  t.equal(copy, null)
  t.equal(holders(must(again, drop!)), 's1 s2 s3', 'what was begun is given up')
  t.end()
})

test('a server that stays away is replaced, one that has only gone is waited for', t => {
  const down = must(four, downOf(four, A, B, C, D))
  t.deepEqual(plan(down, { away: [A] }), { drop: null, copy: null, balanced: false })
  const around = { away: [A], gone: [A] }
  const { copy } = plan(down, around)
  t.equal(copy?.reason, 'copies that are missing are made anew')
  const moving = must(down, copy!)
  t.equal(holders(moving), '(s1) s2 s3 s4~')
  const made = catchUp(moving)
  t.equal(holders(made), '(s1) s2 s3 s4')
  t.equal(holders(must(made, plan(made, around).drop!)), 's2 s3 s4', 'it is forgotten')
  const end = finish(down, around)
  t.equal(loadsOf(end).get(D)?.replicas, 9)
  t.equal(shardOf(end, 8).stale.length, 0)
  t.end()
})

test('it comes back meanwhile: whichever is ready first completes the shard', t => {
  const down = must(four, downOf(four, A, B, C, D))
  const moving = must(down, plan(down, { away: [A], gone: [A] }).copy!)
  const up = backUp(moving, A)
  const both = must(up, planReturn(up, everybody(up))!)
  t.equal(holders(both), 's1~ s2 s3 s4~')
  t.equal(holders(both, 8), 's1~ s2 s3', 'others have only itself')
  for (const [first, wanted] of [[A, 's1 s2 s3'] as const, [D, 's2 s3 s4'] as const]) {
    const ready = catchUp(both, first)
    const { drop } = plan(ready)
    t.equal(holders(must(ready, drop!)), wanted, wanted)
  }
  t.end()
})

test('a server that was removed leaves copies to be made anew', t => {
  const gone = must(four, { kind: 'server-removed', server: A })
  const end = finish(gone)
  t.equal(holders(end), 's2 s3 s4')
  t.equal(loadsOf(end).get(D)?.replicas, 9)
  t.end()
})

test('nothing is planned for a shard whose in-sync copies are not all there', t => {
  const draining = must(four, state(A, 'draining'))
  t.equal(plan(draining, { away: [B] }).copy, null)
  t.end()
})

test('no more than a few copies at once, also on servers with much room', t => {
  const six = [5, 6, 7].reduce(
    (now, n) => must(now, { kind: 'server-registered', server: server(n) }),
    four,
  )
  const draining = must(must(six, state(A, 'draining')), state(B, 'draining'))
  const { copy } = plan(draining)
  const targets = added(draining, copy)
  t.equal(targets.length, MOVES_AT_ONCE)
  for (const target of targets) {
    t.ok(targets.filter(other => other === target).length <= MOVES_PER_TARGET)
  }
  t.equal(plan(must(draining, copy!)).copy, null)
  t.end()
})

test('a new server gets its fair share, and the others keep theirs', t => {
  const joining = newcomers(NOBODY, start, four)
  t.deepEqual([...joining], [D])
  t.equal(plan(four, { joining: [D] }).copy?.reason, 'new servers get their share')
  const end = finish(four, { joining: [D] })
  const loads = [A, B, C, D].map(id => loadsOf(end).get(id)!.replicas)
  t.equal(
    loads.reduce((a, b) => a + b),
    27,
  )
  t.ok(Math.min(...loads) >= 6 && Math.max(...loads) <= 8, loads.join(' '))
  t.ok(plan(end, { joining: [D] }).balanced, 'then it is no longer new')
  t.end()
})

test('copies that go at the same time are not all taken from the same server', t => {
  const joining = { joining: [D] }
  const made = catchUp(must(four, plan(four, joining).copy!))
  const { drop } = plan(made, joining)
  const taken = drop!.shards.flatMap(({ shard, replicas }) => {
    const kept = replicas.map(({ server: id }) => id)
    const all = shardOf(made, shard).replicas.map(({ server: id }) => id)
    return all.filter(id => !kept.includes(id))
  })
  t.equal(taken.length, 2)
  t.equal(new Set(taken).size, 2, 'all three hold as many: each gives one')
  t.end()
})

test('a new server waits until everything else is complete', t => {
  const down = must(four, downOf(four, A, B, C, D))
  t.equal(plan(down, { away: [A], joining: [D] }).copy, null)
  t.end()
})

test('copies part when there is a failure domain for each', t => {
  const wish = { name: 'data', size: GiB, replicas: 2, minInSync: 1 }
  let now = [1, 2].reduce(
    (before, n) =>
      must(before, { kind: 'server-registered', server: server(n, { domain: 'rack' }) }),
    cluster(0),
  )
  const volume = planVolume(now, wish)
  if (isRefusal(volume)) throw new Error(volume.reason)
  now = must(must(now, volume), { kind: 'server-registered', server: server(5) })
  t.equal(plan(now).copy?.reason, 'copies are spread over more failure domains')
  const end = finish(now)
  for (const { replicas } of end.volumes.get(VOLUME)!.shards) {
    t.ok(
      replicas.some(({ server: id }) => id === E),
      'one of them is elsewhere',
    )
  }
  t.end()
})

test('a volume of seven replicas can move, too', t => {
  const eight = cluster(8)
  const volume = planVolume(eight, { name: 'data', size: GiB, replicas: 7, minInSync: 4 })
  if (isRefusal(volume)) throw new Error(volume.reason)
  const end = finish(must(must(eight, volume), state(A, 'draining')))
  t.equal(loadsOf(end).get(A)?.replicas, 0)
  t.end()
})

test('a weight that changes gives all servers other shares', t => {
  const even = finish(four, { joining: [D] })
  const record = even.servers.get(A)!
  const heavy = must(even, {
    kind: 'server-registered',
    server: { ...record, weight: 3 * record.weight },
  })
  const joining = [...newcomers(NOBODY, even, heavy)]
  t.deepEqual(joining, [A, B, C, D])
  const end = finish(heavy, { joining })
  const held = (configuration: Configuration, id: PeerId): number =>
    loadsOf(configuration).get(id)?.replicas ?? 0
  t.ok(held(end, A) > held(even, A), `${held(even, A)} before, ${held(end, A)} after`)
  t.equal(held(end, A), end.volumes.get(VOLUME)!.shards.length, 'three times as much has no place')
  const light = must(end, { kind: 'server-registered', server: record })
  const back = finish(light, { joining: [...newcomers(NOBODY, end, light)] })
  t.ok(held(back, A) < held(end, A), 'and less again')
  t.end()
})

test('newcomers: joined, undrained, or replaced while they were away', t => {
  t.equal(newcomers(NOBODY, cluster(2), cluster(3)).size, 0, 'no volumes, nothing to share')
  const draining = must(four, state(A, 'draining'))
  t.equal(newcomers(NOBODY, four, draining).size, 0)
  t.deepEqual([...newcomers(NOBODY, draining, four)], [A], 'it is emptied no longer')
  t.deepEqual(
    [...newcomers(new Set([A, D]), four, draining)],
    [D],
    'one that is emptied is not new',
  )
  const removed = must(four, { kind: 'server-removed', server: D })
  t.equal(newcomers(new Set([D]), four, removed).size, 0)
  const down = must(four, downOf(four, A, B, C, D))
  t.equal(newcomers(NOBODY, four, down).size, 0, 'its copies are still known')
  const around = { away: [A], gone: [A] }
  const made = catchUp(must(down, plan(down, around).copy!))
  const dropped = must(made, plan(made, around).drop!)
  t.deepEqual([...newcomers(NOBODY, made, dropped)], [A], 'its copies were replaced')
  t.deepEqual([...stillNew(new Set([A, B]), dropped)], [A], 'and it waits for its return')
  const record = dropped.servers.get(A)!
  const end = finish(down, around)
  const back = must(end, { kind: 'server-registered', server: { ...record, state: 'up' } })
  t.equal(heldBy(end, A), 0)
  t.deepEqual([...newcomers(NOBODY, end, back)], [A], 'back with nothing')
  t.deepEqual([...farBehind(back)], [A], 'a manager that starts sees it as well')
  t.equal(farBehind(start).size, 0)
  t.end()
})
