// swarmdisk dev [--servers 3] [--managers 1] [--data DIR] [--mount DIR] [--no-mount]
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import { SERVERS_MAX } from '../base/limits.js'
import { systemRandom } from '../base/random.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { roleLogFlags, wholeNumber, type LogLevel } from '../cli/flags.js'
import { createLog } from '../cli/log.js'
import { clusterAccess, KEY_FILE } from '../cli/processes/cluster-access.js'
import { writePlainFile } from '../disk/plain-file.js'
import { tellGone } from '../cli/supervision/tell-gone.js'
import { Supervisor } from '../cli/supervision/supervisor.js'
import { onSignals } from '../cli/signals.js'
import { startBootstrap } from '../net/bootstrap.js'
import { ClusterKey } from '../net/cluster-key.js'

export default class Dev extends SwarmdiskCommand<undefined> {
  static override readonly summary = 'Run a whole cluster on this machine, with one command.'
  static override readonly description =
    'Starts a private bootstrap node, managers, storage servers and a mount, each a process of ' +
    'its own that is started again when it ends. Ctrl-C stops everything; the data stays in --data.'
  static override readonly examples = [
    '<%= config.bin %> dev',
    '<%= config.bin %> dev --managers 3 --servers 5 --data /srv/try --mount /mnt/try',
    '<%= config.bin %> dev --no-mount',
  ]
  static override readonly flags = {
    ...roleLogFlags,
    servers: Flags.string({ description: 'storage servers', default: '3' }),
    managers: Flags.option({
      options: ['1', '3', '5'] as const,
      default: '1' as const,
      description: 'managers; the cluster survives the loss of none, of one, or of two',
    })(),
    data: Flags.string({
      description: 'folder that holds everything',
      env: 'SWARMDISK_DATA',
      default: 'swarmdisk-dev',
      helpValue: 'DIR',
    }),
    mount: Flags.string({
      description: 'mount point; default: "mount" in --data',
      helpValue: 'DIR',
    }),
    'no-mount': Flags.boolean({ description: 'servers only', exclusive: ['mount'] }),
  }

  protected override async execute(): Promise<undefined> {
    const { flags } = await this.parse(Dev)
    const servers = wholeNumber(flags.servers, '--servers')
    if (servers < 1 || servers > SERVERS_MAX) {
      throw new SwarmdiskError('bad-input', `--servers must be from 1 to ${SERVERS_MAX}.`)
    }
    const data = resolve(flags.data)
    const managers = Number(flags.managers)
    checkManagers(data, managers)
    const keyFile = ensureKey(data)
    const bootstrap = await startBootstrap({ host: '127.0.0.1', port: 0 })
    const supervisor = new Supervisor(line => process.stderr.write(`${line}\n`))
    try {
      const address = `${bootstrap.host}:${bootstrap.port}`
      const mount = flags['no-mount'] ? null : resolve(flags.mount ?? join(data, 'mount'))
      const logLevel = flags['log-level']
      const plan = { data, keyFile, address, managers, servers, mount, logLevel }
      const stopped = new Promise<void>(resolve => {
        onSignals(count => (count === 1 ? resolve() : supervisor.hurry()))
      })
      // Whoever wants to stop it need not wait until it is there.
      const outcome = await Promise.race([startAll(supervisor, plan), stopped])
      if (outcome !== 'started') return
      const details = { bootstrap: address, keyFile, data, mount, managers, servers }
      this.announce(describe(plan), details)
      await stopped
    } finally {
      await supervisor.stop()
      await bootstrap.close()
    }
  }

  protected override show(): void {
    // Its ready line is all there is to show.
  }
}

interface DevPlan {
  readonly data: string
  readonly keyFile: string
  readonly address: string
  readonly managers: number
  readonly servers: number
  readonly mount: string | null
  readonly logLevel: LogLevel
}

/** The key stays with the data, so that the next start finds its cluster again. */
function ensureKey(data: string): string {
  const keyFile = join(data, KEY_FILE)
  if (!existsSync(keyFile)) {
    mkdirSync(data, { recursive: true, mode: 0o700 })
    writePlainFile(keyFile, `${ClusterKey.generate(systemRandom).reveal()}\n`)
  }
  return keyFile
}

async function startAll(supervisor: Supervisor, plan: DevPlan): Promise<'started'> {
  const environment = {
    SWARMDISK_KEY: clusterAccess({ 'key-file': plan.keyFile, 'log-level': 'silent' }).key.reveal(),
    SWARMDISK_BOOTSTRAP: plan.address,
    SWARMDISK_LOG: plan.logLevel,
    SWARMDISK_DATA: '',
  }
  const start = (title: string, words: readonly string[], first = words): Promise<unknown> =>
    supervisor.start(
      { title, arguments: first, environment },
      { title, arguments: words, environment },
    )
  const startStorage = (title: string, data: string, words: readonly string[]): Promise<unknown> =>
    supervisor.start({ title, arguments: words, environment, ended: () => tellOf(data, plan) })
  for (let i = 1; i <= plan.managers; i++) {
    const folder = managerFolder(plan.data, i)
    const words = ['manager', '--data', folder, '--no-advice']
    const makesCluster = i === 1 && !existsSync(join(folder, 'swarmdisk.json'))
    await start(i === 1 ? 'manager' : `manager ${i}`, words, [
      ...words,
      ...(makesCluster ? ['--new'] : []),
    ])
  }
  await Promise.all(
    Array.from({ length: plan.servers }, (_, i) => {
      const name = serverName(i)
      const folder = join(plan.data, `storage-${name}`)
      // One host, but each server stands for a host of its own.
      const words = ['storage', '--data', folder, '--name', name, '--domain', name]
      return startStorage(`storage ${name}`, folder, words)
    }),
  )
  if (plan.mount === null) return 'started'
  mkdirSync(plan.mount, { recursive: true })
  await start('mount', ['mount', plan.mount])
  return 'started'
}

/** Its process has ended by itself: nobody has to wait for its lease. If it fails, all do. */
async function tellOf(data: string, plan: DevPlan): Promise<void> {
  const log = createLog(plan.logLevel, 'dev')
  const flags = { 'key-file': plan.keyFile, bootstrap: plan.address, 'log-level': 'warn' as const }
  try {
    const { kind } = await tellGone({ access: clusterAccess(flags), data, log })
    log.info('told the managers that a storage server is gone', { data, kind })
  } catch (error) {
    if (!isSwarmdiskError(error)) throw error
    log.warn('the managers were not told that a storage server is gone', { error: error.message })
  }
}

/** The first one's name is that of a cluster with one. */
function managerFolder(data: string, number: number): string {
  return join(data, number === 1 ? 'manager' : `manager-${number}`)
}

/** A cluster whose managers are not all started may have no majority, and would only wait. */
function checkManagers(data: string, asked: number): void {
  const known = [1, 2, 3, 4, 5].filter(i => existsSync(managerFolder(data, i))).length
  if (known <= asked) return
  throw new SwarmdiskError(
    'bad-input',
    `${data} holds ${known} managers: give --managers ${known <= 3 ? 3 : 5}.`,
  )
}

/** a, b, … z, then s26, s27, … */
function serverName(i: number): string {
  return i < 26 ? String.fromCharCode(97 + i) : `s${i}`
}

function describe(plan: DevPlan): string {
  const mount = plan.mount === null ? '' : ` mount=${plan.mount}`
  const { address, keyFile, managers, servers } = plan
  return `bootstrap=${address} key-file=${keyFile} managers=${managers} servers=${servers}${mount}`
}
