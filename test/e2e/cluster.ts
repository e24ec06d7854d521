// A real cluster for a test: separate processes of the built binary on loopback (or on the hosts of
// a test network), a private bootstrap node, data in a temporary folder. Whatever is made is
// registered for teardown where it is made, and undone newest first, also when the test fails.
// Processes are named: managers m1, m2…; storage servers a, b, c…; mounts, `mount` by default.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { COMMAND_DEADLINE_MS } from '../../src/base/limits.js'
import { askControl } from '../../src/cli/processes/control-socket.js'
import { socketPath } from '../../src/cli/processes/run-folder.js'
import type { AdminCommand, AdminResult, EpochResult, StatusResult } from '../../src/net/admin.js'
import { eventually, isOver, runTool, within, type Outcome } from './tools.js'

const ENTRY = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const READY_LIMIT_MS = 120_000
const UNMOUNT_LIMIT_MS = 15_000
/** What uses a mount is stopped first; if it does not stop, the mount goes away under it. */
const USER_LIMIT_MS = 5_000

interface Running {
  readonly process: ChildProcess
  readonly ended: Promise<void>
  readonly log: string[]
}

/** Where processes run, if not all on loopback. */
export interface TestHosts {
  /** The address on which the named process listens. */
  addressOf(name: string): string
  /** The whole command that runs this one on the host of the named process. */
  commandAt(name: string, command: readonly string[]): readonly string[]
}

/** Ends the cluster when it ends: a test, or a benchmark. */
export interface ClusterOwner {
  teardown(undo: () => Promise<void>): void
  comment(text: string): void
}

export interface ClusterOptions {
  readonly servers?: number
  readonly managers?: number
  readonly mountFlags?: readonly string[]
  readonly hosts?: TestHosts
  readonly environment?: Readonly<Record<string, string>>
}

export class TestCluster {
  readonly folder: string
  readonly mountPoint: string
  readonly managers: readonly string[]
  readonly servers: readonly string[]
  readonly #t: ClusterOwner
  readonly #environment: Record<string, string> = {}
  readonly #running = new Map<string, Running>()
  /** The beginning of each manager's identity. */
  readonly #ids = new Map<string, string>()
  readonly #mountFlags: readonly string[]
  readonly #hosts: TestHosts | null
  readonly #users: (() => unknown)[] = []
  #undo: (() => unknown)[] = []

  private constructor(t: ClusterOwner, options: ClusterOptions) {
    this.#t = t
    this.folder = mkdtempSync(join(tmpdir(), 'swarmdisk-test-'))
    this.mountPoint = this.mountPointOf('mount')
    this.managers = Array.from({ length: options.managers ?? 1 }, (_, i) => `m${i + 1}`)
    this.servers = Array.from({ length: options.servers ?? 3 }, (_, i) =>
      String.fromCharCode(97 + i),
    )
    this.#mountFlags = options.mountFlags ?? []
    this.#hosts = options.hosts ?? null
    Object.assign(this.#environment, options.environment)
    this.undoLater(() => rmSync(this.folder, { recursive: true, force: true }))
    t.teardown(() => this.#teardown())
  }

  /** Bootstrap, managers, storage servers; no mount yet. */
  static async start(t: ClusterOwner, options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = await TestCluster.bootstrapped(t, options)
    const [first = 'm1', ...others] = cluster.managers
    await cluster.startManager(first, ['--new'])
    const joining = [...others, ...cluster.servers].map(name => cluster.startAgain(name))
    await Promise.all(joining)
    return cluster
  }

  /** A key and a bootstrap node; the test starts the rest. */
  static async bootstrapped(t: ClusterOwner, options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(t, options)
    const { key } = (await cluster.json(['cluster', 'create'])) as { readonly key: string }
    cluster.#environment['SWARMDISK_KEY'] = key
    const address = await cluster.#launch('bootstrap', ['bootstrap', '--port', '0'])
    cluster.#environment['SWARMDISK_BOOTSTRAP'] = address
    return cluster
  }

  /** No processes: only a place to run commands from. */
  static offline(t: ClusterOwner): TestCluster {
    return new TestCluster(t, {})
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#environment
  }

  async startManager(name = 'm1', more: readonly string[] = []): Promise<void> {
    const ready = await this.#launch(name, ['manager', '--data', this.dataOf(name), ...more])
    this.#ids.set(name, ready.split(' ')[1] ?? '')
  }

  async startServer(name: string, more: readonly string[] = []): Promise<void> {
    const words = ['storage', '--data', this.dataOf(name), '--name', name, '--domain', name]
    await this.#launch(name, [...words, ...more])
  }

  /** A manager or storage server, new or with what it has. */
  startAgain(name: string): Promise<void> {
    return this.managers.includes(name) ? this.startManager(name) : this.startServer(name)
  }

  async startMount(more: readonly string[] = [], name = 'mount'): Promise<void> {
    const mountPoint = this.mountPointOf(name)
    this.undoLater(() => runTool('umount', ['-l', mountPoint]))
    mkdirSync(mountPoint, { recursive: true })
    await this.#launch(name, ['mount', mountPoint, ...this.#mountFlags, ...more])
  }

  /** A loop device on the image of the volume. */
  async attach(mount = 'mount', more: readonly string[] = [], volume = 'data'): Promise<string> {
    const words = ['attach', volume, '--mount', this.mountPointOf(mount), ...more]
    const { device } = (await this.json(words)) as { readonly device: string }
    this.undoLater(() => this.#detach(device, volume))
    return device
  }

  mountPointOf(mount: string): string {
    return join(this.folder, mount)
  }

  image(volume: string, mount = 'mount'): string {
    return join(this.mountPointOf(mount), `${volume}.img`)
  }

  dataOf(name: string): string {
    return join(this.folder, `${this.managers.includes(name) ? 'manager' : 'storage'}-${name}`)
  }

  /** The beginning of a manager's identity, as `ready` gave it. */
  idOf(manager: string): string {
    const id = this.#ids.get(manager)
    if (id === undefined) throw new Error(`${manager} was never ready`)
    return id
  }

  pid(name: string): number {
    const pid = this.#running.get(name)?.process.pid
    if (pid === undefined) throw new Error(`${name} does not run`)
    return pid
  }

  isRunning(name: string): boolean {
    return this.#running.has(name)
  }

  /** What the process wrote to its standard error so far. */
  log(name: string): string {
    return this.#running.get(name)?.log.join('') ?? ''
  }

  /** Waits until it has written that: its log comes by another way than its answers. */
  says(name: string, what: RegExp): Promise<void> {
    return eventually(`${name} says ${String(what)}`, () => {
      return Promise.resolve(what.test(this.log(name)))
    })
  }

  /** Waits until the process is gone. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
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

  /** A command that joins the swarm. */
  run(words: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
    const [program = '', ...command] = this.#at('command', [process.execPath, ENTRY, ...words])
    return runTool(program, command, { ...this.#environment, ...environment })
  }

  /** The object that the command prints; fails the test if it does not exit with 0. */
  async json(words: readonly string[]): Promise<unknown> {
    const outcome = await this.run([...words, '--json'])
    if (outcome.code !== 0) {
      throw new Error(`swarmdisk ${words.join(' ')}: exit ${outcome.code}: ${outcome.stderr}`)
    }
    return JSON.parse(outcome.stdout)
  }

  /** What the process answers on its socket: without the cost of a command, for looking often. */
  async admin(name: string, command: AdminCommand): Promise<unknown> {
    const request = { path: '/admin', body: command, deadline: COMMAND_DEADLINE_MS }
    const answer = (await askControl(socketPath(this.dataOf(name)), request)) as AdminResult | null
    if (answer?.ok) return answer.result
    throw new Error(`${command.command} at ${name}: ${answer?.message ?? 'nobody listens'}`)
  }

  /** As the first storage server that runs gets it, or as the named process does. */
  async status(name = this.someServer()): Promise<StatusResult> {
    return (await this.admin(name, { command: 'status' })) as StatusResult
  }

  /** All that this process knows, oldest first. */
  async epochs(name: string): Promise<readonly EpochResult[]> {
    const command = { command: 'epoch-list', from: 1, limit: 1_000 } as const
    const { epochs } = (await this.admin(name, command)) as { readonly epochs: EpochResult[] }
    return epochs
  }

  /** Waits until there is one. */
  async leader(name = this.someServer()): Promise<string> {
    let found: string | undefined
    await eventually('there is a leader', async () => {
      const { managers } = await this.status(name)
      const id = managers.find(manager => manager.leader)?.id
      found = this.managers.find(m => id?.startsWith(this.#ids.get(m) ?? 'none'))
      return found !== undefined
    })
    return found ?? ''
  }

  someServer(): string {
    const name = this.servers.find(server => this.#running.has(server))
    if (name === undefined) throw new Error('no storage server runs')
    return name
  }

  undoLater(undo: () => unknown): void {
    this.#undo.push(undo)
  }

  /** Ends whatever uses a mount of this cluster; first of all, and with a bound. */
  stopFirst(stop: () => unknown): void {
    this.#users.push(stop)
  }

  #at(name: string, command: readonly string[]): readonly string[] {
    return this.#hosts?.commandAt(name, command) ?? command
  }

  /** Only while it is ours: another test may have got a device of the same name since. */
  async #detach(device: string, volume: string): Promise<void> {
    const entry = `/sys/block/${basename(device)}/loop/backing_file`
    const file = existsSync(entry) ? readFileSync(entry, 'utf8').trim() : ''
    // Without its mount it shows the path within that.
    const ours = file.startsWith(`${this.folder}/`) || file.startsWith(`/${volume}.img`)
    if (ours) await runTool('losetup', ['-d', device])
  }

  async #launch(name: string, words: readonly string[]): Promise<string> {
    const host = this.#hosts ? ['--host', this.#hosts.addressOf(name)] : []
    const command = this.#at(name, [process.execPath, ENTRY, ...words, ...host])
    const child = spawn(command[0] ?? '', command.slice(1), {
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

  async #teardown(): Promise<void> {
    const users = Promise.all(this.#users.map(stop => stop()))
    await isOver(users, USER_LIMIT_MS)
    await Promise.all([...this.#running.keys()].map(name => this.#endMount(name)))
    for (const undo of this.#undo.slice(1).reverse()) await undo()
    for (const running of this.#running.values()) running.process.kill('SIGKILL')
    await Promise.all([...this.#running.values()].map(running => running.ended))
    await this.#undo[0]?.()
    this.#undo = []
    this.#t.comment('cluster is down')
  }

  /** The second signal aborts what a failed test has left held. */
  async #endMount(name: string): Promise<void> {
    const running = this.#running.get(name)
    if (!running || !name.startsWith('mount')) return
    for (const limit of [UNMOUNT_LIMIT_MS / 3, UNMOUNT_LIMIT_MS]) {
      running.process.kill('SIGTERM')
      if (await isOver(running.ended, limit)) return
    }
  }
}
