import test from 'tape'
import { volumeId } from '../../../src/base/brands.js'
import { placeVolume } from '../../../src/layout/placement/place.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { crowded, evenness, loadsOf, placeVolumes, servers } from './placements.js'

const repeat = <T>(count: number, item: T): readonly T[] =>
  Array.from({ length: count }, () => item)

test('3 servers: every server has every shard, and leads a third', t => {
  const records = servers(3)
  const placed = placeVolumes(records, [{ shards: 9, replicas: 3 }])
  for (const load of loadsOf(placed).values()) {
    t.deepEqual(load, { replicas: 9, primaries: 3 })
  }
  const two = placeVolumes(records, repeat(20, { shards: 8, replicas: 2 }))
  const even = evenness(records, two)
  t.ok(even.replicas < 0.02 && even.primaries < 0.05, JSON.stringify(even))
  t.deepEqual(crowded(records, two), [])
  t.end()
})

test('10 servers of equal weight', t => {
  const records = servers(10)
  const placed = placeVolumes(records, repeat(10, { shards: 40, replicas: 3 }))
  const even = evenness(records, placed)
  t.ok(even.replicas < 0.02 && even.primaries < 0.05, JSON.stringify(even))
  t.deepEqual(crowded(records, placed), [])
  t.end()
})

test('10 servers of weights from 1 to 3, volumes of several sizes', t => {
  const records = servers(10, n => ({ weight: 100 + ((n * 37) % 200) }))
  const volumes = [8, 30, 64, 128, 17, 200, 9, 33].flatMap(shards => [
    { shards, replicas: 3 },
    { shards, replicas: 2 },
  ])
  const placed = placeVolumes(records, volumes)
  const even = evenness(records, placed)
  t.ok(even.replicas < 0.05 && even.primaries < 0.05, JSON.stringify(even))
  t.deepEqual(crowded(records, placed), [])
  t.end()
})

test('1,000 servers in 40 racks, weights from 1 to 2, 100 replicas each', t => {
  const records = servers(1000, n => ({
    weight: 1000 + ((n * 7919) % 1000),
    domain: `rack${n % 40}`,
  }))
  const placed = placeVolumes(records, repeat(34, { shards: 1000, replicas: 3 }))
  const even = evenness(records, placed)
  t.ok(even.replicas < 0.1, `replicas within 10 %: ${even.replicas.toFixed(3)}`)
  t.ok(even.primaries < 0.1, `primaries within 10 %: ${even.primaries.toFixed(3)}`)
  t.deepEqual(crowded(records, placed), [], 'no two replicas in one rack')
  const pairs = new Set<string>()
  for (const { servers: ids } of placed.slice(0, 1000)) pairs.add([...ids].sort().join())
  t.ok(pairs.size > 990, 'servers share few shards with any other two')
  t.end()
})

test('a heavy domain gets each shard once, and the others the rest by weight', t => {
  const records = servers(6, n => ({
    domain: n <= 3 ? 'heavy' : `d${n}`,
    weight: n <= 3 ? 500 : 100,
  }))
  const placed = placeVolumes(records, repeat(10, { shards: 60, replicas: 3 }))
  t.deepEqual(crowded(records, placed), [])
  const loads = records.map(record => loadsOf(placed).get(record.id)!.replicas)
  t.deepEqual(loads, [200, 200, 200, 400, 400, 400])
  t.end()
})

test('too few domains: replicas spread over those there are', t => {
  const records = servers(6, n => ({ domain: n <= 2 ? 'left' : 'right' }))
  const placed = placeVolumes(records, [{ shards: 24, replicas: 3 }])
  const left = new Set(records.slice(0, 2).map(record => record.id))
  for (const { servers: ids } of placed) {
    const inLeft = ids.filter(id => left.has(id)).length
    if (inLeft < 1 || inLeft > 2) t.fail(`${inLeft} of three in one of two domains`)
    if (new Set(ids).size < 3) t.fail('a server twice')
  }
  const one = placeVolumes(
    servers(3, () => ({ domain: 'only' })),
    [{ shards: 8, replicas: 3 }],
  )
  t.equal(new Set(one[0]?.servers).size, 3, 'one domain takes all')
  t.end()
})

test('the same servers and volume give the same placement, whatever the order of servers', t => {
  const records = servers(12)
  const plan = { volume: volumeId(3), shards: 24, replicas: 3, loads: new Map() }
  t.deepEqual(
    placeVolume({ ...plan, servers: records }),
    placeVolume({ ...plan, servers: [...records].reverse() }),
  )
  const other = placeVolume({ ...plan, volume: volumeId(4), servers: records })
  t.notDeepEqual(placeVolume({ ...plan, servers: records }), other, 'volumes differ')
  t.end()
})

test('servers that are not up get nothing', t => {
  const records = servers(5, n => ({ state: n === 2 ? 'down' : n === 4 ? 'draining' : 'up' }))
  const loads = loadsOf(placeVolumes(records, [{ shards: 15, replicas: 3 }]))
  t.notOk(loads.has(records[1]!.id) || loads.has(records[3]!.id))
  t.end()
})

test('random clusters: every shard has its servers, domains are kept apart', t => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new SeededRandom(seed)
    const count = 1 + random.below(12)
    const domains = 1 + random.below(count)
    const records = servers(count, () => ({
      weight: 1 + random.below(random.pick([1, 3, 1000])),
      domain: `d${random.below(domains)}`,
    }))
    const volumes = Array.from({ length: 3 }, () => ({
      shards: 8 + random.below(30),
      replicas: 1 + random.below(Math.min(count, 7)),
    }))
    const placed = placeVolumes(records, volumes)
    const wrong = placed.filter(
      ({ volume, servers: ids }) => ids.length !== volumes[volume - 1]!.replicas,
    )
    if (wrong.length > 0 || crowded(records, placed).length > 0) t.fail(`seed ${seed}`)
  }
  t.end()
})
