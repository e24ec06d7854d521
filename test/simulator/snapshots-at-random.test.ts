// Snapshots under a writer, while servers and managers die: each shows one moment, for good.
import test from 'tape'
import { runSnapshotsAtRandom } from './snapshots-at-random.js'

const SEEDS = 6

test('snapshots that are made, looked at, deleted and rolled back to as chance has it', async t => {
  let [made, cloned] = [0, 0]
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await runSnapshotsAtRandom(seed)
    t.deepEqual(outcome.findings, [], `seed ${seed}`)
    made += outcome.made
    cloned += outcome.cloned
  }
  t.ok(made > 5 * SEEDS, `${made} snapshots made`)
  t.ok(cloned > SEEDS / 2, `${cloned} clones`)
})
