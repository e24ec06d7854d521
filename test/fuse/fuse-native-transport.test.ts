import type FuseClass from 'fuse-native'
import test from 'tape'
import { systemClock } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { silentLog } from '../../src/base/log.js'
import { FileOperations } from '../../src/fuse/file-operations.js'
import { FuseNativeTransport } from '../../src/fuse/fuse-native-transport.js'
import { codeOf, fuseTransportContract } from '../contracts/fuse-transport-contract.js'
import { fuseUnmountContract } from '../contracts/fuse-unmount-contract.js'
import { host } from '../helpers/fuse-server.js'
import { MemoryDriver } from '../helpers/memory-driver.js'

interface Parts {
  readonly load?: () => Promise<typeof FuseClass>
  readonly device?: string
}

function transport(parts: Parts): FuseNativeTransport {
  const operations = new FileOperations({ driver: new MemoryDriver(), clock: systemClock })
  const mountPoint = '/nowhere'
  return new FuseNativeTransport({
    operations,
    mountPoint,
    host,
    clock: systemClock,
    log: silentLog,
    ...parts,
  })
}

test('what is missing on the host is said with the way to get it', async t => {
  const load = (): Promise<never> => Promise.reject(new Error('libfuse.so.2: cannot open'))
  for (const [parts, expected] of [
    [{ load }, /apt-get install -y libfuse2 fuse/],
    [{ device: '/dev/no-fuse' }, /There is no \/dev\/no-fuse: .*modprobe fuse/],
  ] as const) {
    const error: unknown = await transport(parts)
      .mount()
      .catch((caught: unknown) => caught)
    t.ok(isSwarmdiskError(error, 'environment'), 'environment')
    t.match((error as Error).message, expected)
  }
})

test('how fuse-native is asked to mount', async t => {
  const seen: { options: unknown; line: string }[] = []
  class Recording {
    static unmount = (): void => undefined
    readonly timeout = 0
    readonly #options: unknown
    constructor(_mountPoint: string, _handlers: object, options: unknown) {
      this.#options = options
    }
    open(done: (error?: Error) => void): void {
      seen.push({ options: this.#options, line: this._fuseOptions() })
      done(new Error('only recorded'))
    }
    protected _fuseOptions(): string {
      return 'not overridden'
    }
  }
  const load = (): Promise<typeof FuseClass> =>
    Promise.resolve(Recording as unknown as typeof FuseClass)
  t.equal(await codeOf(transport({ load }).mount()), 'environment', 'a failed mount')
  const [{ options, line } = { options: null, line: '' }] = seen
  t.deepEqual(options, { timeout: false }, 'fuse-native never answers in place of a slow cluster')
  for (const option of ['allow_other', 'default_permissions', 'direct_io', 'big_writes']) {
    t.ok(line.slice(2).split(',').includes(option), option)
  }
  t.match(line, /^-o.*\bfsname=swarmdisk\b.*\bmax_read=131072\b/)
  t.ok(line.length < 1024, 'the binding cuts at 1024 bytes')
})

fuseTransportContract('fuse-native', 128 * 1024)
fuseUnmountContract('fuse-native')
