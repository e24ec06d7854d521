// Taking a mount away, from any process, also the one that serves it: everything that may touch the
// mount is a child process with a deadline. What stands on a mount is undone from the top: file
// systems, then loop devices, then the mount.
import { realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import { ABORT_STEP_DEADLINE_MS, DEAD_MOUNTS_MAX, HOLDERS_NAMED_MAX } from '../base/limits.js'
import type { Log } from '../base/log.js'
import { abortConnection, probe } from './connection.js'
import { isSwarmdiskMount, isWithin, readMountTable, type MountEntry } from './mount-table.js'
import { describeHolders, holdersOf } from './open-files.js'
import type { Tools } from './run-tool.js'
import type { UnmountOptions } from './transport.js'

export interface AttachedDevice {
  /** "/dev/loop0" */
  readonly device: string
  readonly backingFile: string
}

/** What mounts need of loop devices (src/cli/loop-devices.ts). */
export interface ImageUsers {
  list(): Promise<readonly AttachedDevice[]>
  detach(device: string, options: UnmountOptions): Promise<void>
}

export interface MountHost {
  readonly log: Log
  readonly tools: Tools
  readonly loops: ImageUsers
}

/**
 * Fails with 'not-found' if nothing is mounted there, 'bad-input' if it is not ours, 'in-use' with
 * the names of the users if it is used. A mount whose process is dead is cleared with all that
 * stands on it, since nothing of it can live; with `abort` a living one is, too.
 */
export async function unmountMount(
  host: MountHost,
  directory: string,
  options: UnmountOptions,
): Promise<void> {
  const mountPoint = await canonical(directory)
  const entry = await mountAt(mountPoint)
  if (entry === null) {
    throw new SwarmdiskError('not-found', `Nothing is mounted on ${mountPoint}.`)
  }
  if (!isSwarmdiskMount(entry)) {
    throw new SwarmdiskError('bad-input', `The mount on ${mountPoint} is not one of swarmdisk.`)
  }
  if (options.abort) {
    await abortConnection(host.tools, entry)
    return clear(host, mountPoint)
  }
  switch (await probe(host.tools, mountPoint)) {
    case 'dead':
      return clear(host, mountPoint)
    case 'silent':
      throw new SwarmdiskError(
        'in-use',
        `The process that serves ${mountPoint} does not answer: end it, or unmount with --abort.`,
      )
    case 'alive':
      return unmountIdle(host, mountPoint)
  }
}

/** Unmounts what is dead on a directory; true if there was something. */
export async function clearDeadMounts(host: MountHost, mountPoint: string): Promise<boolean> {
  for (let count = 0; count < DEAD_MOUNTS_MAX; count++) {
    const entry = await mountAt(mountPoint)
    if (entry === null || !isSwarmdiskMount(entry)) return count > 0
    if ((await probe(host.tools, mountPoint)) !== 'dead') return count > 0
    host.log.warn('clearing a mount whose process is gone', { mountPoint })
    await clear(host, mountPoint)
  }
  return true
}

/** What is mounted there now: the last one, if several. */
export async function mountAt(mountPoint: string): Promise<MountEntry | null> {
  const entries = await readMountTable()
  return entries.filter(entry => entry.mountPoint === mountPoint).at(-1) ?? null
}

/** Without a look at the directory itself, which may be a mount that hangs. */
export async function canonical(directory: string): Promise<string> {
  const path = resolve(directory)
  if (path === '/') return path
  try {
    return join(await realpath(dirname(path)), basename(path))
  } catch (cause) {
    throw new SwarmdiskError('not-found', `There is no directory ${dirname(path)}.`, { cause })
  }
}

async function unmountIdle(host: MountHost, mountPoint: string): Promise<void> {
  const users = await usersOf(host, mountPoint)
  if (users !== null) throw inUse(mountPoint, users)
  const result = await host.tools.run('umount', ['-i', '-c', mountPoint])
  if (result.exitCode === 0 || (await mountAt(mountPoint)) === null) return
  // Somebody came in between.
  const said = result.stderr.trim()
  throw inUse(mountPoint, (await usersOf(host, mountPoint)) ?? `something unknown (${said})`)
}

function inUse(mountPoint: string, users: string): SwarmdiskError {
  return new SwarmdiskError(
    'in-use',
    `${mountPoint} is used by ${users}: end that first, or unmount with --abort.`,
  )
}

/** In words, or null for nobody. */
async function usersOf(host: MountHost, mountPoint: string): Promise<string | null> {
  const devices = await devicesOn(host, mountPoint)
  if (devices.length > 0) {
    const mounts = await readMountTable()
    return devices
      .slice(0, HOLDERS_NAMED_MAX)
      .map(device => describeDevice(device, mounts))
      .join(', ')
  }
  const inner = (await readMountTable()).find(
    entry => entry.mountPoint !== mountPoint && isWithin(entry.mountPoint, mountPoint),
  )
  if (inner) return `the mount on ${inner.mountPoint}`
  const holders = await holdersOf(mountPoint)
  return holders.length === 0 ? null : describeHolders(holders)
}

function describeDevice(attached: AttachedDevice, mounts: readonly MountEntry[]): string {
  const mounted = mounts.find(entry => entry.source === attached.device)
  const where = mounted ? `, mounted on ${mounted.mountPoint}` : ''
  return `${attached.device} (${basename(attached.backingFile)}${where})`
}

async function devicesOn(host: MountHost, mountPoint: string): Promise<AttachedDevice[]> {
  const attached = await host.loops.list()
  return attached.filter(device => isWithin(device.backingFile, mountPoint))
}

/** For a connection that is dead: nothing below waits for an answer any more. */
async function clear(host: MountHost, mountPoint: string): Promise<void> {
  for (const { device } of await devicesOn(host, mountPoint)) {
    try {
      await host.loops.detach(device, { abort: true })
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      // The mount goes away all the same; the device can be detached by its name.
      host.log.warn('a loop device stays', { device, reason: error.message })
    }
  }
  const plain = await host.tools.run('umount', ['-i', '-c', mountPoint], ABORT_STEP_DEADLINE_MS)
  if (plain.exitCode === 0) return
  await host.tools.must('umount', ['-i', '-c', '-l', mountPoint], ABORT_STEP_DEADLINE_MS)
}
