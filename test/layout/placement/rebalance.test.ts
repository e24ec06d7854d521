import test from 'tape'
import type { ServerRecord } from '../../../src/layout/configuration.js'
import {
  rebalance,
  type PlacedShard,
  type Rebalance,
} from '../../../src/layout/placement/rebalance.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { crowded, evenness, loadsOf, placeVolumes, servers } from './placements.js'

function volumesFor(
  count: number,
): readonly { readonly shards: number; readonly replicas: number }[] {
  const shards = count < 100 ? 100 : 1000
  // 100 replicas on each server, on average.
  return Array.from({ length: Math.ceil((count * 100) / (shards * 3)) }, () => ({
    shards,
    replicas: 3,
  }))
}

/** Whether the plan's moves lead from one placement to the other. */
function movesMatch(before: readonly PlacedShard[], plan: Rebalance): boolean {
  const sets = new Map(
    before.map(shard => [`${shard.volume}/${shard.shard}`, new Set(shard.servers)]),
  )
  for (const { volume, shard, from, to } of plan.moves) {
    const set = sets.get(`${volume}/${shard}`)!
    if (!set.delete(from) || set.has(to)) return false
    set.add(to)
  }
  return plan.placement.every(({ volume, shard, servers: ids }) => {
    const set = sets.get(`${volume}/${shard}`)!
    return set.size === ids.length && ids.every(id => set.has(id))
  })
}

function check(
  t: test.Test,
  before: readonly PlacedShard[],
  after: { readonly records: readonly ServerRecord[]; readonly least: number },
): Rebalance {
  const plan = rebalance(after.records, before)
  const even = evenness(after.records, plan.placement)
  t.ok(even.replicas < 0.1, `replicas within 10 %: ${even.replicas.toFixed(3)}`)
  t.ok(even.primaries < 0.1, `primaries within 10 %: ${even.primaries.toFixed(3)}`)
  const moved = plan.moves.length
  t.ok(moved <= after.least * 1.3, `${moved} moved, at least ${after.least.toFixed(1)} must`)
  t.deepEqual(crowded(after.records, plan.placement), [], 'domains are kept apart')
  t.ok(movesMatch(before, plan), 'the moves lead there')
  t.deepEqual(plan.stuck, [])
  return plan
}

for (const count of [4, 10, 1000]) {
  const varied = (n: number): number => (count < 10 ? 1000 : 1000 + ((n * 7919) % 500))
  const all = servers(count + 1, n => ({ weight: varied(n) }))
  const members = all.slice(0, count)
  const before = placeVolumes(members, volumesFor(count))

  test(`${count} servers: one joins`, t => {
    const weight = all.reduce((sum, record) => sum + record.weight, 0)
    const least = (before.length * 3 * all.at(-1)!.weight) / weight
    check(t, before, { records: all, least })
    t.end()
  })

  test(`${count} servers: one leaves`, t => {
    const leaver = members[1]!
    const least = loadsOf(before).get(leaver.id)!.replicas
    const records = members.filter(record => record !== leaver)
    const plan = check(t, before, { records, least })
    t.notOk(loadsOf(plan.placement).has(leaver.id), 'nothing is left on it')
    t.end()
  })
}

test('3 servers: one joins', t => {
  const before = placeVolumes(servers(3), volumesFor(3))
  check(t, before, { records: servers(4), least: (before.length * 3) / 4 })
  t.end()
})

test('a server drains', t => {
  const all = servers(6)
  const before = placeVolumes(all, volumesFor(6))
  const records = all.map((record, i): ServerRecord =>
    i === 3 ? { ...record, state: 'draining' } : record,
  )
  check(t, before, { records, least: loadsOf(before).get(all[3]!.id)!.replicas })
  t.end()
})

test('a weight is lowered', t => {
  const all = servers(8)
  const before = placeVolumes(all, volumesFor(8))
  const records = all.map((record, i) => (i === 0 ? { ...record, weight: 50 } : record))
  const now = loadsOf(before).get(all[0]!.id)!.replicas
  const least = now - (before.length * 3 * 50) / 750
  check(t, before, { records, least })
  t.end()
})

test('what is even stays as it is', t => {
  for (const count of [3, 7, 20]) {
    const all = servers(count)
    const before = placeVolumes(all, volumesFor(count))
    const plan = rebalance(all, before)
    t.deepEqual(plan.moves, [])
    t.deepEqual(plan.placement, before, 'primaries as well')
  }
  t.deepEqual(rebalance([], []), { placement: [], moves: [], stuck: [] })
  t.end()
})

test('servers join and leave one after the other', t => {
  const random = new SeededRandom(7)
  const all = servers(30)
  let records = all.slice(0, 10)
  let placed = placeVolumes(records, volumesFor(10))
  for (let step = 0; step < 40; step++) {
    const outside = all.filter(record => !records.includes(record))
    const join = records.length < 6 || (records.length < 14 && random.chance(0.5))
    const one = random.pick(join ? outside : records)
    records = join ? [...records, one] : records.filter(record => record !== one)
    const least = join
      ? (placed.length * 3) / records.length
      : loadsOf(placed).get(one.id)!.replicas
    const plan = rebalance(records, placed)
    placed = plan.placement
    const even = evenness(records, placed)
    if (even.replicas > 0.1 || even.primaries > 0.1) t.fail(`step ${step}: ${JSON.stringify(even)}`)
    if (plan.moves.length > least * 1.3) t.fail(`step ${step}: ${plan.moves.length} of ${least}`)
    if (crowded(records, placed).length > 0) t.fail(`step ${step}: domains`)
  }
  t.end()
})

test('replicas that share a domain part when a second domain comes', t => {
  const two = servers(4, n => ({ domain: n <= 2 ? 'a' : 'b' }))
  const before = placeVolumes(two.slice(0, 2), [{ shards: 50, replicas: 2 }])
  const plan = rebalance(two, before)
  t.deepEqual(crowded(two, plan.placement), [])
  t.equal(plan.moves.length, 50, 'one of each shard')
  t.end()
})

test('too few servers: what cannot move is said', t => {
  const three = servers(3)
  const before = placeVolumes(three, [{ shards: 9, replicas: 3 }])
  const plan = rebalance(three.slice(0, 2), before)
  t.equal(plan.stuck.length, 9)
  t.ok(plan.stuck.every(({ server }) => server === three[2]!.id))
  t.deepEqual(plan.moves, [])
  const primaries = plan.placement.filter(shard => shard.servers[0] === three[2]!.id)
  t.deepEqual(primaries, [], 'who stays leads')
  t.equal(rebalance([], before).stuck.length, 27)
  t.end()
})
