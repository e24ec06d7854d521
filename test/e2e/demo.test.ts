// `npm run demo -- --once`, less its setup: ends by itself, with the files compared equal.
import test from 'tape'
import { mustRun, runTool } from './tools.js'

test('the demo runs to its end and leaves nothing', async t => {
  const outcome = await runTool(process.execPath, ['bin/demo.js', '--once'])
  t.equal(outcome.code, 0, `exit code ${outcome.stderr}`)
  t.match(outcome.stdout, /^ {4}equal$/m, 'the files were compared equal')
  t.match(outcome.stdout, /nothing is left behind/, 'it says that everything is down')
  t.doesNotMatch(await mustRun('cat', ['/proc/self/mounts']), /swarmdisk-demo-/, 'no mount')
})

test('the demo refuses what it does not know', async t => {
  const outcome = await runTool(process.execPath, ['bin/demo.js', '--twice'])
  t.equal(outcome.code, 2, 'exit code')
  t.match(outcome.stderr, /--twice/, 'and says what')
})
