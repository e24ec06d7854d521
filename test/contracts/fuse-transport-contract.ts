// What the files of a mount are to those who use them, whichever transport serves it. Run on both.
import { open, readdir, stat, statfs } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import { basename, join } from 'node:path'
import test, { type Test } from 'tape'
import { readMountTable } from '../../src/fuse/mount-table.js'
import type { TransportName } from '../../src/fuse/serve-mount.js'
import { eventually } from '../helpers/eventually.js'
import { host, startFuseServer, type FuseServer } from '../helpers/fuse-server.js'
import { undo } from '../helpers/undo.js'

const MiB = 1024 * 1024

export type Start = (
  volumes: Readonly<Record<string, number>>,
  directory?: string,
) => Promise<FuseServer>
export type Case = readonly [string, (t: Test, start: Start) => Promise<void>]

/** Runs each case on a mount of its own, served by a process of its own. */
export function runCases(
  transport: TransportName,
  cases: readonly Case[],
  { withoutPerl = false } = {},
): void {
  const name = withoutPerl ? `${transport} without Perl` : transport
  for (const [title, body] of cases) {
    test(`${name}: ${title}`, { timeout: 60_000 }, async t => {
      await body(t, (volumes, directory) =>
        startFuseServer(t, volumes, {
          transport,
          withoutPerl,
          ...(directory === undefined ? {} : { directory }),
        }),
      )
    })
  }
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'success'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

export function fuseTransportContract(
  transport: TransportName,
  /** The largest request. */
  largest: number,
  options: { readonly withoutPerl?: boolean } = {},
): void {
  runCases(transport, [...cases, requestsOf(largest)], options)
}

const cases: readonly Case[] = [
  [
    'files on a mount',
    async (t, start) => {
      const server = await start({ a: MiB, big: 2 ** 43 })
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
    },
  ],
  [
    'many files, numbers that stay',
    async (t, start) => {
      const names = Array.from({ length: 300 }, (_, i) => `v${i}-${'x'.repeat(i % 50)}`)
      const server = await start(Object.fromEntries(names.map(name => [name, 4096])))
      const expected = ['.snapshots', ...names.map(name => `${name}.img`)].sort()
      t.deepEqual((await readdir(server.directory)).sort(), expected, 'all of them, once')
      const entries = await readdir(server.directory, { withFileTypes: true })
      t.deepEqual(
        entries.filter(entry => entry.isDirectory()).map(entry => entry.name),
        ['.snapshots'],
      )
      const numbers = await Promise.all(expected.map(name => stat(join(server.directory, name))))
      t.equal(new Set(numbers.map(({ ino }) => ino)).size, expected.length, 'each its own number')
    },
  ],
  [
    'requests of any size and place, many at a time',
    async (t, start) => {
      const size = 3 * MiB + 4096
      const server = await start({ a: size })
      const model = Buffer.alloc(size)
      const file = await open(server.image('a'), 'r+')
      // Parts beside each other, which share blocks, pages and requests.
      const parts: { readonly from: number; readonly data: Buffer }[] = []
      for (let from = 1, i = 0; from < size; i++) {
        const length = Math.min((i * 7919) % 200_000, size - from)
        parts.push({ from, data: Buffer.alloc(length, i + 1) })
        from += length + 1
      }
      for (const { from, data } of parts) data.copy(model, from)
      const writes = parts.map(({ from, data }) => file.write(data, 0, data.length, from))
      t.deepEqual(
        (await Promise.all(writes)).map(({ bytesWritten }) => bytesWritten),
        parts.map(({ data }) => data.length),
      )
      const reads = parts.map(({ from, data }) => {
        return file.read(Buffer.alloc(data.length + 2), 0, data.length + 2, from - 1)
      })
      const read = await Promise.all(reads)
      const right = read.map(({ bytesRead, buffer }, i) => {
        const from = (parts[i]?.from ?? 0) - 1
        return buffer.subarray(0, bytesRead).equals(model.subarray(from, from + buffer.length))
      })
      t.deepEqual(
        right,
        parts.map(() => true),
        `${parts.length} parts read back`,
      )
      await file.close()
      t.ok((await fs.readFile(server.image('a'))).equals(model), 'the whole file, too')
    },
  ],
  [
    'opening',
    async (t, start) => {
      const server = await start({ a: MiB })
      const reader = await open(server.image('a'), 'r')
      t.equal(await codeOf(reader.write('x', 0)), 'EBADF', 'opened for reading')
      t.equal(await codeOf(open(server.image('a'), 'w')), 'EPERM', 'with truncation')
      t.equal(await codeOf(open(server.directory, 'r+')), 'EISDIR', 'a directory')
      t.equal(await codeOf(readdir(server.image('a'))), 'ENOTDIR', 'a file as a directory')
      await server.command({ kind: 'refuse', code: 'in-use' })
      t.equal(await codeOf(open(server.image('a'), 'r+')), 'EBUSY', 'another client has it')
      t.equal(await codeOf(open(server.image('a'), 'r').then(file => file.close())), 'success')
      await server.command({ kind: 'refuse', code: null })
      const writer = await open(server.image('a'), 'r+')
      await writer.write('x', 0)
      await server.command({ kind: 'fail', code: 'data-lost' })
      t.equal(await codeOf(writer.close()), 'EIO', 'close says that something was lost')
      await server.command({ kind: 'fail', code: null })
      await reader.close()
    },
  ],
  [
    'a volume that was deleted, and another one of its name',
    async (t, start) => {
      const server = await start({ a: MiB })
      const old = await open(server.image('a'), 'r+')
      await old.write('old', 0)
      await server.command({ kind: 'remove', name: 'a' })
      t.equal(await codeOf(old.read(Buffer.alloc(3), 0, 3, 0)), 'EIO', 'its reader hears of it')
      await server.command({ kind: 'add', name: 'a', size: 2 * MiB })
      t.equal(await codeOf(old.write('x', 0)), 'EIO', 'and does not get the new one')
      await eventually('its size', async () => (await stat(server.image('a'))).size === 2 * MiB)
      const next = await open(server.image('a'), 'r')
      const { buffer } = await next.read(Buffer.alloc(3), 0, 3, 0)
      t.ok(buffer.equals(Buffer.alloc(3)), 'whoever opens it then does')
      await next.close()
      await codeOf(old.close())
    },
  ],
  [
    'what is refused',
    async (t, start) => {
      const server = await start({ a: MiB })
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
    },
  ],
  [
    'an image becomes longer',
    async (t, start) => {
      const server = await start({ a: MiB })
      const image = server.image('a')
      await server.command({ kind: 'snapshot', volume: 'a', name: 's' })
      const file = await open(image, 'r+')
      const sizeOf = async (path: string): Promise<number> => (await stat(path)).size
      t.equal(await codeOf(fs.truncate(image, MiB + 1)), 'EINVAL', 'no whole blocks')
      await fs.truncate(image, 2 * MiB)
      t.equal(await sizeOf(image), 2 * MiB, 'at once, cut by name')
      await file.truncate(3 * MiB)
      t.equal((await file.stat()).size, 3 * MiB, 'and by a descriptor')
      t.equal((await file.write(Buffer.alloc(8192, 5), 0, 8192, 3 * MiB - 4096)).bytesWritten, 4096)
      const { buffer } = await file.read(Buffer.alloc(8192, 1), 0, 8192, 3 * MiB - 8192)
      const expected = Buffer.concat([Buffer.alloc(4096), Buffer.alloc(4096, 5)])
      t.ok(buffer.equals(expected), 'zeroes before it')

      const { device } = await host.loops.attach(image, { readOnly: false })
      undo(t, () => host.loops.detach(device, { abort: true }))
      await server.command({ kind: 'grow', name: 'a', size: 4 * MiB })
      await eventually('another’s change is seen', async () => (await sizeOf(image)) === 4 * MiB)
      await host.tools.must('losetup', ['-c', device])
      const sectors = Number(await fs.readFile(`/sys/block/${basename(device)}/size`, 'utf8'))
      t.equal(sectors * 512, 4 * MiB, 'the loop device follows')
      const through = await open(device, 'r+')
      await through.write(Buffer.alloc(4096, 6), 0, 4096, 4 * MiB - 4096)
      await through.sync()
      await through.close()
      const end = await file.read(Buffer.alloc(4096), 0, 4096, 4 * MiB - 4096)
      t.ok(end.buffer.equals(Buffer.alloc(4096, 6)), 'whoever had it open reads to the new end')
      t.equal(await sizeOf(join(server.directory, '.snapshots', 'a@s.img')), MiB)
      await server.command({ kind: 'refuse', code: 'in-use' })
      t.equal(await codeOf(fs.truncate(image, 8 * MiB)), 'EBUSY', 'another client has it')
      await file.close()
    },
  ],
  [
    'snapshots on a mount',
    async (t, start) => {
      const server = await start({ a: MiB })
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
    },
  ],
]

function requestsOf(largest: number): Case {
  return [
    'large reads and writes come whole',
    async (t, start) => {
      const server = await start({ a: 4 * MiB })
      const data = Buffer.alloc(4 * MiB, 'swarmdisk')
      const file = await open(server.image('a'), 'r+')
      await file.write(data, 0, data.length, 0)
      const { buffer } = await file.read(Buffer.alloc(data.length), 0, data.length, 0)
      await file.close()
      t.ok(buffer.equals(data), 'read back equal')
      const counts = await server.counts()
      t.equal(counts.largestWrite, largest)
      t.equal(counts.largestRead, largest)
      const most = (4 * MiB) / largest + 1
      t.ok(counts.writes <= most, `${counts.writes} writes: the memory may start within a page`)
    },
  ]
}
