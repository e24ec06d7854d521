// A role started as a process of its own by `dev`: waits for its ready line, passes its stderr on,
// and knows when it ended. The key travels in the environment, never in the arguments.
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SwarmdiskError } from '../../base/errors.js'
import { CHILD_READY_MS, STOP_DEADLINE_MS } from '../../base/limits.js'

export interface ChildSpecification {
  /** For messages: "storage b". */
  readonly title: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** What is to be done when it has ended by itself; does not fail. */
  readonly ended?: () => Promise<void>
}

export interface Child {
  readonly title: string
  /** Undefined: the system did not make a process of it. */
  readonly pid: number | undefined
  /** What followed `ready: `; an 'environment' error with its own words if it does not serve. */
  readonly ready: Promise<string>
  /** "exit code 1", "SIGKILL". */
  readonly ended: Promise<string>
  /**
   * SIGTERM; if it does not leave in time a second one, at which a mount aborts what is busy on it;
   * SIGKILL at last. Called again, it takes the next step at once.
   */
  stop(): Promise<void>
}

/** Pieces of what it wrote to its standard error: the last ones say why it ended. */
const SAID_MAX = 100
const ENTRY = fileURLToPath(new URL('../../../bin/run.js', import.meta.url))

/** It runs from now on, whether it serves yet or not: whoever starts it has to stop it. */
export function startChild({ title, arguments: words, environment }: ChildSpecification): Child {
  const process_ = spawn(process.execPath, [ENTRY, ...words], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches the whole group of a terminal; `dev` wants to stop its children in order.
    detached: true,
  })
  const said: string[] = []
  process_.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.push(text)
    if (said.length > SAID_MAX) said.shift()
    process.stderr.write(text)
  })
  const ended = new Promise<string>(resolve => {
    process_.once('exit', (code, signal) => resolve(signal ?? `exit code ${code ?? 'unknown'}`))
    process_.once('error', error => resolve(error.message))
  })
  const ready = Promise.race([firstReady(process_), ended.then(() => null), tooLate()]).then(
    line => {
      if (line !== null) return line
      process_.kill('SIGKILL')
      const reason = said.join('').trim() || `no word within ${CHILD_READY_MS / 1000} s`
      throw new SwarmdiskError('environment', `${title} did not start: ${reason}`)
    },
  )
  // Whoever only stops it does not ask.
  ready.catch(() => undefined)
  return { title, pid: process_.pid, ready, ended, stop: stopper(process_, ended) }
}

function firstReady(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    if (!child.stdout) return
    createInterface({ input: child.stdout }).on('line', line => {
      if (line.startsWith('ready: ')) resolve(line.slice('ready: '.length))
    })
  })
}

function tooLate(): Promise<null> {
  return new Promise(resolve => {
    setTimeout(() => resolve(null), CHILD_READY_MS).unref()
  })
}

function stopper(child: ChildProcess, ended: Promise<string>): () => Promise<void> {
  const steps: NodeJS.Signals[] = ['SIGTERM', 'SIGTERM', 'SIGKILL']
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    clearTimeout(timer)
    const signal = steps.shift()
    if (signal === undefined) return
    child.kill(signal)
    timer = setTimeout(next, STOP_DEADLINE_MS)
  }
  return async () => {
    next()
    await ended
    clearTimeout(timer)
  }
}
