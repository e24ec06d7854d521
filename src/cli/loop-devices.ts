// Loop devices on image files: attached with direct I/O, usable when attach() returns, taken away
// with the file systems on them. What there is, is read from /sys: asking the loop driver itself
// (as losetup --list does) would ask the mount under it, which may hang or be dead.
import { access, readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Clock } from '../base/clock.js'
import { wait } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import {
  ABORT_STEP_DEADLINE_MS,
  BLOCK_BYTES,
  DEVICE_RELEASE_DEADLINE_MS,
  DEVICE_RELEASE_INTERVAL_MS,
  FILE_SYSTEM_UNMOUNT_DEADLINE_MS,
  FIRST_READ_DEADLINE_MS,
  MOUNT_PROBE_DEADLINE_MS,
} from '../base/limits.js'
import type { Log } from '../base/log.js'
import { readMountTable, type MountEntry } from '../fuse/mount-table.js'
import { describeHolders, holdersOf } from '../fuse/open-files.js'
import type { Tools } from '../fuse/run-tool.js'
import type { UnmountOptions } from '../fuse/transport.js'
import type { AttachedDevice, ImageUsers } from '../fuse/unmount.js'

export interface LoopDevice extends AttachedDevice {
  readonly readOnly: boolean
  readonly directIo: boolean
}

export interface LoopDevicesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly tools: Tools
  /** For tests. */
  readonly userId?: number
}

// The kernel adds this to the name of a file that was deleted while open.
const DELETED = ' (deleted)'

export class LoopDevices implements ImageUsers {
  readonly #clock: Clock
  readonly #log: Log
  readonly #tools: Tools
  readonly #userId: number

  constructor(options: LoopDevicesOptions) {
    this.#clock = options.clock
    this.#log = options.log
    this.#tools = options.tools
    this.#userId = options.userId ?? process.getuid?.() ?? 0
  }

  /** All that have a file, of swarmdisk or not, in the order of their names. */
  async list(): Promise<readonly LoopDevice[]> {
    const names = (await readdir('/sys/block')).filter(name => /^loop\d+$/.test(name))
    const devices = await Promise.all(names.map(readLoopDevice))
    return devices
      .filter(device => device !== null)
      .sort((a, b) => a.device.localeCompare(b.device, 'en', { numeric: true }))
  }

  /**
   * Those on an image. One whose mount was taken away from under it shows the path within that
   * mount, "/<volume>.img", and is found too, because somebody has to be able to detach it.
   */
  async find(imagePath: string): Promise<readonly LoopDevice[]> {
    const orphan = `/${basename(imagePath)}`
    // A file of that name in the root directory would be somebody's own.
    const isOrphan = !(await exists(orphan))
    return (await this.list()).filter(
      device => device.backingFile === imagePath || (isOrphan && device.backingFile === orphan),
    )
  }

  /** Returns after a first read through the device. Undoes what it did if that fails. */
  async attach(imagePath: string, options: { readonly readOnly: boolean }): Promise<LoopDevice> {
    this.#requireRoot()
    await this.#checkImage(imagePath)
    await this.#refuseSecond(imagePath, null)
    const args = ['--find', '--show', '--direct-io=on']
    if (options.readOnly) args.push('--read-only')
    const shown = await this.#tools.must('losetup', [...args, imagePath], FIRST_READ_DEADLINE_MS)
    const path = shown.trim()
    try {
      // Somebody may have attached it at the same time; then both give up rather than both write.
      await this.#refuseSecond(imagePath, path)
      await this.#firstRead(path)
    } catch (error) {
      await this.detach(path, { abort: true })
      throw error
    }
    const device = await readLoopDevice(basename(path))
    if (!device) throw new SwarmdiskError('in-use', `${path} was detached by somebody else.`)
    if (!device.directIo) {
      this.#log.warn('the loop device caches a second time: direct I/O was not possible', {
        device: device.device,
      })
    }
    return device
  }

  /**
   * Unmounts every file system on the device, then takes the device away. Fails with 'in-use',
   * naming who uses it; with `abort` file systems are unmounted lazily, and the device goes when
   * the last user does.
   */
  async detach(device: string, options: UnmountOptions): Promise<void> {
    this.#requireRoot()
    if ((await readLoopDevice(basename(device))) === null) {
      throw new SwarmdiskError('not-found', `${device} is not an attached loop device.`)
    }
    const mounts = (await readMountTable()).filter(entry => isOnDevice(entry, device))
    for (const entry of mounts.reverse()) {
      if (options.abort) await this.#unmountLazily(entry.mountPoint)
      else await this.#unmountIdle(entry.mountPoint)
    }
    if (!options.abort) await this.#waitUntilUnused(device)
    await this.#remove(device, options)
  }

  #requireRoot(): void {
    if (this.#userId === 0) return
    throw new SwarmdiskError('environment', 'Loop devices need root: run this with sudo.')
  }

  /** Not by looking ourselves: the mount it lies on may hang. */
  async #checkImage(imagePath: string): Promise<void> {
    const result = await this.#tools.run('stat', ['--', imagePath], MOUNT_PROBE_DEADLINE_MS)
    if (result.exitCode === 0) return
    throw new SwarmdiskError(
      'not-found',
      `There is no image ${imagePath} (${result.stderr.trim()}): is the volume's mount there?`,
    )
  }

  async #refuseSecond(imagePath: string, own: string | null): Promise<void> {
    const other = (await this.list()).find(
      device => device.backingFile === imagePath && device.device !== own,
    )
    if (!other) return
    throw new SwarmdiskError(
      'in-use',
      `${basename(imagePath)} is attached as ${other.device} already: use that, or detach it.`,
    )
  }

  async #firstRead(device: string): Promise<void> {
    const bytes = [`bs=${BLOCK_BYTES}`, 'count=1', 'iflag=direct', 'status=none']
    const result = await this.#tools.run(
      'dd',
      [`if=${device}`, 'of=/dev/null', ...bytes],
      FIRST_READ_DEADLINE_MS,
    )
    if (result.exitCode === 0) return
    const said = result.stderr.trim()
    throw new SwarmdiskError('disk-error', `The first read through ${device} failed: ${said}`)
  }

  async #unmountIdle(mountPoint: string): Promise<void> {
    const args = ['-c', mountPoint]
    const result = await this.#tools.run('umount', args, FILE_SYSTEM_UNMOUNT_DEADLINE_MS)
    if (result.exitCode === 0) return
    const holders = await holdersOf(mountPoint)
    const users = holders.length > 0 ? describeHolders(holders) : result.stderr.trim()
    throw new SwarmdiskError(
      'in-use',
      `The file system on ${mountPoint} is used by ${users}: end that first, or use --abort.`,
    )
  }

  /** Also frees it from a file system that has requests to a dead mount in flight. */
  async #unmountLazily(mountPoint: string): Promise<void> {
    const plain = await this.#tools
      .run('umount', ['-c', mountPoint], ABORT_STEP_DEADLINE_MS)
      .then(result => result.exitCode === 0)
      .catch((error: unknown) => {
        if (!(error instanceof SwarmdiskError)) throw error
        return false
      })
    if (!plain) await this.#tools.must('umount', ['-c', '-l', mountPoint], ABORT_STEP_DEADLINE_MS)
  }

  /** The kernel would take the device away from under a reader at its next close, silently. */
  async #waitUntilUnused(device: string): Promise<void> {
    const holders = await this.#until(async () => {
      const found = await holdersOf(device)
      return found.length === 0 ? null : describeHolders(found)
    })
    if (holders === null) return
    throw new SwarmdiskError(
      'in-use',
      `${device} is used by ${holders}: end that first, or use --abort.`,
    )
  }

  async #remove(device: string, options: UnmountOptions): Promise<void> {
    const result = await this.#tools.run('losetup', ['--detach', device])
    const left = await this.#until(async () =>
      (await readLoopDevice(basename(device))) === null ? null : result.stderr.trim(),
    )
    if (left === null) return
    if (options.abort) {
      this.#log.warn('the loop device goes away when its last user does', { device })
      return
    }
    throw new SwarmdiskError(
      'in-use',
      `${device} is still used (by a partition, a mapping or swap) and goes away with its last ` +
        `user. ${left}`,
    )
  }

  /** Null as soon as the check gives null; else what it last gave, at the deadline. */
  async #until(check: () => Promise<string | null>): Promise<string | null> {
    const end = this.#clock.now() + DEVICE_RELEASE_DEADLINE_MS
    // Our clocks do not keep a process alive, so something has to.
    const alive = setInterval(() => undefined, 2 ** 30)
    try {
      for (;;) {
        const left = await check()
        if (left === null || this.#clock.now() >= end) return left
        await wait(this.#clock, DEVICE_RELEASE_INTERVAL_MS)
      }
    } finally {
      clearInterval(alive)
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    // Whatever the reason, it is not there for us.
    return false
  }
}

function isOnDevice(entry: MountEntry, device: string): boolean {
  // Its partitions too: /dev/loop0p1.
  return entry.source === device || entry.source.startsWith(`${device}p`)
}

async function readLoopDevice(name: string): Promise<LoopDevice | null> {
  try {
    const folder = `/sys/block/${name}`
    const file = (await readFile(`${folder}/loop/backing_file`, 'utf8')).trimEnd()
    const directIo = (await readFile(`${folder}/loop/dio`, 'utf8')).trim() === '1'
    const readOnly = (await readFile(`${folder}/ro`, 'utf8')).trim() === '1'
    const backingFile = file.endsWith(DELETED) ? file.slice(0, -DELETED.length) : file
    return { device: `/dev/${name}`, backingFile, readOnly, directIo }
  } catch (error) {
    // Without a file, these entries do not exist, or vanish while they are read.
    if (['ENOENT', 'ENXIO', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return null
    }
    throw error
  }
}
