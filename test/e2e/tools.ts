// Running programs and waiting, for tests with real processes: everything has a bound, and fails
// with the name of what did not happen.
import { execFile } from 'node:child_process'

const COMMAND_LIMIT_MS = 300_000
const CONDITION_LIMIT_MS = 120_000
const CONDITION_STEP_MS = 100

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end; never throws for its exit code. */
export function runTool(
  program: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return new Promise(resolve => {
    const options = {
      env: { ...process.env, ...environment },
      timeout: COMMAND_LIMIT_MS,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 2 ** 26,
    }
    const child = execFile(program, [...words], options, (error, stdout, stderr) => {
      const code = error ? (child.exitCode ?? -1) : 0
      resolve({ code, stdout, stderr: stderr || (error?.message ?? '') })
    })
  })
}

/** The program's output; throws if it fails. */
export async function mustRun(program: string, words: readonly string[]): Promise<string> {
  const outcome = await runTool(program, words)
  if (outcome.code === 0) return outcome.stdout
  throw new Error(`${program} ${words.join(' ')}: exit ${outcome.code}: ${outcome.stderr}`)
}

/** Looks again and again until it is true; fails loudly after a bound. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  limit = CONDITION_LIMIT_MS,
): Promise<void> {
  const end = performance.now() + limit
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
    await delay(CONDITION_STEP_MS)
  }
}

export async function within<T>(
  what: string,
  promise: Promise<T>,
  limit = CONDITION_LIMIT_MS,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit} ms: ${what}`)), limit)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether it is over within a bound, well or badly. Leaves no timer that keeps a process alive. */
export function isOver(promise: Promise<unknown>, limit: number): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(false), limit)
    const over = (): void => {
      clearTimeout(timer)
      resolve(true)
    }
    promise.then(over, over)
  })
}

/** For the pace of faults and for looking again; no test passes because time has passed. */
export function delay(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}
