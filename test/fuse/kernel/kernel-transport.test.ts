import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { open, stat } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { systemClock } from '../../../src/base/clock.js'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import { FileOperations } from '../../../src/fuse/file-operations.js'
import { KernelTransport } from '../../../src/fuse/kernel/kernel-transport.js'
import { readMountTable } from '../../../src/fuse/mount-table.js'
import { mountAt, unmountMount } from '../../../src/fuse/unmount.js'
import { fuseTransportContract } from '../../contracts/fuse-transport-contract.js'
import { failure, fuseUnmountContract } from '../../contracts/fuse-unmount-contract.js'
import { eventually } from '../../helpers/eventually.js'
import { host, makeDirectory, startFuseServer, type FuseServer } from '../../helpers/fuse-server.js'
import { MemoryDriver } from '../../helpers/memory-driver.js'
import { undo } from '../../helpers/undo.js'

const MiB = 1024 * 1024
const TIMEOUT = { timeout: 60_000 }

fuseTransportContract('kernel', MiB)
// There threads wait for requests: the event loop needs Perl to be able to.
fuseTransportContract('kernel', MiB, { withoutPerl: true })
fuseUnmountContract('kernel')

function startKernelServer(
  t: Test,
  volumes: Readonly<Record<string, number>>,
): Promise<FuseServer> {
  return startFuseServer(t, volumes, { transport: 'kernel' })
}

/** A loop device on an image, until the end of the test. */
async function attach(t: Test, image: string): Promise<string> {
  const { device } = await host.loops.attach(image, { readOnly: false })
  undo(t, () => host.loops.detach(device, { abort: true }))
  return device
}

function start(t: Test, command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: 'ignore' })
  const exited = once(child, 'exit')
  undo(t, () => {
    child.kill('SIGKILL')
    return exited
  })
  return child
}

test('it mounts as libfuse does', TIMEOUT, async t => {
  const options = async (transport: 'kernel' | 'fuse-native'): Promise<readonly string[]> => {
    const server = await startFuseServer(t, { a: MiB }, { transport })
    const table = await fs.readFile('/proc/self/mountinfo', 'utf8')
    const line = table.split('\n').find(one => one.includes(` ${server.directory} `)) ?? ''
    const [left = '', right = ''] = line.split(' - ')
    return [...(left.split(' ')[5] ?? '').split(','), ...right.split(' ').slice(0, 2)].sort()
  }
  t.deepEqual(await options('kernel'), await options('fuse-native'))
})

test('what is not possible on the host is said', async t => {
  for (const [parts, expected] of [
    [{ userId: 1000 }, /needs Linux and root: run this as root/],
    [{ device: '/dev/no-fuse' }, /There is no \/dev\/no-fuse: .*modprobe fuse/],
    [{}, /Mounting on \/nowhere\/at-all failed: .*(does not exist|No such)/],
  ] as const) {
    const operations = new FileOperations({ driver: new MemoryDriver(), clock: systemClock })
    const base = { operations, host, clock: systemClock, log: silentLog }
    const transport = new KernelTransport({ ...base, mountPoint: '/nowhere/at-all', ...parts })
    const error: unknown = await transport.mount().catch((caught: unknown) => caught)
    t.ok(isSwarmdiskError(error, 'environment'), 'environment')
    t.match((error as Error).message, expected)
  }
})

test('holes and zeroes', TIMEOUT, async t => {
  const server = await startKernelServer(t, { a: MiB })
  const image = server.image('a')
  const content = Buffer.alloc(MiB, 'x')
  const file = await open(image, 'r+')
  await file.write(content, 0, MiB, 0)
  await file.close()
  for (const [mode, offset, length] of [
    ['--punch-hole', 4096, 8192],
    ['--zero-range', 100_000, 5],
  ] as const) {
    const range = ['--offset', String(offset), '--length', String(length)]
    await host.tools.must('fallocate', [mode, ...range, image])
    content.fill(0, offset, offset + length)
    t.ok((await fs.readFile(image)).equals(content), mode)
  }
  const { discards, discardedBytes } = await server.counts()
  t.deepEqual([discards, discardedBytes], [2, 8197], 'each reached the driver once')
  const longer = ['--zero-range', '--offset', String(MiB - 10), '--length', '20', image]
  t.notEqual((await host.tools.run('fallocate', longer)).exitCode, 0, 'a file does not grow')
  t.equal((await stat(image)).size, MiB)
})

test('TRIM through a loop device and a file system', TIMEOUT, async t => {
  const server = await startKernelServer(t, { a: 64 * MiB })
  const device = await attach(t, server.image('a'))
  const before = await server.counts()
  await host.tools.must('blkdiscard', [device])
  const all = (await server.counts()).discardedBytes - before.discardedBytes
  t.equal(all, 64 * MiB, 'the whole device')
  await host.tools.must('mkfs.ext4', ['-q', '-E', 'nodiscard', device])
  const folder = await makeDirectory(t)
  await host.tools.must('mount', [device, folder])
  undo(t, () => host.tools.run('umount', [folder]))
  const file = join(folder, 'file')
  await fs.writeFile(file, Buffer.alloc(16 * MiB, 'data'))
  await host.tools.must('sync', ['-f', folder])
  await fs.unlink(file)
  await host.tools.must('sync', ['-f', folder])
  const { discardedBytes } = await server.counts()
  await host.tools.must('fstrim', [folder])
  const trimmed = (await server.counts()).discardedBytes - discardedBytes
  t.ok(trimmed >= 16 * MiB, `${trimmed} bytes given back`)
  await host.tools.must('umount', [folder])
  t.equal((await host.tools.run('fsck.ext4', ['-n', '-f', device])).exitCode, 0, 'fsck is clean')
})

test('many requests of a loop device at a time', TIMEOUT, async t => {
  const server = await startKernelServer(t, { a: 64 * MiB })
  const device = await attach(t, server.image('a'))
  for (const pattern of ['randread', 'randwrite']) {
    await server.command({ kind: 'hold' })
    const fio = start(t, 'fio', [
      ...['--name=depth', `--rw=${pattern}`, '--bs=4k', '--iodepth=16', '--ioengine=libaio'],
      ...[
        '--direct=1',
        `--filename=${device}`,
        '--size=64m',
        '--io_size=1m',
        '--allow_mounted_write=1',
      ],
    ])
    const exited = once(fio, 'exit')
    await eventually(`${pattern}: 16 requests wait`, async () => {
      return (await server.counts()).waiting === 16
    })
    await server.command({ kind: 'release' })
    t.deepEqual((await exited)[0], 0, `${pattern} at depth 16`)
  }
})

test('a reader that is killed while its read is held', TIMEOUT, async t => {
  const server = await startKernelServer(t, { a: MiB })
  await server.command({ kind: 'hold' })
  const reader = start(t, 'dd', [`if=${server.image('a')}`, 'of=/dev/null', 'bs=4096', 'count=1'])
  const exited = once(reader, 'exit')
  await eventually('it waits', async () => (await server.counts()).waiting === 1)
  reader.kill('SIGKILL')
  t.deepEqual(await exited, [null, 'SIGKILL'], 'goes at once')
  await server.command({ kind: 'release' })
  const file = await open(server.image('a'), 'r')
  t.equal((await file.read(Buffer.alloc(10), 0, 10, 0)).bytesRead, 10, 'others are served')
  await file.close()
})

test('a mount that is taken away lazily serves who has a file open', TIMEOUT, async t => {
  const server = await startKernelServer(t, { a: MiB })
  const file = await open(server.image('a'), 'r+')
  await host.tools.must('umount', ['-i', '-c', '-l', server.directory])
  t.equal(await mountAt(server.directory), null)
  await file.write('still there', 0)
  const { buffer } = await file.read(Buffer.alloc(11), 0, 11, 0)
  t.equal(buffer.toString(), 'still there')
  server.kill('SIGTERM')
  const said = await server.next()
  t.equal(said.kind === 'failed' && said.code, 'in-use', 'SIGTERM is refused')
  await file.close()
  t.equal(await server.exited, 0, 'the process ends with its last user')
})

test('a connection that somebody aborts, and nothing else', TIMEOUT, async t => {
  const server = await startKernelServer(t, { a: MiB })
  const entry = (await readMountTable()).find(found => found.mountPoint === server.directory)
  const folder = await makeDirectory(t)
  await host.tools.must('mount', ['-t', 'fusectl', 'fusectl', folder])
  undo(t, () => host.tools.run('umount', [folder]))
  await fs.writeFile(join(folder, entry?.device.split(':')[1] ?? '', 'abort'), '1')
  t.equal(await server.exited, 0, 'the process ends')
  t.equal(await mountAt(server.directory), null, 'and takes the dead mount away')
  const [code] = await failure(unmountMount(host, server.directory, { abort: false }))
  t.equal(code, 'not-found')
})
