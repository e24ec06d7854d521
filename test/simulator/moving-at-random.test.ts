// Chance moves copies, kills, cuts and brings back: nothing is lost or mixed up, and it ends.
import test from 'tape'
import { moveAtRandom } from './moving-at-random.js'

const SEEDS = 6

test('servers that are emptied, join, are removed, die and come back as chance has it', async t => {
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await moveAtRandom(seed)
    t.deepEqual(outcome.findings, [], `seed ${seed}`)
    for (const [act, count] of outcome.counts) counts.set(act, (counts.get(act) ?? 0) + count)
  }
  for (const act of ['drain', 'undrain', 'join', 'death', 'return', 'cut', 'manager']) {
    t.ok((counts.get(act) ?? 0) > 2, `${act}: ${counts.get(act)} times`)
  }
})
