// The question before what cannot be undone.
import { PassThrough } from 'node:stream'
import test from 'tape'
import { confirm } from '../../../src/cli/terminal/confirm.js'
import { codeOf } from '../../client/scripted-cluster.js'

function terminal(answer: string | null): {
  readonly input: PassThrough & { isTTY?: boolean }
  readonly output: PassThrough
} {
  const input: PassThrough & { isTTY?: boolean } = new PassThrough()
  input.isTTY = true
  if (answer !== null) input.write(`${answer}\n`)
  else input.end()
  return { input, output: new PassThrough() }
}

test('only the expected word goes on', async t => {
  const right = terminal(' data ')
  await confirm('All is lost.', 'data', right)
  t.equal(String(right.output.read()), 'All is lost.\nType "data" to go on: ')
  for (const answer of ['', 'y', 'yes', 'Data', null]) {
    t.equal(await codeOf(confirm('?', 'data', terminal(answer))), 'aborted', String(answer))
  }
})

test('nobody is asked without a terminal', async t => {
  const input = new PassThrough()
  const output = new PassThrough()
  await confirm('?', 'data', { input, output })
  t.equal(output.read(), null)
})
