// Starts the child that serves a mount, on a directory of its own, and takes everything away again
// at the end of the test: what stands on the mount, the mount, the child, the directory.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tape'
import { systemClock } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { silentLog } from '../../src/base/log.js'
import { mountHost, type LocalHost } from '../../src/cli/mount-host.js'
import type { TransportChoice } from '../../src/fuse/serve-mount.js'
import { unmountMount } from '../../src/fuse/unmount.js'
import type { ServerAnswer, ServerCommand } from './fuse-server-child.js'
import type { DriverCounts } from './memory-driver.js'
import { undo } from './undo.js'

const CHILD = fileURLToPath(new URL('fuse-server-child.ts', import.meta.url))

export const host: LocalHost = mountHost({ clock: systemClock, log: silentLog })

export interface FuseServer {
  readonly directory: string
  readonly pid: number
  image(volume: string): string
  command(command: ServerCommand): Promise<DriverCounts>
  counts(): Promise<DriverCounts>
  /** Without waiting for an answer. */
  tell(command: ServerCommand): void
  /** The next thing the child says by itself. */
  next(): Promise<ServerAnswer>
  kill(signal: NodeJS.Signals): void
  /** The exit code; null after a signal. */
  readonly exited: Promise<number | null>
}

export async function makeDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'swarmdisk-test-'))
  undo(t, () => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Fails with what the child says if it cannot mount. */
export async function startFuseServer(
  t: Test,
  volumes: Readonly<Record<string, number>>,
  options: {
    readonly directory?: string
    readonly transport?: TransportChoice
    /** As on a host without Perl. */
    readonly withoutPerl?: boolean
  } = {},
): Promise<FuseServer> {
  const mountPoint = options.directory ?? (await makeDirectory(t))
  const words = [mountPoint, JSON.stringify(volumes), options.transport ?? 'auto']
  if (options.withoutPerl) words.push('without-perl')
  const child = fork(CHILD, words, { execArgv: ['--import', 'tsx'] })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  undo(t, async () => {
    await discard(mountPoint)
    child.kill('SIGKILL')
    await exited
  })
  const said = await nextAnswer(child)
  if (said.kind !== 'ready') throw new Error(JSON.stringify(said))
  return served(child, mountPoint, exited)
}

function served(
  child: ChildProcess,
  directory: string,
  exited: Promise<number | null>,
): FuseServer {
  const command = async (message: ServerCommand): Promise<DriverCounts> => {
    const answer = nextAnswer(child)
    child.send(message)
    const said = await answer
    if (said.kind !== 'counts') throw new Error(`unexpected: ${JSON.stringify(said)}`)
    return said.counts
  }
  return {
    directory,
    pid: child.pid ?? 0,
    image: volume => join(directory, `${volume}.img`),
    command,
    tell: message => void child.send(message),
    counts: () => command({ kind: 'counts' }),
    next: () => nextAnswer(child),
    kill: signal => child.kill(signal),
    exited,
  }
}

async function nextAnswer(child: ChildProcess): Promise<ServerAnswer> {
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the child ended (${String(code)}) without an answer`)
    }),
  ])) as [ServerAnswer]
  return message
}

/** Whatever is mounted there, in whatever state. */
async function discard(mountPoint: string): Promise<void> {
  try {
    await unmountMount(host, mountPoint, { abort: true })
  } catch (error) {
    // The usual end: the test has unmounted it.
    if (!isSwarmdiskError(error, 'not-found')) throw error
  }
}
