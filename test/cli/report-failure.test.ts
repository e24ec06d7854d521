// Failures as people see them: oclif's words on one line, never a key.
import test from 'tape'
import { SwarmdiskError } from '../../src/base/errors.js'
import { EXIT_BUG } from '../../src/cli/exit-codes.js'
import { describeFailure, withoutKeys } from '../../src/cli/report-failure.js'

function usage(message: string): Error {
  return Object.assign(new Error(message), { oclif: { exit: 2 } })
}

test('words of oclif become one sentence', t => {
  const missing = usage('Missing 1 required arg:\ndir  the mount point\nSee more help with --help')
  const expected = 'Missing 1 required arg: dir, the mount point.'
  t.equal(describeFailure(missing).sentence.split(' Add ')[0], expected)
  t.equal(describeFailure(missing).exit, 2)
  t.end()
})

test('codes of typed errors and of bugs', t => {
  const typed = describeFailure(new SwarmdiskError('in-use', 'The port is taken: use another.'))
  t.deepEqual(typed, { code: 'in-use', exit: 5, sentence: 'The port is taken: use another.' })
  t.equal(describeFailure(new TypeError('x is undefined')).exit, EXIT_BUG)
  t.end()
})

test('a key is never repeated', t => {
  const key = 'gtkcg5h1dusyq4k8n8e3fq4q8ybrc3f99suthf11yukpmnds5rky'
  t.equal(withoutKeys(`--key=${key} is unexpected`), '--key=(a key) is unexpected')
  t.end()
})
