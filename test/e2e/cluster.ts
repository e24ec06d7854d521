// A real cluster for a test: separate processes of the built binary on loopback, a private
// bootstrap node, data in a temporary folder. Whatever is made is registered for teardown where it
// is made, and undone newest first, also when the test fails.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tape'

const ENTRY = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const READY_LIMIT_MS = 120_000
const COMMAND_LIMIT_MS = 300_000
const CONDITION_LIMIT_MS = 120_000
const CONDITION_STEP_MS = 100

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

interface Running {
  readonly process: ChildProcess
  readonly ended: Promise<void>
  readonly log: string[]
}

export interface ClusterOptions {
  readonly servers?: number
  readonly mountFlags?: readonly string[]
}

export class TestCluster {
  readonly folder: string
  readonly mountPoint: string
  readonly #t: Test
  readonly #environment: Record<string, string> = {}
  readonly #running = new Map<string, Running>()
  readonly #mountFlags: readonly string[]
  #undo: (() => unknown)[] = []

  private constructor(t: Test, options: ClusterOptions) {
    this.#t = t
    this.folder = mkdtempSync(join(tmpdir(), 'swarmdisk-test-'))
    this.mountPoint = join(this.folder, 'mount')
    this.#mountFlags = options.mountFlags ?? []
    mkdirSync(this.mountPoint)
    this.undoLater(() => rmSync(this.folder, { recursive: true, force: true }))
    t.teardown(() => this.#teardown())
  }

  /** Bootstrap, one manager, storage servers a, b, c…; no mount yet. */
  static async start(t: Test, options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(t, options)
    const { key } = (await cluster.json(['cluster', 'create'])) as { readonly key: string }
    cluster.#environment['SWARMDISK_KEY'] = key
    const address = await cluster.#launch('bootstrap', ['bootstrap', '--port', '0'])
    cluster.#environment['SWARMDISK_BOOTSTRAP'] = address
    await cluster.startManager(['--new'])
    const names = cluster.serverNames(options.servers ?? 3)
    await Promise.all(names.map(name => cluster.startServer(name)))
    return cluster
  }

  /** No processes: only a place to run commands from. */
  static offline(t: Test): TestCluster {
    return new TestCluster(t, {})
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#environment
  }

  serverNames(count: number): string[] {
    return Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i))
  }

  async startManager(more: readonly string[] = []): Promise<void> {
    await this.#launch('manager', ['manager', '--data', join(this.folder, 'manager'), ...more])
  }

  dataOf(name: string): string {
    return join(this.folder, `storage-${name}`)
  }

  async startServer(name: string, more: readonly string[] = []): Promise<void> {
    const words = ['storage', '--data', this.dataOf(name), '--name', name, '--domain', name]
    await this.#launch(name, [...words, ...more])
  }

  async startMount(more: readonly string[] = []): Promise<void> {
    this.undoLater(() => this.#forceUnmount())
    await this.#launch('mount', ['mount', this.mountPoint, ...this.#mountFlags, ...more])
  }

  image(volume: string): string {
    return join(this.mountPoint, `${volume}.img`)
  }

  pid(name: string): number {
    const pid = this.#running.get(name)?.process.pid
    if (pid === undefined) throw new Error(`${name} does not run`)
    return pid
  }

  /** What the process wrote to its standard error so far. */
  log(name: string): string {
    return this.#running.get(name)?.log.join('') ?? ''
  }

  /** Waits until the process is gone. */
  async kill(name: string, signal: NodeJS.Signals): Promise<void> {
    const running = this.#running.get(name)
    if (!running) throw new Error(`${name} does not run`)
    running.process.kill(signal)
    await within(`${name} ends after ${signal}`, running.ended)
    this.#running.delete(name)
  }

  async stopAll(): Promise<void> {
    for (const name of [...this.#running.keys()].reverse()) {
      if (name !== 'bootstrap') await this.kill(name, 'SIGTERM')
    }
  }

  run(words: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
    return runTool(process.execPath, [ENTRY, ...words], { ...this.#environment, ...environment })
  }

  /** The object that the command prints; fails the test if it does not exit with 0. */
  async json(words: readonly string[]): Promise<unknown> {
    const outcome = await this.run([...words, '--json'])
    if (outcome.code !== 0) {
      throw new Error(`swarmdisk ${words.join(' ')}: exit ${outcome.code}: ${outcome.stderr}`)
    }
    return JSON.parse(outcome.stdout)
  }

  undoLater(undo: () => unknown): void {
    this.#undo.push(undo)
  }

  async #launch(name: string, words: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [ENTRY, ...words], {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const log: string[] = []
    child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text))
    const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
    this.#running.set(name, { process: child, ended, log })
    const ready = new Promise<string | null>(resolve => {
      createInterface({ input: child.stdout }).on('line', line => {
        if (line.startsWith('ready: ')) resolve(line.slice(7))
      })
      void ended.then(() => resolve(null))
    })
    const line = await within(`${name} is ready`, ready, READY_LIMIT_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${log.join('')}`)
    })
    if (line === null) throw new Error(`${name} ended before it was ready:\n${log.join('')}`)
    return line
  }

  async #forceUnmount(): Promise<void> {
    await runTool('umount', ['-l', this.mountPoint])
  }

  async #teardown(): Promise<void> {
    for (const [name, running] of [...this.#running].reverse()) {
      if (name !== 'mount') continue
      running.process.kill('SIGTERM')
      await Promise.race([running.ended, delay(15_000)])
    }
    for (const undo of this.#undo.slice(1).reverse()) await undo()
    for (const running of this.#running.values()) running.process.kill('SIGKILL')
    await Promise.all([...this.#running.values()].map(running => running.ended))
    await this.#undo[0]?.()
    this.#undo = []
    this.#t.comment('cluster is down')
  }
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

function delay(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}
