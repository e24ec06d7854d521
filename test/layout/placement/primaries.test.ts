import test from 'tape'
import { choosePrimaries } from '../../../src/layout/placement/primaries.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

function counts(primaries: readonly number[], servers: number): readonly number[] {
  const result = new Array<number>(servers).fill(0)
  for (const server of primaries) result[server]!++
  return result
}

const even = { carry: [0, 0, 0, 0], current: null, slack: () => 0 }

test('primaries are members, and every server leads its part', t => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new SeededRandom(seed)
    const servers = 2 + random.below(8)
    const part = new Array<number>(servers).fill(0)
    const members = Array.from({ length: 5 + random.below(60) }, () => {
      const size = 1 + random.below(Math.min(3, servers))
      const set = new Set<number>()
      while (set.size < size) set.add(random.below(servers))
      for (const server of set) part[server]! += 1 / size
      return [...set]
    })
    const carry = part.map(() => 0)
    const primaries = choosePrimaries({ members, servers, carry, current: null, slack: () => 0 })
    if (!primaries.every((server, i) => members[i]!.includes(server))) t.fail(`seed ${seed}`)
    const led = counts(primaries, servers)
    // Within less than one: the parts themselves are a flow, so whole numbers next to them are.
    const off = led.filter((count, server) => Math.abs(count - part[server]!) > 1 + 1e-9)
    if (off.length > 0) t.fail(`seed ${seed}: ${led.join()} for ${part.join()}`)
  }
  t.end()
})

test('a shard is handed on over several servers', t => {
  // Server 0 leads two too many and server 3 two too few, and they have no shard in common.
  const pairs = [0, 1, 2].flatMap(n => Array.from({ length: 4 }, () => [n, n + 1]))
  const current = pairs.map(([first]) => first!)
  const primaries = choosePrimaries({ ...even, members: pairs, servers: 4, current })
  t.deepEqual(counts(current, 4), [4, 4, 4, 0])
  t.deepEqual(counts(primaries, 4), [2, 4, 4, 2])
  t.end()
})

test('current primaries stay while they are within the slack', t => {
  const members = Array.from({ length: 12 }, () => [0, 1, 2])
  const current = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
  const choice = { members, servers: 3, carry: [0, 0, 0], current }
  t.deepEqual(choosePrimaries({ ...choice, slack: () => 1 }), current)
  const primaries = choosePrimaries({ ...choice, slack: () => 0 })
  t.deepEqual(counts(primaries, 3), [4, 4, 4])
  t.equal(primaries.filter((server, i) => server !== current[i]).length, 1, 'one change')
  t.end()
})

test('what was led too much before is made up for', t => {
  const members = Array.from({ length: 6 }, () => [0, 1])
  const primaries = choosePrimaries({ ...even, members, servers: 2, carry: [1, -1] })
  t.deepEqual(counts(primaries, 2), [2, 4])
  t.end()
})
