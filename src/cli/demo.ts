// The demonstration: a cluster on this machine, a volume, a file system on it, real files in and
// out, all through the commands that a user would type, each printed before it runs. `--once` ends
// after the comparison; otherwise everything stays up to be played with until Ctrl-C.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DEMO_STEP_MS } from '../base/limits.js'
import { startChild } from './supervision/child.js'
import { onSignals } from './signals.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SWARMDISK = join(ROOT, 'bin/run.js')
const run = promisify(execFile)

interface Demo {
  readonly folder: string
  readonly mount: string
  readonly files: string
  /** What to undo, the newest last; registered where the effect is made. */
  readonly undo: (() => Promise<void>)[]
  readonly environment: NodeJS.ProcessEnv
}

export async function demo(words: readonly string[]): Promise<void> {
  const unknown = words.find(word => word !== '--once')
  if (unknown !== undefined) {
    process.stderr.write(`The demo takes only --once, not "${unknown}".\n`)
    process.exit(2)
  }
  const stopped = new Promise<void>(resolve => {
    onSignals(count => (count === 1 ? resolve() : say('On its way down.')))
  })
  const undo: (() => Promise<void>)[] = []
  let failure: unknown = null
  try {
    const prepared = prepare(undo)
    // Ctrl-C during the steps ends them between two commands.
    const outcome = await Promise.race([showAll(prepared), stopped])
    if (outcome === 'shown' && !words.includes('--once')) {
      explain(prepared)
      await stopped
    }
  } catch (error) {
    failure = error
  }
  say('\nTaking everything down.')
  for (const step of undo.reverse()) {
    await step().catch((error: unknown) => {
      failure ??= error
    })
  }
  if (failure !== null) {
    process.stderr.write(`The demo failed: ${describe(failure)}\n`)
    process.exit(1)
  }
  say('Everything is down, nothing is left behind.')
  process.exit(0)
}

function describe(error: unknown): string {
  const { stderr, message } = error as { readonly stderr?: string; readonly message?: string }
  return (stderr?.trim() || message) ?? String(error)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function prepare(undo: (() => Promise<void>)[]): Demo {
  const folder = mkdtempSync(join(tmpdir(), 'swarmdisk-demo-'))
  undo.push(() => Promise.resolve(rmSync(folder, { recursive: true })))
  const files = join(folder, 'files')
  const mount = join(folder, 'mount')
  mkdirSync(files)
  const environment = { ...process.env, SWARMDISK_DATA: join(folder, 'cluster/manager') }
  return { folder, mount, files, undo, environment }
}

async function showAll(shown: Demo): Promise<'shown'> {
  say('A cluster of one manager and three storage servers, each its own process:')
  await startCluster(shown)
  say('\nA volume, thin, with three copies of every block:')
  await swarmdisk(shown, ['volume', 'create', 'demo', '--size', '1G'])
  say('\nIt is an image file on a FUSE mount. A loop device and a file system go on it:')
  const device = await attach(shown)
  await tool(shown, ['mkfs.ext4', '-q', '-E', 'nodiscard', device])
  // `swarmdisk detach` undoes the file system as well, wherever it is mounted then.
  await tool(shown, ['mount', device, shown.files])
  say('\nReal files go in, and come back from the servers equal:')
  const source = join(ROOT, 'node_modules/typescript')
  await tool(shown, ['cp', '-a', source, shown.files])
  await tool(shown, ['umount', shown.files])
  await tool(shown, ['mount', device, shown.files])
  await tool(shown, ['diff', '-r', source, join(shown.files, 'typescript')])
  say('    equal')
  await swarmdisk(shown, ['status'])
  return 'shown'
}

async function startCluster({ folder, mount, undo }: Demo): Promise<void> {
  const words = ['dev', '--data', join(folder, 'cluster'), '--mount', mount]
  say(`  $ swarmdisk ${words.join(' ')}`)
  const cluster = startChild({
    title: 'the cluster',
    arguments: words,
    environment: { SWARMDISK_DATA: '' },
  })
  undo.push(() => cluster.stop())
  say(`    ready: ${await cluster.ready}`)
}

async function attach(shown: Demo): Promise<string> {
  const words = ['attach', 'demo', '--mount', shown.mount]
  say(`  $ swarmdisk ${words.join(' ')}`)
  const { stdout } = await run(process.execPath, [SWARMDISK, ...words, '--json'], {
    timeout: DEMO_STEP_MS,
  })
  const { device } = JSON.parse(stdout) as { readonly device: string }
  shown.undo.push(() => swarmdisk(shown, ['detach', device]))
  say(`    ${device}`)
  return device
}

async function swarmdisk(shown: Demo, words: readonly string[]): Promise<void> {
  await command(shown, {
    title: 'swarmdisk',
    program: process.execPath,
    words: [SWARMDISK, ...words],
  })
}

async function tool(shown: Demo, [program = '', ...words]: readonly string[]): Promise<void> {
  await command(shown, { title: program, program, words })
}

interface Step {
  readonly title: string
  readonly program: string
  readonly words: readonly string[]
}

/** Shows the command as a user would type it, and its output indented. */
function command({ environment }: Demo, { title, program, words }: Step): Promise<void> {
  const typed = words.filter(word => word !== SWARMDISK)
  say(`  $ ${[title, ...typed].join(' ')}`)
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEMO_STEP_MS,
    })
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trimEnd().split('\n')) say(`    ${line}`)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`"${[title, ...typed].join(' ')}" failed: ${errors.trim()}`))
    })
  })
}

function explain({ folder, files, mount }: Demo): void {
  const data = join(folder, 'cluster/manager')
  say(`
The cluster keeps running until you press Ctrl-C. In another terminal, try:

  ls -l ${files}                          files on the replicated disk
  ls -lh ${mount}                         the volumes as image files
  export SWARMDISK_DATA=${data}
  npx swarmdisk status --watch            what the cluster thinks of itself
  pkill -9 -f 'storage.*--name b'         kill a server: I/O goes on after its lease of 3 s
  npx swarmdisk volume show demo          where every shard lives
  npx swarmdisk epoch list                every change of the configuration so far`)
}
