// A process that runs seeds for the pool, one after the other, with small limits. A failure that
// nobody catches is a finding of the seed under way.
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { runSeed } from '../run/run-seed.js'
import { runSnapshotsAtRandom } from '../snapshots-at-random.js'
import { failure, UNCOUNTED, type Job, type Result } from './job.js'

let current = 0

async function run({ seed, story, trace }: Job): Promise<Result> {
  current = seed
  const hash = createHash('sha256')
  const sink = (line: string): void => {
    hash.update(`${line}\n`)
    if (trace === 'print') writeSync(1, `${line}\n`)
  }
  try {
    if (story === 'snapshots') {
      const { findings } = await runSnapshotsAtRandom(seed)
      return { seed, findings, ...UNCOUNTED, fatal: false, died: false }
    }
    const outcome = await runSeed(seed, trace === 'off' ? null : sink)
    const faults = [...outcome.faults]
    return { seed, ...outcome, faults, hash: hash.digest('hex'), fatal: false, died: false }
  } catch (error) {
    // The clusters of other seeds have nothing to do with this one.
    return { ...failure(seed, error), fatal: false }
  }
}

process.on('message', (job: Job) => {
  void run(job).then(result => process.send?.(result))
})
process.on('disconnect', () => process.exit(0))
process.on('uncaughtException', error => {
  process.send?.(failure(current, error))
})
