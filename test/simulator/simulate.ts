// Many runs of the simulator:  npm run simulate -- --seeds 100 [--seed 1] [--most 5] [--trace]
// Prints each failing seed and how to run it again, gives up after `most` of them, and says which
// faults were tried.
import { parseArgs } from 'node:util'
import { runSeed } from './run-seed.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    most: { type: 'string', default: '5' },
    trace: { type: 'boolean', default: false },
  },
})

const first = Number(values.seed)
const count = Number(values.seeds)
const faults = new Map<string, number>()
let operations = 0
let failed = 0

function report(seed: number, lines: readonly string[]): void {
  failed++
  console.log(`seed ${seed} FAILED: npm run simulate -- --seeds 1 --seed ${seed}`)
  for (const line of lines.slice(0, 12)) console.log(`  ${line}`)
}

const say =
  (level: string) =>
  (message: string, fields: object = {}): void => {
    console.log(level, message, JSON.stringify(fields))
  }
const trace = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }

let current = first
process.on('uncaughtException', error => {
  report(current, [`uncaught: ${error.stack ?? String(error)}`])
  process.exit(1)
})

for (; current < first + count && failed < Number(values.most); current++) {
  try {
    const outcome = await runSeed(current, values.trace ? trace : undefined)
    operations += outcome.operations
    for (const [what, times] of outcome.faults) faults.set(what, (faults.get(what) ?? 0) + times)
    console.error(`seed ${current}: ${outcome.operations} operations`)
    if (outcome.findings.length > 0) report(current, outcome.findings)
  } catch (error) {
    report(current, [error instanceof Error ? (error.stack ?? error.message) : String(error)])
  }
}
console.log(`${current - first} seeds from ${first}, ${operations} operations, ${failed} failed`)
console.log([...faults].map(([what, times]) => `${what} ${times}`).join(', '))
process.exit(failed > 0 ? 1 : 0)
