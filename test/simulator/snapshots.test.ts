// Snapshots under a writer, while servers and managers die and copies move: each shows one moment,
// for good. Many more seeds: npm run simulate -- --story snapshots --seeds 2000
import test from 'tape'
import { runSeeds } from './pool/pool.js'
import { runSnapshots } from './snapshots/story.js'

const SEEDS = 12
/** They have found something, with small limits: layers that go while others ask for them. */
const FOUND = [55, 517, 1274]

test('snapshots that are made, looked at, deleted and rolled back to as chance has it', async t => {
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await runSnapshots(seed)
    t.deepEqual(outcome.findings, [], `seed ${seed}: ${outcome.compared} values compared`)
    for (const [what, times] of outcome.counts) counts.set(what, (counts.get(what) ?? 0) + times)
  }
  const enough = { snapshot: 5, delete: 2, clone: 1, rollback: 1, drain: 1 / 4, 'wire cut': 1 / 2 }
  for (const [what, perSeed] of Object.entries(enough)) {
    t.ok((counts.get(what) ?? 0) >= perSeed * SEEDS, `${what}: ${counts.get(what) ?? 0} times`)
  }
})

test('seeds of snapshots that have found something once', async t => {
  for await (const { seed, findings } of runSeeds({ seeds: FOUND, story: 'snapshots' })) {
    const again = `npm run simulate -- --story snapshots --seeds 1 --seed ${seed}`
    t.deepEqual(findings, [], again)
  }
})
