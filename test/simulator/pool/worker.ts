// A process that runs seeds for the pool, one after the other, with small limits. A failure that
// nobody catches is a finding of the seed under way.
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { runGrowing } from '../growing/story.js'
import { runSeed, type Outcome } from '../run/run-seed.js'
import { runScrub } from '../scrub/story.js'
import { runSnapshots } from '../snapshots/story.js'
import type { Sink } from '../trace.js'
import { failure, type Job, type Result } from './job.js'

let current = 0

async function snapshots(seed: number, sink: Sink | null): Promise<Outcome> {
  const { findings, compared, counts, time } = await runSnapshots(seed, sink)
  return { findings, unproved: 0, operations: compared, faults: counts, time }
}

async function growing(seed: number, sink: Sink | null): Promise<Outcome> {
  const { findings, compared, counts, time } = await runGrowing(seed, sink)
  return { findings, unproved: 0, operations: compared, faults: counts, time }
}

async function scrub(seed: number, sink: Sink | null): Promise<Outcome> {
  const { findings, scrubs, counts, time } = await runScrub(seed, sink)
  return { findings, unproved: 0, operations: scrubs, faults: counts, time }
}

const RUNS = { faults: runSeed, snapshots, growing, scrub } as const

async function run({ seed, story, trace }: Job): Promise<Result> {
  current = seed
  const hash = createHash('sha256')
  const sink = (line: string): void => {
    hash.update(`${line}\n`)
    if (trace === 'print') writeSync(1, `${line}\n`)
  }
  try {
    const outcome = await RUNS[story](seed, trace === 'off' ? null : sink)
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
