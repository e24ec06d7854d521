// Shows that the checkers can fail: runs the simulator on copies of swarmdisk in each of which one
// rule is left out, until a seed catches it.
//
//   npm run mutants [-- [--only NAME]… [--seeds 2000] [--from 1] [--workers N]
//
// The exit code is 1 if one survives.
import { parseArgs } from 'node:util'
import { MUTANTS } from './mutants/all.js'
import { hunt } from './mutants/hunt.js'
import { mutated } from './mutants/mutate.js'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string' },
  },
})

const chosen = MUTANTS.filter(
  ({ name }) => values.only.length === 0 || values.only.some(word => name === word),
)
// All must apply before the first one takes its time.
for (const mutant of chosen) mutated(mutant)

let survivors = 0
console.log(`${'mutant'.padEnd(32)} caught by  seeds  seconds  as`)
for (const mutant of chosen) {
  const started = performance.now()
  const { caughtBy, seeds, finding } = await hunt(mutant, {
    seeds: Number(values.seeds),
    from: Number(values.from),
    ...(values.workers === undefined ? {} : { workers: Number(values.workers) }),
  })
  if (caughtBy === null) survivors++
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  const seed = caughtBy === null ? 'SURVIVED' : `seed ${caughtBy}`
  const numbers = `${seed.padStart(9)} ${String(seeds).padStart(6)} ${seconds.padStart(8)}`
  console.log(`${mutant.name.padEnd(32)} ${numbers}  ${finding.slice(0, 80)}`)
}
console.log(`${chosen.length - survivors} of ${chosen.length} mutants were caught`)
process.exit(survivors > 0 || chosen.length === 0 ? 1 : 0)
