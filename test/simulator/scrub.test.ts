// Scrubs under faults: nothing is reported but what was planted. Many more seeds:
// npm run simulate -- --story scrub --seeds 200
import test from 'tape'
import { runSeeds } from './pool/pool.js'

const SEEDS = [1, 2, 3, 4, 5, 6]

test('scrubs while servers die and copies move, then of what has rotted', async t => {
  for await (const { seed, findings } of runSeeds({ seeds: SEEDS, story: 'scrub' })) {
    t.deepEqual(findings, [], `npm run simulate -- --story scrub --seeds 1 --seed ${seed}`)
  }
})
