import test from 'tape'
import { incarnation, shardIndex, type PeerId } from '../../src/base/brands.js'
import { explainUnavailable } from '../../src/layout/condition.js'
import type { Configuration, Replica } from '../../src/layout/configuration.js'
import { isRefusal } from '../../src/layout/outcome.js'
import { planReturn, planVolume } from '../../src/layout/planner.js'
import type { Connected } from '../../src/layout/replicas.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import {
  cluster,
  clusterWithVolume,
  GiB,
  must,
  reallocate,
  restart,
  server,
  serverId,
  shardOf,
} from './clusters.js'

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
  const moved = must(four, reallocate(four, { replicas: [a, b, other], stale: [C] }))
  t.equal(planReturn(moved, connected(moved)), null)
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

// Servers restart, come and go at random while the manager plans and replicas catch up. A write is
// acknowledged whenever every in-sync server of shard 0 is there with its memory; as long as one
// server that had the newest write in memory never restarts, nothing may be given up.
test('at random: who resumes or stays in-sync holds what was acknowledged', t => {
  let [resumes, caughtUps] = [0, 0]
  for (let seed = 1; seed <= 150; seed++) {
    const random = new SeededRandom(seed)
    let configuration = clusterWithVolume()
    let written = 0
    let generation = 0
    const memory = new Map<PeerId, number>([A, B, C].map(id => [id, 0]))
    const away = new Set<PeerId>()
    for (let step = 0; step < 60; step++) {
      const id = random.pick([A, B, C])
      const who = connected(configuration, ...away)
      if (random.chance(0.2)) {
        away.delete(id)
        memory.set(id, -1) // what it had not flushed is gone
        configuration = restart(configuration, id)
      } else if (random.chance(0.3)) {
        if (!away.delete(id)) away.add(id)
      } else if (random.chance(0.5)) {
        const plan = planReturn(configuration, who)
        if (plan !== null) configuration = must(configuration, plan)
      } else {
        const { epoch, replicas } = shardOf(configuration)
        const inSync = replicas.filter(replica => replica.state === 'in-sync')
        const serves = (r: Replica): boolean => who.get(r.server) === r.incarnation
        if (!inSync.every(serves)) continue
        written++
        for (const { server: holder } of inSync) memory.set(holder, written)
        const behind = replicas.find(r => r.state === 'syncing' && serves(r))
        if (behind !== undefined) {
          memory.set(behind.server, written)
          caughtUps++
          const caught = { volume: start.volumes.keys().next().value!, shard: shardIndex(0) }
          configuration = must(configuration, {
            kind: 'replicas-caught-up',
            replicas: [{ ...caught, server: behind.server, expected: epoch }],
          })
        }
      }
      const shard = shardOf(configuration)
      if (shard.generation > generation) {
        if ([...memory.values()].includes(written)) t.fail(`seed ${seed}: given up at ${step}`)
        generation = shard.generation
        resumes++
        for (const [holder, value] of memory) if (value >= 0) memory.set(holder, -2)
        memory.set(shard.replicas[0]!.server, written)
      }
      for (const r of shard.replicas) {
        const valid = configuration.servers.get(r.server)!.incarnation === r.incarnation
        if (r.state === 'in-sync' && valid && memory.get(r.server) !== written) {
          t.fail(`seed ${seed}: in-sync without the newest write at step ${step}`)
        }
      }
    }
  }
  t.ok(resumes > 20 && caughtUps > 200, `${resumes} resumes, ${caughtUps} caught up`)
  t.end()
})
