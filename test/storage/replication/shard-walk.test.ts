// Random walks of the pure replication core through faults; see shard-world.ts. One again, with
// every message: WALK=17 npx tsx test/storage/replication/shard-walk.test.ts; more: WALKS=20000
import test from 'tape'
import { BLOCKS, World, type Operation } from './shard-world.js'

const WALKS = Number(process.env['WALKS'] ?? 400)
const STEPS = 260
/** Of 20 steps each. */
const HEALING_ROUNDS = 400

/** Brute force over one block; what was never answered may or may not have happened. */
function linearizable(history: readonly Operation[], block: number, final: number): boolean {
  const operations = history.filter(o => {
    const touches = o.block <= block && block < o.block + o.blocks
    return touches && !(o.kind === 'read' && o.returned === Infinity)
  })
  const seen = new Set<string>()
  const go = (done: bigint, value: number): boolean => {
    const key = `${done}:${value}`
    if (seen.has(key)) return false
    seen.add(key)
    const open = operations.filter((_, i) => !((done >> BigInt(i)) & 1n))
    if (open.every(o => o.returned === Infinity) && value === final) return true
    const first = Math.min(...open.map(o => o.returned))
    return operations.some((o, i) => {
      if ((done >> BigInt(i)) & 1n || o.called > first) return false
      if (o.kind === 'read' && o.value !== value) return false
      return go(done | (1n << BigInt(i)), o.kind === 'read' ? value : o.value)
    })
  }
  return go(0n, 0)
}

function walk(world: World): string | null {
  for (let i = 0; i < STEPS; i++) world.step(false)
  for (let i = 0; world.unhealed() !== null; i++) {
    if (i > HEALING_ROUNDS) return `did not heal: ${world.unhealed()}`
    for (let k = 0; k < 20; k++) world.step(true)
  }
  for (let block = 0; block < BLOCKS; block++) {
    const values = world.servers.map(server => server.memory[block]?.value ?? -1)
    if (new Set(values).size > 1) return `replicas differ in block ${block}: ${values.join(' ')}`
    if (!linearizable(world.history, block, values[0] ?? -1)) {
      const about = world.history.filter(o => o.block <= block && block < o.block + o.blocks)
      const lines = about.map(o => `${o.client} ${o.kind} ${o.value} [${o.called},${o.returned}]`)
      return `block ${block}, at last ${values[0]}, is not linearizable: ${lines.join(' | ')}`
    }
  }
  return null
}

test('random walks through faults', t => {
  const one = process.env['WALK']
  const lines: string[] = []
  const seeds = one ? [Number(one)] : Array.from({ length: WALKS }, (_, i) => i + 1)
  const failures: string[] = []
  let durable = 0
  for (const seed of seeds) {
    let failure: string | null
    const world = new World({ seed, ...(one ? { trace: line => lines.push(line) } : {}) })
    try {
      failure = walk(world)
    } catch (error) {
      failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
    }
    if (failure !== null) failures.push(`WALK=${seed}: ${failure}`)
    durable += world.durable
    if (failures.length > 2) break
  }
  for (const line of lines) t.comment(line)
  t.deepEqual(failures, [], `${seeds.length} walks are linearizable and heal`)
  t.ok(one || durable > seeds.length / 2, `${durable} writes were made durable at once`)
  t.end()
})
