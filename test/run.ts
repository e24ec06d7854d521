// Runs every test file in a process of its own, counts the assertions of all of them, and checks
// that nothing is left behind. `npm test -- layout e2e/mount` runs the files whose path contains
// one of the words. The last line is `N passed, N failed`; the exit code is 1 if anything failed.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { leftBehind, type Traces } from './helpers/left-behind.js'

const root = fileURLToPath(new URL('..', import.meta.url))
/** A file that takes longer hangs. */
const FILE_LIMIT_MS = 15 * 60_000
/** Files at a time that use no kernel resources. */
const PARALLEL = 2
/**
 * Those files only compute, and give way to the end-to-end files beside them, which run one by one
 * and mostly wait.
 */
const NICE = 10

interface Outcome {
  readonly passed: number
  readonly failed: number
}

interface Step {
  readonly name: string
  readonly command: string
  readonly arguments: readonly string[]
  /** A checker has no TAP output: its exit code is the one assertion. */
  readonly checker: boolean
}

function testFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
    .sort()
    .map(name => join('test', name))
}

function testStep(file: string): Step {
  return {
    name: file,
    command: process.execPath,
    arguments: ['--import', 'tsx', file],
    checker: false,
  }
}

function toolStep(name: string, script: string): Step {
  return { name, command: 'npm', arguments: ['run', '--silent', script], checker: true }
}

function run(step: Step, nice: number): Promise<Outcome> {
  return new Promise(resolve => {
    const started = performance.now()
    const child = spawn(step.command, step.arguments, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: 'test' },
    })
    if (child.pid !== undefined) setPriority(child.pid, nice)
    const output: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text))
    let hung = false
    const limit = setTimeout(() => {
      hung = true
      child.kill('SIGKILL')
    }, FILE_LIMIT_MS)
    child.on('close', code => {
      clearTimeout(limit)
      const text = output.join('')
      const outcome = judge(step, text, code)
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      const verdict = outcome.failed === 0 ? 'ok  ' : 'FAIL'
      console.log(`${verdict} ${step.name}  ${outcome.passed} passed  ${seconds} s`)
      if (outcome.failed > 0) console.log(hung ? `(killed: it hung)\n${text}` : text)
      resolve(outcome)
    })
  })
}

function judge(step: Step, text: string, code: number | null): Outcome {
  if (step.checker) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 }
  const passed = text.match(/^ok \d+/gm)?.length ?? 0
  const failed = text.match(/^not ok \d+/gm)?.length ?? 0
  // A file that crashed, or asserted nothing, has failed whatever it printed.
  const broken = failed === 0 && (code !== 0 || passed === 0)
  return { passed, failed: failed + (broken ? 1 : 0) }
}

function sum(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((total, outcome) => total + outcome.passed, 0),
    failed: outcomes.reduce((total, outcome) => total + outcome.failed, 0),
  }
}

/** Those that use no kernel resources. */
async function runBeside(steps: readonly Step[]): Promise<Outcome> {
  const queue = [...steps]
  const outcomes: Outcome[] = []
  const worker = async (): Promise<void> => {
    for (let step = queue.shift(); step; step = queue.shift()) outcomes.push(await run(step, NICE))
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return sum(outcomes)
}

/** The others. Each must leave the machine as it was, so that it is known who did not. */
async function runOneByOne(steps: readonly Step[]): Promise<Outcome> {
  const outcomes: Outcome[] = []
  for (const step of steps) {
    const before = leftBehind.traces()
    outcomes.push(await run(step, 0), checkTraces(step.name, before))
  }
  return sum(outcomes)
}

function checkTraces(name: string, before: Traces): Outcome {
  const left = leftBehind(before)
  if (left.length === 0) return { passed: 1, failed: 0 }
  console.log(`FAIL left behind by ${name}:\n${left.map(line => `  ${line}`).join('\n')}`)
  return { passed: 0, failed: 1 }
}

async function main(words: readonly string[]): Promise<void> {
  const before: Traces = leftBehind.traces()
  const files = testFiles(join(root, 'test')).filter(
    file => words.length === 0 || words.some(word => file.includes(word)),
  )
  const usesKernel = (file: string): boolean =>
    ['e2e', 'fuse', 'cli'].includes(relative('test', file).split('/')[0] ?? '')
  const tools = words.length === 0 ? [toolStep('types', 'typecheck'), toolStep('lint', 'lint')] : []
  const pure = [...tools, ...files.filter(file => !usesKernel(file)).map(testStep)]
  const all = await Promise.all([
    runBeside(pure),
    runOneByOne(files.filter(usesKernel).map(testStep)),
  ])
  const { passed, failed } = sum([...all, checkTraces('all of them', before)])
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed > 0 || files.length === 0 ? 1 : 0)
}

await main(process.argv.slice(2))
