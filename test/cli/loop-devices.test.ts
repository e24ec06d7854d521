import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import { systemClock } from '../../src/base/clock.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { silentLog } from '../../src/base/log.js'
import { LoopDevices, type LoopDevice } from '../../src/cli/loop-devices.js'
import { readMountTable } from '../../src/fuse/mount-table.js'
import { mountAt, unmountMount } from '../../src/fuse/unmount.js'
import { eventually } from '../helpers/eventually.js'
import { host, makeDirectory, startFuseServer, type FuseServer } from '../helpers/fuse-server.js'
import { undo } from '../helpers/undo.js'

const MiB = 1024 * 1024
const LIMIT = { timeout: 120_000 }
const { loops, tools } = host

async function failure(work: Promise<unknown>): Promise<readonly [string, string]> {
  try {
    await work
  } catch (error) {
    if (isSwarmdiskError(error)) return [error.code, error.message]
    throw error
  }
  return ['success', '']
}

async function attach(t: test.Test, image: string, readOnly = false): Promise<LoopDevice> {
  const device = await loops.attach(image, { readOnly })
  undo(t, async () => {
    const present = (await loops.list()).find(found => found.device === device.device)
    if (present?.backingFile !== image) return
    await loops.detach(device.device, { abort: true })
  })
  return device
}

async function mountFileSystem(t: test.Test, device: string): Promise<string> {
  const directory = await makeDirectory(t)
  await tools.must('mount', [device, directory])
  undo(t, async () => {
    if ((await mountAt(directory)) !== null) await tools.run('umount', ['-l', directory])
  })
  return directory
}

/** A mount, a loop device on its only volume, and an ext4 on that. */
async function makeFileSystem(
  t: test.Test,
): Promise<{ server: FuseServer; device: string; directory: string }> {
  const server = await startFuseServer(t, { a: 64 * MiB })
  const { device } = await attach(t, server.image('a'))
  await tools.must('mkfs.ext4', ['-q', device])
  return { server, device, directory: await mountFileSystem(t, device) }
}

async function isAttached(device: string): Promise<boolean> {
  return (await loops.list()).some(found => found.device === device)
}

test('a file system on a loop device, from attach to detach', LIMIT, async t => {
  const server = await startFuseServer(t, { a: 64 * MiB })
  const image = server.image('a')
  const device = await attach(t, image)
  t.match(device.device, /^\/dev\/loop\d+$/)
  t.equal(device.backingFile, image)
  t.ok(device.directIo, 'with direct I/O')
  t.notOk(device.readOnly)
  t.ok((await server.counts()).reads > 0, 'attach returns after a first read')
  t.deepEqual(await loops.find(image), [device])

  const again = await failure(loops.attach(image, { readOnly: false }))
  t.equal(again[0], 'in-use', 'a second attach')
  t.match(again[1], new RegExp(`attached as ${device.device} already`))

  await tools.must('mkfs.ext4', ['-q', device.device])
  const directory = await mountFileSystem(t, device.device)
  for (const name of await readdir('src/base')) {
    await copyFile(join('src/base', name), join(directory, name))
  }
  const flushes = (await server.counts()).flushes
  await loops.detach(device.device, { abort: false })
  t.ok((await server.counts()).flushes > flushes, 'unmounting flushes to the driver')
  t.notOk(await isAttached(device.device), 'the device is gone')
  t.equal(await mountAt(directory), null, 'so is the file system')

  const second = await attach(t, image, true)
  t.ok(second.readOnly, 'attached read-only')
  await tools.must('fsck.ext4', ['-fn', second.device])
  await tools.must('mount', ['-o', 'ro,noload', second.device, directory])
  const copied = await readFile(join(directory, 'limits.ts'))
  t.ok(copied.equals(await readFile('src/base/limits.ts')), 'the files are there')
  await loops.detach(second.device, { abort: false })
  await unmountMount(host, server.directory, { abort: false })
  t.equal(await server.exited, 0)
})

test('who uses a device is named, and nothing is half done', LIMIT, async t => {
  const { server, device, directory } = await makeFileSystem(t)
  const user = spawn('sleep', ['1000'], { cwd: directory })
  const ended = once(user, 'exit')
  undo(t, () => {
    user.kill('SIGKILL')
    return ended
  })
  const busy = await failure(loops.detach(device, { abort: false }))
  t.equal(busy[0], 'in-use')
  t.match(busy[1], new RegExp(`${directory} is used by sleep \\(pid ${user.pid ?? 0}\\)`))
  t.ok(await isAttached(device), 'the device stays')

  const mount = await failure(unmountMount(host, server.directory, { abort: false }))
  t.equal(mount[0], 'in-use', 'the mount under it')
  t.match(mount[1], new RegExp(`${device} \\(a.img, mounted on ${directory}\\)`))

  user.kill('SIGKILL')
  await ended
  await tools.must('umount', [directory])
  const raw = await open(device, 'r')
  const held = await failure(loops.detach(device, { abort: false }))
  t.equal(held[0], 'in-use', 'an open device')
  t.match(held[1], new RegExp(`${device} is used by .*\\(pid ${process.pid}\\)`))
  await raw.close()
  await loops.detach(device, { abort: false })
  t.equal((await failure(loops.detach(device, { abort: false })))[0], 'not-found')
  t.equal((await failure(loops.detach('/dev/null', { abort: false })))[0], 'not-found')
})

test('the mount process killed under an ext4: detach, unmount', LIMIT, async t => {
  const { server, device, directory } = await makeFileSystem(t)
  await writeFile(join(directory, 'unsynced'), Buffer.alloc(MiB, 'x'))
  server.kill('SIGKILL')
  await server.exited
  const started = performance.now()
  await loops.detach(device, { abort: false })
  await unmountMount(host, server.directory, { abort: false })
  const duration = performance.now() - started
  t.ok(duration < 10_000, `cleaned up in ${Math.round(duration)} ms`)
  t.notOk(await isAttached(device))
  t.equal(await mountAt(directory), null)
  t.equal(await mountAt(server.directory), null)
})

test('the mount process killed under a used ext4: unmount, mount again', LIMIT, async t => {
  const { server, device, directory } = await makeFileSystem(t)
  const file = await open(join(directory, 'unsynced'), 'w')
  await file.write(Buffer.alloc(MiB, 'x'))
  server.kill('SIGKILL')
  await server.exited
  const started = performance.now()
  await unmountMount(host, server.directory, { abort: false })
  const duration = performance.now() - started
  t.ok(duration < 10_000, `cleaned up in ${Math.round(duration)} ms`)
  t.equal(await mountAt(directory), null, 'the file system is out of sight')
  t.equal(await mountAt(server.directory), null, 'so is the mount')
  const next = await startFuseServer(
    t,
    { a: 64 * MiB },
    {
      directory: server.directory,
    },
  )
  const fresh = await attach(t, next.image('a'))
  t.notEqual(fresh.device, device, 'the old device is still held by the open file')
  await loops.detach(fresh.device, { abort: false })
  await file.close()
  await eventually(
    'the old device goes with its last user',
    async () => !(await isAttached(device)),
  )
})

test('a device whose mount was taken away from under it', LIMIT, async t => {
  const server = await startFuseServer(t, { orphan: 8 * MiB })
  const image = server.image('orphan')
  const { device } = await attach(t, image)
  await tools.must('umount', ['-l', server.directory])
  undo(t, async () => {
    if (await isAttached(device)) await loops.detach(device, { abort: true })
  })
  t.deepEqual(
    (await loops.find(image)).map(found => found.device),
    [device],
    'is still found by its image',
  )
  await loops.detach(device, { abort: false })
  t.notOk(await isAttached(device))
})

test('--abort of a mount that holds requests of a file system', LIMIT, async t => {
  const { server, device, directory } = await makeFileSystem(t)
  await writeFile(join(directory, 'before'), 'x')
  await server.command({ kind: 'hold' })
  const writer = spawn('dd', [
    'if=/dev/zero',
    `of=${join(directory, 'held')}`,
    'bs=4096',
    'count=16',
    'conv=fsync',
    'status=none',
  ])
  const ended = once(writer, 'exit')
  undo(t, () => {
    writer.kill('SIGKILL')
    return ended
  })
  await eventually('a request waits', async () => (await server.counts()).waiting > 0)
  const started = performance.now()
  await unmountMount(host, server.directory, { abort: true })
  await ended
  const duration = performance.now() - started
  t.ok(duration < 10_000, `freed in ${Math.round(duration)} ms`)
  t.notEqual(writer.exitCode, 0, 'the writer got an error')
  await eventually('the device is gone', async () => !(await isAttached(device)))
  t.notOk((await readMountTable()).some(entry => entry.source === device))
  t.equal(await server.exited, 0)
})

test('without root', async t => {
  const options = { clock: systemClock, log: silentLog, tools, userId: 1000 }
  const devices = new LoopDevices(options)
  for (const work of [
    devices.attach('/tmp/a.img', { readOnly: false }),
    devices.detach('/dev/loop0', { abort: false }),
  ]) {
    const [code, message] = await failure(work)
    t.equal(code, 'environment')
    t.match(message, /need root/)
  }
})

test('an image that is not there', async t => {
  const folder = await makeDirectory(t)
  const [code, message] = await failure(loops.attach(join(folder, 'no.img'), { readOnly: false }))
  t.equal(code, 'not-found')
  t.match(message, /There is no image .*no\.img/)
})
