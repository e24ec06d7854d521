// Who has to stop serving before a change takes effect, and who is asked for a vote.
import test from 'tape'
import { generation, shardIndex, type PeerId } from '../../src/base/brands.js'
import type { Configuration, Replica } from '../../src/layout/configuration.js'
import { shardsTaken, touchedServers } from '../../src/layout/effects-of-change.js'
import {
  backUp,
  cluster,
  clusterWithVolume,
  downOf,
  must,
  reallocate,
  replica,
  restart,
  server,
  serverId,
  shardOf,
  VOLUME,
} from './clusters.js'

const start = clusterWithVolume()
const [a, b, c] = shardOf(start).replicas as [Replica, Replica, Replica]
const [A, B, C] = [a.server, b.server, c.server]
const syncing = (r: Replica): Replica => ({ ...r, state: 'syncing' })
const names = new Map<PeerId, string>([
  [A, 'A'],
  [B, 'B'],
  [C, 'C'],
  [serverId(4), 'D'],
])

/** As "A: 0 3", the shards that are taken from a server; all of volume 1. */
function taken(before: Configuration, after: Configuration): readonly string[] {
  return [...shardsTaken(before, after)]
    .map(([id, places]) => {
      if (places.some(({ volume }) => volume !== VOLUME)) return 'of another volume'
      return `${names.get(id)!}: ${places.map(({ shard }) => shard).join(' ')}`
    })
    .sort()
}

function touched(before: Configuration, after: Configuration): string {
  return touchedServers(before, after)
    .map(id => names.get(id) ?? id)
    .sort()
    .join('')
}

function changed(
  before: Configuration,
  replicas: readonly Replica[],
  stale: readonly PeerId[],
): Configuration {
  return must(before, reallocate(before, { replicas, stale }))
}

test('a server from which a copy or the primary is taken has to stop', t => {
  const cases: readonly (readonly [readonly Replica[], readonly PeerId[], string])[] = [
    [[a, b], [C], 'C: 0'],
    [[a, b, syncing(c)], [], 'C: 0'],
    [[b, a, c], [], 'A: 0'],
    [[b, c], [A], 'A: 0'],
    [[a, c, b], [], ''],
    [[c], [A, B], 'A: 0,B: 0'],
  ]
  for (const [replicas, stale, expected] of cases) {
    t.equal(taken(start, changed(start, replicas, stale)).join(), expected, expected)
  }
  t.end()
})

test('what a server does not serve is not taken from it', t => {
  const two = changed(start, [a, b, syncing(c)], [])
  t.deepEqual(taken(two, changed(two, [a, b], [C])), [], 'a syncing copy')
  t.deepEqual(taken(two, start), [], 'becoming in-sync')
  const restarted = restart(start, A)
  const behind = changed(restarted, [b, c, replica(restarted, A)], [])
  t.deepEqual(taken(restarted, behind), [], 'its former start is over')
  const all = [A, B, C].reduce(restart, start)
  const resumed = must(
    all,
    reallocate(all, {
      replicas: [{ ...replica(all, B), state: 'in-sync' }],
      stale: [A, C],
      generation: generation(1),
    }),
  )
  t.deepEqual(taken(all, resumed), [], 'all former starts are over')
  const deleted = must(start, { kind: 'volume-deleted', volume: VOLUME })
  t.deepEqual(taken(start, deleted), [], 'nobody serves a deleted volume instead')
  t.deepEqual(taken(start, backUp(must(start, downOf(start, A)), A)), [])
  t.end()
})

test('a server that goes is taken everything it has in-sync', t => {
  const down = must(start, downOf(start, A, B, C))
  t.deepEqual(taken(start, down), ['A: 0 1 2 3 4 5 6 7 8'])
  t.deepEqual(shardsTaken(start, down).get(A)?.[3], { volume: VOLUME, shard: shardIndex(3) })
  const gone = must(start, { kind: 'server-removed', server: B })
  t.deepEqual(taken(start, gone), ['B: 0 1 2 3 4 5 6 7 8'])
  t.end()
})

test('touched are all that hold a copy of what differs, before or after', t => {
  const four = must(start, { kind: 'server-registered', server: server(4) })
  t.equal(touched(start, four), '', 'joining touches nobody')
  const other = replica(four, serverId(4))
  t.equal(touched(four, changed(four, [a, b, c, other], [])), 'ABCD', 'a new one')
  const moved = changed(four, [a, b, other], [])
  t.equal(touched(four, moved), 'ABCD', 'C leaves')
  t.equal(touched(moved, changed(moved, [a, other], [B])), 'ABD', 'C is in it no more')
  const stale = changed(four, [a, b], [C])
  t.equal(touched(stale, changed(stale, [a], [B, C])), 'ABC', 'stale copies, too')
  t.equal(touched(four, must(four, { kind: 'server-removed', server: serverId(4) })), 'D')
  t.equal(touched(four, must(four, downOf(four, A, B))), 'ABC')
  t.end()
})

test('volumes that are created and deleted touch the servers of their shards', t => {
  const before = cluster(3)
  t.equal(touched(before, start), 'ABC')
  t.equal(touched(start, must(start, { kind: 'volume-deleted', volume: VOLUME })), 'ABC')
  t.end()
})

test('equal allocations are no difference, wherever they came from', t => {
  const copy = structuredClone(start)
  t.equal(touched(start, copy), '')
  t.deepEqual(taken(start, copy), [])
  t.end()
})
