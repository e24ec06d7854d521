// A command of a test cluster with files as its standard input and output, which it could not tell
// from a shell's.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { TestCluster } from './cluster.js'
import { within, type Outcome } from './tools.js'

const ENTRY = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

export interface Streams {
  readonly from?: string
  readonly to?: string
}

export async function redirected(
  cluster: TestCluster,
  words: readonly string[],
  { from = '/dev/null', to = '/dev/null' }: Streams,
): Promise<Outcome> {
  const [input, output] = [openSync(from, 'r'), openSync(to, 'w+')]
  const child = spawn(process.execPath, [ENTRY, ...words], {
    env: { ...process.env, ...cluster.environment },
    stdio: [input, output, 'pipe'],
  })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<number>(resolve => child.once('close', code => resolve(code ?? -1)))
  const code = await within(words.join(' '), ended)
  closeSync(input)
  closeSync(output)
  return { code, stdout: '', stderr }
}
