// How a mount ends, whichever transport serves it: unmounted, used, aborted, hanging, killed. Run
// on both.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { open, readdir } from 'node:fs/promises'
import type { Test } from 'tape'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { readMountTable } from '../../src/fuse/mount-table.js'
import type { TransportName } from '../../src/fuse/serve-mount.js'
import { mountAt, unmountMount } from '../../src/fuse/unmount.js'
import { eventually } from '../helpers/eventually.js'
import { host, makeDirectory, type FuseServer } from '../helpers/fuse-server.js'
import { undo } from '../helpers/undo.js'
import { runCases, type Case } from './fuse-transport-contract.js'

const MiB = 1024 * 1024

export function fuseUnmountContract(transport: TransportName): void {
  runCases(transport, cases)
}

export async function failure(work: Promise<unknown>): Promise<readonly [string, string]> {
  try {
    await work
  } catch (error) {
    if (isSwarmdiskError(error)) return [error.code, error.message]
    throw error
  }
  return ['success', '']
}

/** dd on an image, with the options given; it is waited for at the end of the test. */
function dd(t: Test, ...options: readonly string[]): ChildProcess {
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

const cases: readonly Case[] = [
  [
    'a clean unmount on SIGTERM',
    async (t, start) => {
      const server = await start({ a: MiB })
      server.kill('SIGTERM')
      t.equal(await server.exited, 0, 'the process ends by itself')
      t.equal(await mountAt(server.directory), null, 'nothing is mounted')
    },
  ],
  [
    'an idle mount unmounted by another process',
    async (t, start) => {
      const server = await start({ a: MiB })
      await unmountMount(host, server.directory, { abort: false })
      t.equal(await mountAt(server.directory), null)
      t.equal(await server.exited, 0, 'the process that served it notices and ends')
      const [code, message] = await failure(unmountMount(host, server.directory, { abort: false }))
      t.equal(code, 'not-found')
      t.match(message, /Nothing is mounted on/)
    },
  ],
  [
    'a mount that is used stays, and the user is named',
    async (t, start) => {
      const server = await start({ a: MiB })
      const file = await open(server.image('a'), 'r')
      const user = new RegExp(`used by .*\\(pid ${process.pid}\\)`)
      try {
        const [code, message] = await failure(
          unmountMount(host, server.directory, { abort: false }),
        )
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
    },
  ],
  [
    '--abort frees a mount with held requests at once',
    async (t, start) => {
      const server = await start({ a: MiB })
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
    },
  ],
  [
    'a mount whose process hangs',
    async (t, start) => {
      const server = await start({ a: MiB })
      server.kill('SIGSTOP')
      const [code, message] = await failure(unmountMount(host, server.directory, { abort: false }))
      t.equal(code, 'in-use')
      t.match(message, /does not answer.*--abort/)
      await unmountMount(host, server.directory, { abort: true })
      t.equal(await mountAt(server.directory), null, '--abort needs no answer')
      server.kill('SIGCONT')
      t.equal(await server.exited, 0)
    },
  ],
  [
    'a mount whose process was killed',
    async (t, start) => {
      const server = await start({ a: MiB })
      const file = await open(server.image('a'), 'r')
      server.kill('SIGKILL')
      await server.exited
      await unmountMount(host, server.directory, { abort: false })
      t.equal(await mountAt(server.directory), null, 'it is cleared although a file is open')
      const closed = await file.close().catch((error: unknown) => (error as { code: string }).code)
      t.equal(closed, 'ENOTCONN', 'which is told at the latest when it is closed')
    },
  ],
  [
    'a mount whose process has a bug',
    async (t, start) => {
      const server = await start({ a: MiB })
      const file = await open(server.image('a'), 'r')
      server.tell({ kind: 'crash' })
      t.equal(await server.exited, 1, 'it ends, although requests may come at any time')
      const read = file.read(Buffer.alloc(10), 0, 10, 0)
      const code = await read.then(
        () => 'success',
        (error: unknown) => (error as { code: string }).code,
      )
      t.ok(['ENOTCONN', 'ECONNABORTED', 'EIO'].includes(code), `who uses it is told: ${code}`)
      await file.close().catch(() => undefined)
    },
  ],
  [
    'a new mount replaces dead ones',
    async (t, start) => {
      const directory = await makeDirectory(t)
      const first = await start({ a: MiB }, directory)
      first.kill('SIGKILL')
      await first.exited
      const second = await start({ b: MiB }, directory)
      t.deepEqual((await readdir(directory)).sort(), ['.snapshots', 'b.img'])
      const mounts = (await readMountTable()).filter(entry => entry.mountPoint === directory)
      t.equal(mounts.length, 1, 'one mount, not two on top of each other')
      second.kill('SIGTERM')
      t.equal(await second.exited, 0)
    },
  ],
]
