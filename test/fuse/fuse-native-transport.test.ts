import type FuseClass from 'fuse-native'
import { open, readdir, stat, statfs } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import { systemClock } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { silentLog } from '../../src/base/log.js'
import { FileOperations } from '../../src/fuse/file-operations.js'
import { FuseNativeTransport } from '../../src/fuse/fuse-native-transport.js'
import { readMountTable } from '../../src/fuse/mount-table.js'
import { host, startFuseServer } from '../helpers/fuse-server.js'
import { MemoryDriver } from '../helpers/memory-driver.js'
import { undo } from '../helpers/undo.js'

const MiB = 1024 * 1024

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'success'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

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

test('files on a mount', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB, big: 2 ** 43 })
  const entry = (await readMountTable()).find(found => found.mountPoint === server.directory)
  t.equal(entry?.type, 'fuse.swarmdisk')
  t.equal(entry?.source, 'swarmdisk')

  t.deepEqual((await readdir(server.directory)).sort(), ['.snapshots', 'a.img', 'big.img'])
  const a = await stat(server.image('a'))
  t.equal(a.size, MiB)
  t.equal(a.mode, 0o100600)
  t.equal((await stat(server.image('big'))).size, 2 ** 43, 'a true size of 8 TiB')
  const space = await statfs(server.directory)
  t.equal(space.blocks * space.bsize, 2 ** 43 + MiB, 'the space of all volumes')
  t.equal(space.bfree, 0)

  const file = await open(server.image('big'), 'r+')
  try {
    const place = 2 ** 42 + 4095
    await file.write('far out', place)
    const { buffer } = await file.read(Buffer.alloc(9), 0, 9, place - 1)
    t.equal(buffer.toString('latin1'), '\0far out\0', 'odd offsets beyond 4 GiB')
    const flushes = (await server.counts()).flushes
    await file.datasync()
    t.equal((await server.counts()).flushes, flushes + 1, 'fsync reaches the driver')
    await file.write('again', 0)
  } finally {
    await file.close()
  }
  t.equal((await server.counts()).flushes, 2, 'so does close after a write')
  t.equal((await stat(server.image('a'))).mtimeMs, a.mtimeMs, 'times stay')

  await server.command({ kind: 'add', name: 'new', size: 4096 })
  t.equal((await stat(server.image('new'))).size, 4096, 'a new volume is there at once')
  await server.command({ kind: 'remove', name: 'new' })
  t.notOk((await readdir(server.directory)).includes('new.img'), 'and a deleted one is gone')
  t.equal(await codeOf(open(server.image('new'), 'r')), 'ENOENT')
})

test('writes come in 128 KiB', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: 4 * MiB })
  const data = Buffer.alloc(4 * MiB, 'swarmdisk')
  const file = await open(server.image('a'), 'r+')
  await file.write(data, 0, data.length, 0)
  const { buffer } = await file.read(Buffer.alloc(data.length), 0, data.length, 0)
  await file.close()
  t.ok(buffer.equals(data), 'read back equal')
  const counts = await server.counts()
  t.equal(counts.largestWrite, 128 * 1024)
  t.equal(counts.largestRead, 128 * 1024)
  t.ok(counts.writes <= 33, `${counts.writes} writes: the memory may start within a page`)
})

test('what is refused', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  const image = server.image('a')
  const other = join(server.directory, 'other')
  t.equal(await codeOf(fs.writeFile(other, 'x')), 'EPERM', 'create')
  t.equal(await codeOf(fs.mkdir(other)), 'EPERM', 'mkdir')
  t.equal(await codeOf(fs.rename(image, other)), 'EPERM', 'rename')
  t.equal(await codeOf(fs.unlink(image)), 'EPERM', 'unlink')
  t.equal(await codeOf(fs.rmdir(join(server.directory, '.snapshots'))), 'EPERM', 'rmdir')
  t.equal(await codeOf(fs.symlink(image, other)), 'EPERM', 'symlink')
  t.equal(await codeOf(fs.link(image, other)), 'EPERM', 'link')
  t.equal(await codeOf(fs.chmod(image, 0o666)), 'EPERM', 'chmod')
  t.equal(await codeOf(fs.chown(image, 1, 1)), 'EPERM', 'chown')
  t.equal(await codeOf(fs.utimes(image, 0, 0)), 'EPERM', 'utimes')
  t.equal(await codeOf(fs.truncate(image, 4096)), 'EPERM', 'truncate')
  t.equal(await codeOf(fs.truncate(image, MiB)), 'success', 'truncate to the same size')
  t.equal(await codeOf(fs.writeFile(join(server.directory, '.snapshots/x'), '')), 'EROFS')
  t.equal(await codeOf(open(other, 'r')), 'ENOENT')

  const file = await open(image, 'r+')
  t.equal((await file.write(Buffer.alloc(8192), 0, 8192, MiB - 4096)).bytesWritten, 4096)
  t.equal(await codeOf(file.write(Buffer.alloc(1), 0, 1, MiB)), 'ENOSPC', 'beyond the end')
  t.equal((await file.read(Buffer.alloc(10), 0, 10, MiB - 4)).bytesRead, 4, 'cut at the end')
  for (const [code, errno] of [
    ['io-timeout', 'EIO'],
    ['disk-full', 'ENOSPC'],
    ['not-found', 'EIO'],
  ] as const) {
    await server.command({ kind: 'fail', code })
    t.equal(await codeOf(file.read(Buffer.alloc(10), 0, 10, 0)), errno, `${code} at read`)
    t.equal(await codeOf(file.write('x', 0)), errno, `${code} at write`)
    t.equal(await codeOf(file.sync()), errno, `${code} at fsync`)
  }
  await server.command({ kind: 'fail', code: null })
  t.equal(await codeOf(file.write('x', 0)), 'success', 'all well again')
  await file.close()
})

test('snapshots on a mount', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  const folder = join(server.directory, '.snapshots')
  t.deepEqual(await readdir(folder), [], 'there, and empty')
  const writer = await open(server.image('a'), 'r+')
  await writer.write('old', 0)
  await server.command({ kind: 'snapshot', volume: 'a', name: 's1' })
  await writer.write('new', 0)
  await writer.close()
  t.deepEqual(await readdir(folder), ['a@s1.img'], 'at once')
  const image = join(folder, 'a@s1.img')
  const { size, mode } = await stat(image)
  t.deepEqual([size, mode], [MiB, 0o100400])

  const other = join(folder, 'other')
  t.equal(await codeOf(open(image, 'r+')), 'EROFS', 'opening for writing')
  t.equal(await codeOf(fs.truncate(image, 0)), 'EROFS', 'truncate')
  t.equal(await codeOf(fs.writeFile(other, 'x')), 'EROFS', 'create')
  t.equal(await codeOf(fs.mkdir(other)), 'EROFS', 'mkdir')
  t.equal(await codeOf(fs.unlink(image)), 'EROFS', 'unlink')
  t.equal(await codeOf(fs.rename(image, join(server.directory, 'b.img'))), 'EROFS', 'rename')
  t.equal(await codeOf(fs.link(image, other)), 'EROFS', 'link')
  t.equal(await codeOf(fs.chmod(image, 0o600)), 'EROFS', 'chmod')

  const file = await open(image, 'r')
  const read = (): Promise<string> => fs.readFile(image).then(b => b.toString('latin1', 0, 3))
  t.equal(await read(), 'old')
  t.equal(await codeOf(file.sync()), 'success', 'nothing to flush')
  const { device, readOnly } = await host.loops.attach(image, { readOnly: true })
  undo(t, () => host.loops.detach(device, { abort: true }))
  t.ok(readOnly)
  t.equal((await fs.readFile(device)).toString('latin1', 0, 3), 'old', 'through a loop device')

  await server.command({ kind: 'delete-snapshot', volume: 'a', name: 's1' })
  t.deepEqual(await readdir(folder), [], 'gone at once')
  t.equal(await codeOf(file.read(Buffer.alloc(3), 0, 3, 0)), 'EIO', 'also for who has it open')
  await file.close()
})
