// A volume grows under its writer, while servers and managers die and copies move. Many more seeds:
// npm run simulate -- --story growing --seeds 2000
import test from 'tape'
import { runGrowing } from './growing/story.js'

const SEEDS = 8

test('a volume that grows again and again, as chance has it', async t => {
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await runGrowing(seed)
    t.deepEqual(outcome.findings, [], `seed ${seed}: ${outcome.compared} blocks compared`)
    for (const [what, times] of outcome.counts) counts.set(what, (counts.get(what) ?? 0) + times)
  }
  for (const [what, perSeed] of Object.entries({
    resize: 5,
    write: 20,
    snapshot: 1,
    drain: 1 / 4,
  })) {
    t.ok((counts.get(what) ?? 0) >= perSeed * SEEDS, `${what}: ${counts.get(what) ?? 0} times`)
  }
})
