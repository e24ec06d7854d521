// That the mutants of `npm run mutants` still apply to the sources, and that some are caught soon:
// by the seed in the table, or, where a change of swarmdisk has given the seeds other stories, by
// one of the first. All of them take a quarter of an hour.
import test from 'tape'
import { MUTANTS } from './mutants/all.js'
import { hunt } from './mutants/hunt.js'
import { mutated } from './mutants/mutate.js'

const QUICK = ['ack-before-all', 'keep-insync-over-restart', 'no-epoch-check', 'no-once']
/** Each of these is caught by every tenth seed, or more. */
const SEEDS = 100

test('every mutant applies, and has a name of its own', t => {
  for (const mutant of MUTANTS) t.ok(mutated(mutant).size > 0, mutant.name)
  t.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length, 'names are different')
  t.end()
})

test('mutants are caught', async t => {
  for (const name of QUICK) {
    const mutant = MUTANTS.find(other => other.name === name)
    if (!mutant) throw new Error(`there is no mutant ${name}`)
    const { caughtBy, finding } = await hunt(mutant, { seeds: SEEDS })
    t.notEqual(caughtBy, null, `${name}: seed ${caughtBy}: ${finding}`)
  }
})
