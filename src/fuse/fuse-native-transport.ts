// Serves a mount with fuse-native, that is libfuse 2. fuse-native has traps (field notes 3.1), and
// this file is where they end: its 15 s answers in our place are off, its buffers are copied, its
// lazy unmount is replaced, its option list is ours.
import type FuseClass from 'fuse-native'
import { assert } from '../base/assert.js'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import type { Clock } from '../base/clock.js'
import {
  FUSE_ATTRIBUTE_SECONDS,
  FUSE_REQUEST_BYTES,
  MOUNT_DEADLINE_MS,
  MOUNT_WATCH_INTERVAL_MS,
} from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { FileOperations } from './file-operations.js'
import { checkDevice } from './fuse-device.js'
import { fuseNativeHandlers } from './fuse-native-handlers.js'
import { FUSE_SOURCE, readMountTable } from './mount-table.js'
import type { Transport, UnmountOptions } from './transport.js'
import { mountAt, unmountMount, type MountHost } from './unmount.js'

type FuseModule = typeof FuseClass

export interface FuseNativeOptions {
  readonly operations: FileOperations
  /** As prepareMountPoint() gave it. */
  readonly mountPoint: string
  readonly host: MountHost
  readonly clock: Clock
  readonly log: Log
  /** For tests: where the module and the device come from. */
  readonly load?: () => Promise<FuseModule>
  readonly device?: string
}

/**
 * direct_io keeps the page cache out: every read asks the driver, so another client's writes are
 * seen at once; a write has left the kernel when it returns; and no dirty page of a file waits for
 * a process that needs memory to write it. Loop devices and O_DIRECT work as without it. What is
 * lost are shared writable mappings of image files. big_writes is for whoever takes it out again:
 * then buffered writes would come in pages.
 */
export const FUSE_OPTIONS: readonly string[] = [
  'allow_other',
  'default_permissions',
  `fsname=${FUSE_SOURCE}`,
  `subtype=${FUSE_SOURCE}`,
  'direct_io',
  'big_writes',
  `max_read=${FUSE_REQUEST_BYTES}`,
  `max_write=${FUSE_REQUEST_BYTES}`,
  `entry_timeout=${FUSE_ATTRIBUTE_SECONDS}`,
  `attr_timeout=${FUSE_ATTRIBUTE_SECONDS}`,
  'negative_timeout=0',
]

export class FuseNativeTransport implements Transport {
  readonly closed: Promise<void>
  readonly #options: FuseNativeOptions
  #resolveClosed: () => void = () => undefined

  constructor(options: FuseNativeOptions) {
    this.#options = options
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve
    })
  }

  async mount(): Promise<void> {
    const { mountPoint, operations, host } = this.#options
    await checkDevice(this.#options.device ?? '/dev/fuse')
    const Fuse = await loadFuse(this.#options.load ?? importFuse)
    const fuse = new Fuse(mountPoint, fuseNativeHandlers(operations), { timeout: false })
    assert(fuse.timeout === 0, 'fuse-native never answers in our place')
    try {
      await this.#open(fuse)
    } catch (error) {
      // The kernel may have mounted it although nobody serves it.
      await unmountMount(host, mountPoint, { abort: true }).catch((second: unknown) => {
        if (!isSwarmdiskError(second)) throw second
      })
      throw error
    }
    // Somebody may have unmounted it already; then the first look finds nothing.
    this.#watch(fuse, (await mountAt(mountPoint))?.device ?? null)
  }

  async unmount(options: UnmountOptions): Promise<void> {
    await unmountMount(this.#options.host, this.#options.mountPoint, options)
    await this.closed
  }

  #open(fuse: FuseClass): Promise<void> {
    const { clock, mountPoint } = this.#options
    return new Promise((resolve, reject) => {
      const timer = clock.after(MOUNT_DEADLINE_MS, () => {
        const text = `The kernel did not start the mount on ${mountPoint}: see dmesg.`
        reject(new SwarmdiskError('environment', text))
      })
      fuse.open(cause => {
        timer.cancel()
        if (!cause) resolve()
        else reject(new SwarmdiskError('environment', mountFailure(mountPoint, cause), { cause }))
      })
    })
  }

  /** libfuse does not tell us when somebody unmounts it. */
  #watch(fuse: FuseClass, device: string | null): void {
    const { clock, log, mountPoint } = this.#options
    clock.after(MOUNT_WATCH_INTERVAL_MS, () => {
      void this.#isMounted(device).then(mounted => {
        if (mounted) {
          this.#watch(fuse, device)
          return
        }
        log.info('the mount is gone', { mountPoint })
        // Lets go of the event loop; there is nothing left to unmount.
        fuse.close(() => this.#resolveClosed())
      })
    })
  }

  async #isMounted(device: string | null): Promise<boolean> {
    const { log, mountPoint } = this.#options
    try {
      const entries = await readMountTable()
      return entries.some(entry => entry.mountPoint === mountPoint && entry.device === device)
    } catch (error) {
      // No file descriptors left, for example: look again next time.
      log.warn('the mount table cannot be read', { reason: String(error) })
      return true
    }
  }
}

async function importFuse(): Promise<FuseModule> {
  return (await import('fuse-native')).default
}

/** fuse-native with our options and without its own unmount. */
async function loadFuse(load: () => Promise<FuseModule>): Promise<FuseModule> {
  const Fuse = await load().catch((cause: unknown) => {
    const text = 'libfuse 2 cannot be loaded: apt-get install -y libfuse2 fuse'
    throw new SwarmdiskError('environment', text, { cause })
  })
  // Its own runs `fusermount -uz`, lazily; when we close, the mount is gone already.
  Fuse.unmount = (_, done) => done()
  return class extends Fuse {
    // It joins what it knows, and knows neither big_writes nor direct_io.
    protected override _fuseOptions(): string {
      return `-o${FUSE_OPTIONS.join(',')}`
    }
  }
}

function mountFailure(mountPoint: string, cause: Error): string {
  const hint = process.getuid?.() === 0 ? 'see what libfuse says above' : 'run this as root'
  return `Mounting on ${mountPoint} failed (${cause.message}): ${hint}.`
}
