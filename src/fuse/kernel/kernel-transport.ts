// Serves a mount by speaking the FUSE protocol with the kernel itself: no library in between, many
// requests at a time, up to a megabyte each, and TRIM. Linux and root. mount(8) gets the open
// device as its descriptor 3 and mounts it.
import { spawnSync } from 'node:child_process'
import { endianness } from 'node:os'
import { assert } from '../../base/assert.js'
import { wait, type Clock } from '../../base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import {
  ABORT_STEP_DEADLINE_MS,
  ABORTED_MOUNT_GRACE_MS,
  MOUNT_DEADLINE_MS,
  MOUNT_WATCH_INTERVAL_MS,
  REQUEST_BYTES_MAX,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { abortConnection } from '../connection.js'
import { checkDevice } from '../fuse-device.js'
import type { FileOperations } from '../file-operations.js'
import { FUSE_SOURCE, readMountTable, type MountEntry } from '../mount-table.js'
import type { Transport, UnmountOptions } from '../transport.js'
import { clearDeadMounts, mountAt, unmountMount, type MountHost } from '../unmount.js'
import { BufferPool } from './buffer-pool.js'
import { FuseDevice } from './device.js'
import { Session } from './session.js'

export interface KernelTransportOptions {
  readonly operations: FileOperations
  /** As prepareMountPoint() gave it. */
  readonly mountPoint: string
  readonly host: MountHost
  readonly clock: Clock
  readonly log: Log
  /** For tests. */
  readonly device?: string
  readonly userId?: number
}

const MOUNT_OPTIONS = [
  'fd=3',
  'rootmode=40000',
  'nosuid',
  'nodev',
  'allow_other',
  'default_permissions',
  `max_read=${REQUEST_BYTES_MAX}`,
  `subtype=${FUSE_SOURCE}`,
]

export class KernelTransport implements Transport {
  readonly closed: Promise<void>
  readonly #options: KernelTransportOptions
  #resolveClosed: () => void = () => undefined
  #entry: MountEntry | null = null
  /** Set when the device has said that nothing comes any more. */
  #served = false

  constructor(options: KernelTransportOptions) {
    this.#options = options
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve
    })
  }

  async mount(): Promise<void> {
    const { host, mountPoint } = this.#options
    await this.#checkHost()
    let begun: (spoken: boolean) => void = () => undefined
    const started = new Promise<boolean>(resolve => {
      begun = resolve
    })
    const device = this.#device(begun)
    device.start()
    process.once('exit', this.#abandon)
    try {
      await this.#mountDevice(device)
      device.mounted()
      await this.#spoken(started)
    } catch (error) {
      // The kernel may have mounted it although we were told otherwise.
      await unmountMount(host, mountPoint, { abort: true }).catch((second: unknown) => {
        if (!isSwarmdiskError(second)) throw second
      })
      device.stop()
      throw error
    }
    this.#entry = await mountAt(mountPoint)
    const polled = await device.poll(host.tools)
    this.#options.log.debug('the kernel transport serves', { mountPoint, polled })
  }

  async unmount(options: UnmountOptions): Promise<void> {
    const { host, mountPoint } = this.#options
    // After a lazy unmount by somebody else, whoever has a file open is still served.
    if (!this.#served && this.#entry && !(await this.#isMounted())) {
      if (!options.abort) {
        throw new SwarmdiskError(
          'in-use',
          `${mountPoint} was unmounted, but files of it are open: close them, or use --abort.`,
        )
      }
      await abortConnection(host.tools, this.#entry)
    } else await unmountMount(host, mountPoint, options)
    await this.closed
  }

  async #checkHost(): Promise<void> {
    const user = this.#options.userId ?? process.getuid?.()
    if (process.platform !== 'linux' || endianness() !== 'LE' || user !== 0) {
      const text = 'The kernel transport needs Linux and root: run this as root.'
      throw new SwarmdiskError('environment', text)
    }
    await checkDevice(this.#options.device ?? '/dev/fuse')
  }

  #device(started: (spoken: boolean) => void): FuseDevice {
    const { operations, clock, device: path = '/dev/fuse' } = this.#options
    const buffers = new BufferPool()
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
    const room = (): void => device.resume()
    const session = new Session({ operations, buffers, owner, started, room })
    const ended = (error: Error | null): void => void this.#end(error)
    const device = openDevice(() => {
      return new FuseDevice({ path, clock, buffers, receiver: session, ended })
    })
    return device
  }

  async #mountDevice(device: FuseDevice): Promise<void> {
    const { host, mountPoint } = this.#options
    const owner = [`user_id=${process.getuid?.() ?? 0}`, `group_id=${process.getgid?.() ?? 0}`]
    const options = [...MOUNT_OPTIONS, ...owner].join(',')
    const args = ['-i', '-t', 'fuse', '-o', options, FUSE_SOURCE, mountPoint]
    const result = await host.tools.runWithFiles('mount', args, [device.descriptor])
    if (result.exitCode === 0) return
    const said = result.stderr.trim().split('\n')[0] ?? ''
    throw new SwarmdiskError('environment', `Mounting on ${mountPoint} failed: ${said}`)
  }

  async #spoken(started: Promise<boolean>): Promise<void> {
    const { clock, mountPoint } = this.#options
    const spoken = await Promise.race([started, wait(clock, MOUNT_DEADLINE_MS).then(() => null)])
    if (spoken === true) return
    const text =
      spoken === null
        ? `The kernel did not start the mount on ${mountPoint}: see dmesg.`
        : 'This kernel is too old for the kernel transport: use --transport fuse-native.'
    throw new SwarmdiskError('environment', text)
  }

  /**
   * A process cannot end while a thread of it waits in a read, so whatever ends ours with the mount
   * still there (a bug) has to end the mount first: what waits for it fails, and does not hang.
   */
  readonly #abandon = (): void => {
    spawnSync('umount', ['-i', '-c', '-f', this.#options.mountPoint], {
      stdio: 'ignore',
      timeout: ABORT_STEP_DEADLINE_MS,
      killSignal: 'SIGKILL',
    })
  }

  async #end(error: Error | null): Promise<void> {
    const { log, mountPoint } = this.#options
    this.#served = true
    process.removeListener('exit', this.#abandon)
    if (error) log.error('the kernel cannot be heard any more', { reason: error.message })
    else log.info('the mount is gone', { mountPoint })
    await this.#untilGone()
    this.#resolveClosed()
  }

  /** Whoever aborted the connection unmounts it as well; if not, we do. */
  async #untilGone(): Promise<void> {
    const { clock, host, mountPoint } = this.#options
    const end = clock.now() + ABORTED_MOUNT_GRACE_MS
    while (await this.#isMounted()) {
      if (clock.now() >= end) {
        await clearDeadMounts(host, mountPoint)
        return
      }
      await wait(clock, MOUNT_WATCH_INTERVAL_MS)
    }
  }

  async #isMounted(): Promise<boolean> {
    const { mountPoint } = this.#options
    const entries = await readMountTable()
    return entries.some(
      entry => entry.mountPoint === mountPoint && entry.device === this.#entry?.device,
    )
  }
}

function openDevice(open: () => FuseDevice): FuseDevice {
  try {
    return open()
  } catch (cause) {
    assert(cause instanceof Error, 'open(2) fails with an error')
    const text = `/dev/fuse cannot be opened (${cause.message}): load it with "modprobe fuse".`
    throw new SwarmdiskError('environment', text, { cause })
  }
}
