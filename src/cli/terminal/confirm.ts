// A question that only a person at a terminal is asked, before something that cannot be undone.
// Scripts have no terminal; what they ask for they have said with flags.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { SwarmdiskError } from '../../base/errors.js'

export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean }
  readonly output: Writable
}

/** Returns when the answer is `expected`, or when nobody is there to be asked; throws otherwise. */
export async function confirm(
  question: string,
  expected: string,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<void> {
  if (terminal.input.isTTY !== true) return
  const lines = createInterface({ input: terminal.input, crlfDelay: Infinity })
  try {
    terminal.output.write(`${question}\nType "${expected}" to go on: `)
    const ended = once(lines, 'close').then(() => '')
    const answer = once(lines, 'line').then(([line]) => String(line))
    if ((await Promise.race([answer, ended])).trim() === expected) return
  } finally {
    lines.close()
  }
  throw new SwarmdiskError('aborted', 'Not confirmed: nothing was done.')
}
