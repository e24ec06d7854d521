import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { prepareMountPoint } from '../../src/fuse/mount-point.js'
import { readMountTable } from '../../src/fuse/mount-table.js'
import { mountAt, unmountMount } from '../../src/fuse/unmount.js'
import { eventually } from '../helpers/eventually.js'
import { host, makeDirectory, startFuseServer, type FuseServer } from '../helpers/fuse-server.js'
import { undo } from '../helpers/undo.js'

const MiB = 1024 * 1024

async function failure(work: Promise<unknown>): Promise<readonly [string, string]> {
  try {
    await work
  } catch (error) {
    if (isSwarmdiskError(error)) return [error.code, error.message]
    throw error
  }
  return ['success', '']
}

/** dd on an image, with the options given; it is waited for at the end of the test. */
function dd(t: test.Test, ...options: readonly string[]): ChildProcess {
  const child = spawn('dd', ['status=none', ...options], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  undo(t, () => {
    child.kill('SIGKILL')
    return exited
  })
  return child
}

async function untilWaiting(server: FuseServer): Promise<void> {
  await eventually('a request waits', async () => (await server.counts()).waiting > 0)
}

test('a clean unmount on SIGTERM', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  server.kill('SIGTERM')
  t.equal(await server.exited, 0, 'the process ends by itself')
  t.equal(await mountAt(server.directory), null, 'nothing is mounted')
})

test('an idle mount unmounted by another process', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  await unmountMount(host, server.directory, { abort: false })
  t.equal(await mountAt(server.directory), null)
  t.equal(await server.exited, 0, 'the process that served it notices and ends')
  const [code, message] = await failure(unmountMount(host, server.directory, { abort: false }))
  t.equal(code, 'not-found')
  t.match(message, /Nothing is mounted on/)
})

test('a mount that is used stays, and the user is named', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  const file = await open(server.image('a'), 'r')
  const user = new RegExp(`used by .*\\(pid ${process.pid}\\)`)
  try {
    const [code, message] = await failure(unmountMount(host, server.directory, { abort: false }))
    t.equal(code, 'in-use')
    t.match(message, user)
    server.kill('SIGTERM')
    const said = await server.next()
    t.equal(said.kind === 'failed' && said.code, 'in-use', 'SIGTERM is refused the same way')
    t.equal((await file.read(Buffer.alloc(10), 0, 10, 0)).bytesRead, 10, 'it still serves')
  } finally {
    await file.close()
  }
  await unmountMount(host, server.directory, { abort: false })
  t.equal(await server.exited, 0)
})

test('--abort frees a mount with held requests at once', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  await server.command({ kind: 'hold' })
  const reader = dd(t, `if=${server.image('a')}`, 'of=/dev/null', 'bs=4096', 'count=1')
  const exited = once(reader, 'exit')
  await untilWaiting(server)
  const [code, message] = await failure(unmountMount(host, server.directory, { abort: false }))
  t.equal(code, 'in-use', 'without --abort it is refused')
  t.match(message, new RegExp(`dd \\(pid ${reader.pid ?? 0}\\)`))
  const started = performance.now()
  await unmountMount(host, server.directory, { abort: true })
  await exited
  t.ok(performance.now() - started < 5_000, `freed in ${performance.now() - started} ms`)
  t.equal(reader.exitCode, 1, 'the reader got an error')
  t.equal(await mountAt(server.directory), null)
  t.equal(await server.exited, 0, 'the server ends')
})

test('a mount whose process hangs', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  server.kill('SIGSTOP')
  const [code, message] = await failure(unmountMount(host, server.directory, { abort: false }))
  t.equal(code, 'in-use')
  t.match(message, /does not answer.*--abort/)
  await unmountMount(host, server.directory, { abort: true })
  t.equal(await mountAt(server.directory), null, '--abort needs no answer')
  server.kill('SIGCONT')
  t.equal(await server.exited, 0)
})

test('a mount whose process was killed', { timeout: 60_000 }, async t => {
  const server = await startFuseServer(t, { a: MiB })
  const file = await open(server.image('a'), 'r')
  server.kill('SIGKILL')
  await server.exited
  await unmountMount(host, server.directory, { abort: false })
  t.equal(await mountAt(server.directory), null, 'it is cleared although a file is open')
  const closed = await file.close().catch((error: unknown) => (error as { code: string }).code)
  t.equal(closed, 'ENOTCONN', 'which is told at the latest when it is closed')
})

test('a new mount replaces dead ones', { timeout: 60_000 }, async t => {
  const directory = await makeDirectory(t)
  const first = await startFuseServer(t, { a: MiB }, directory)
  first.kill('SIGKILL')
  await first.exited
  const second = await startFuseServer(t, { b: MiB }, directory)
  t.deepEqual((await readdir(directory)).sort(), ['.snapshots', 'b.img'])
  const mounts = (await readMountTable()).filter(entry => entry.mountPoint === directory)
  t.equal(mounts.length, 1, 'one mount, not two on top of each other')
  second.kill('SIGTERM')
  t.equal(await second.exited, 0)
})

test('directories that cannot take a mount', { timeout: 60_000 }, async t => {
  const folder = await makeDirectory(t)
  const full = join(folder, 'full')
  await mkdir(full)
  await writeFile(join(full, 'file'), '')
  const server = await startFuseServer(t, { a: MiB })
  for (const [path, expected, words] of [
    [join(folder, 'missing'), 'not-found', /mkdir -p/],
    [join(folder, 'missing/too'), 'not-found', /no directory/],
    [join(full, 'file'), 'bad-input', /not a directory/],
    [full, 'bad-input', /not empty/],
    ['/proc', 'in-use', /a mount already \(proc\)/],
    [server.directory, 'in-use', /a mount already \(fuse.swarmdisk\)/],
  ] as const) {
    const [code, message] = await failure(prepareMountPoint(host, path))
    t.equal(code, expected, path)
    t.match(message, words)
  }
  t.equal((await failure(unmountMount(host, '/proc', { abort: true })))[0], 'bad-input')
  const fine = join(folder, 'fine')
  await mkdir(fine)
  t.equal(await prepareMountPoint(host, `${fine}/`), fine)
})
