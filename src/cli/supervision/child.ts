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
  readonly pid: number
  /** What followed `ready: `. */
  readonly ready: string
  /** "exit code 1", "SIGKILL". */
  readonly ended: Promise<string>
  /**
   * SIGTERM; if it does not leave in time a second one, at which a mount aborts what is busy on it;
   * SIGKILL at last. Called again, it takes the next step at once.
   */
  stop(): Promise<void>
}

const ENTRY = fileURLToPath(new URL('../../../bin/run.js', import.meta.url))

/** Resolves when it serves; an 'environment' error with its own words if it does not. */
export async function startChild(specification: ChildSpecification): Promise<Child> {
  const { title } = specification
  const process_ = spawn(process.execPath, [ENTRY, ...specification.arguments], {
    env: { ...process.env, ...specification.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches the whole group of a terminal; `dev` wants to stop its children in order.
    detached: true,
  })
  const words: string[] = []
  process_.stderr.setEncoding('utf8').on('data', (text: string) => {
    words.push(text)
    if (words.length > 100) words.shift()
    process.stderr.write(text)
  })
  const ended = new Promise<string>(resolve => {
    process_.once('exit', (code, signal) => resolve(signal ?? `exit code ${code ?? 'unknown'}`))
  })
  const ready = await Promise.race([firstReady(process_), ended.then(() => null), tooLate()])
  if (ready === null || process_.pid === undefined) {
    process_.kill('SIGKILL')
    const reason = words.join('').trim() || `no word within ${CHILD_READY_MS / 1000} s`
    throw new SwarmdiskError('environment', `${title} did not start: ${reason}`)
  }
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
