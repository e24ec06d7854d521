// Random faults from seeds (run/run-seed.ts): those that found something once, then the first 200.
// And that a seed is a whole run: the same again, byte for byte, in any process.
import { readFileSync } from 'node:fs'
import test from 'tape'
import type { Result } from './pool/job.js'
import { runSeeds } from './pool/pool.js'

const SEEDS = 200

function keptSeeds(): number[] {
  const text = readFileSync(new URL('seeds.txt', import.meta.url), 'utf8')
  const lines = text.split('\n').map(line => line.replace(/#.*/, '').trim())
  return lines.filter(line => line !== '').map(Number)
}

async function hashOf(seed: number, before: readonly number[]): Promise<string> {
  let last: Result | null = null
  const seeds = [...before, seed]
  for await (const result of runSeeds({ seeds, workers: 1, trace: 'hash' })) last = result
  return last?.hash ?? ''
}

test('random faults', async t => {
  let operations = 0
  let unproved = 0
  const first = Array.from({ length: SEEDS }, (_, i) => i + 1)
  const seeds = [...keptSeeds(), ...first]
  for await (const result of runSeeds({ seeds })) {
    operations += result.operations
    unproved += result.unproved
    t.deepEqual(result.findings, [], `npm run simulate -- --seeds 1 --seed ${result.seed}`)
  }
  t.ok(operations > SEEDS * 50, `${operations} operations: the workloads went on between faults`)
  t.ok(unproved < SEEDS / 50, `${unproved} histories had too many possible orders`)
})

test('a seed is the same run again, byte for byte', async t => {
  for (const seed of [2, 7]) {
    const hash = await hashOf(seed, [])
    t.equal(hash.length, 64, 'a trace was made')
    t.equal(await hashOf(seed, [1]), hash, `seed ${seed}, alone and after another`)
  }
})
