// Many runs of the simulator:  npm run simulate -- --seeds 100 [--seed 1] [--trace]
// Prints a line for each failing seed, how to run it again, and the faults that were tried.
import { parseArgs } from 'node:util'
import { runSeed } from './run-seed.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
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

for (; current < first + count; current++) {
  try {
    const outcome = await runSeed(current, values.trace ? trace : undefined)
    operations += outcome.operations
    for (const [what, times] of outcome.faults) faults.set(what, (faults.get(what) ?? 0) + times)
    if (outcome.findings.length > 0) report(current, outcome.findings)
  } catch (error) {
    report(current, [error instanceof Error ? (error.stack ?? error.message) : String(error)])
  }
}
console.log(`${count} seeds from ${first}, ${operations} operations, ${failed} failed`)
console.log([...faults].map(([what, times]) => `${what} ${times}`).join(', '))
process.exit(failed > 0 ? 1 : 0)
