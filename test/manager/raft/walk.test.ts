// Random walks of the Raft core. More: `WALKS=20000 npx tsx test/manager/raft/walk.test.ts`, from
// another seed on with FIRST; one of them with all that happens in it: `SEED=17 TRACE=1 npx tsx …`.
import test from 'tape'
import { RaftWalk, type WalkResult } from './raft-walk.js'

const WALKS = Number(process.env['WALKS'] ?? 200)
const FIRST = Number(process.env['FIRST'] ?? 1)
const SEED = process.env['SEED']
const trace = process.env['TRACE']
  ? (line: string) => process.stdout.write(`# ${line}\n`)
  : undefined
const FAILURES_MAX = 5

function walk(seed: number): WalkResult | string {
  try {
    return new RaftWalk(seed, trace).run()
  } catch (error) {
    return `seed ${seed}: ${error instanceof Error ? error.message : String(error)}`
  }
}

test('random walks keep what Raft promises, and agree when they are left in peace', t => {
  const seeds = SEED ? [Number(SEED)] : Array.from({ length: WALKS }, (_, i) => FIRST + i)
  const failures: string[] = []
  const sum = { steps: 0, elections: 0, commits: 0, committed: 0 }
  for (const seed of seeds) {
    const result = walk(seed)
    if (typeof result === 'string') failures.push(result)
    else {
      sum.steps += result.steps
      sum.elections += result.elections
      sum.commits += result.commits
      sum.committed += result.committed
    }
    if (failures.length >= FAILURES_MAX) break
  }
  t.comment(`${seeds.length} walks: ${JSON.stringify(sum)}`)
  t.deepEqual(failures, [], 'no walk fails; see the top of this file for how to repeat one')
  t.ok(sum.elections >= seeds.length, 'leaders were elected')
  t.ok(sum.commits >= seeds.length, 'entries were committed')
  t.end()
})
