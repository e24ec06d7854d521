// Many runs of the simulator, several at a time:
//
//   npm run simulate -- [--seeds 20] [--seed 1] [--most 5] [--workers N] [--trace]
//                       [--mode shared|exclusive|rotten]
//                       [--story faults|snapshots|growing|scrub]
//
// Prints each failing seed, in the order of the seeds, with how to run it again, gives up after
// `most` of them, and says what was tried. --trace prints every message, log line and fault.
import { parseArgs } from 'node:util'
import { STORIES, type Result } from './pool/job.js'
import { runSeeds } from './pool/pool.js'
import { MODES, seedsFrom } from './run/shape.js'

const LINES = 14
const HOUR_MS = 3_600_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    most: { type: 'string', default: '5' },
    workers: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mode: { type: 'string' },
    story: { type: 'string', default: 'faults' },
  },
})

function again(seed: number): string {
  const more = story === 'faults' ? '' : ` --story ${story}`
  return `npm run simulate -- --seeds 1 --seed ${seed}${more}`
}

function report({ seed, findings }: Result): void {
  console.log(`seed ${seed} FAILED: ${again(seed)}`)
  for (const line of findings.slice(0, LINES)) console.log(`  ${line}`)
  if (findings.length > LINES) console.log(`  and ${findings.length - LINES} lines more`)
}

const first = Number(values.seed)
const mode = MODES.find(name => name === values.mode)
if (values.mode !== undefined && !mode) throw new Error(`--mode is one of ${MODES.join(', ')}`)
const story = STORIES.find(name => name === values.story)
if (!story) throw new Error(`--story is one of ${STORIES.join(', ')}`)
const seeds = seedsFrom(first, { count: Number(values.seeds), mode })
const faults = new Map<string, number>()
const total = { seeds: 0, operations: 0, unproved: 0, time: 0, failed: 0 }
const started = performance.now()

for await (const result of runSeeds({
  seeds,
  story,
  trace: values.trace ? 'print' : 'off',
  ...(values.workers === undefined ? {} : { workers: Number(values.workers) }),
})) {
  total.seeds++
  total.operations += result.operations
  total.unproved += result.unproved
  total.time += result.time
  for (const [what, times] of result.faults) faults.set(what, (faults.get(what) ?? 0) + times)
  if (result.findings.length === 0) continue
  report(result)
  if (++total.failed >= Number(values.most)) break
}

const seconds = ((performance.now() - started) / 1000).toFixed(0)
const hours = (total.time / HOUR_MS).toFixed(2)
console.log(
  `${total.seeds} seeds from ${first}: ${total.failed} failed; ${hours} simulated hours, ` +
    `${total.operations} operations checked, ${total.unproved} histories not decided, ${seconds} s`,
)
const kinds = [...faults].sort(([a], [b]) => (a < b ? -1 : 1))
console.log(`faults: ${kinds.map(([what, times]) => `${what} ${times}`).join(', ')}`)
process.exit(total.failed > 0 ? 1 : 0)
