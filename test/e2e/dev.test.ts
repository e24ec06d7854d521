// `swarmdisk dev` with three managers: each process is started again when it ends, also the manager
// that made the cluster; that a storage server has ended is told to the managers.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import { askControl } from '../../src/cli/processes/control-socket.js'
import { socketPath } from '../../src/cli/processes/run-folder.js'
import type { AdminResult, EpochResult, ManagerListResult } from '../../src/net/admin.js'
import { undo } from '../helpers/undo.js'
import { eventually, runTool, within } from './tools.js'

const ASK_LIMIT_MS = 20_000

async function pidOf(data: string): Promise<number | null> {
  const ping = { path: '/ping', body: null, deadline: ASK_LIMIT_MS }
  const answer = (await askControl(socketPath(data), ping)) as { readonly pid: number } | null
  return answer?.pid ?? null
}

async function managersAt(data: string): Promise<ManagerListResult['managers']> {
  const body = { command: 'manager-list' }
  const ask = { path: '/admin', body, deadline: ASK_LIMIT_MS }
  const answer = (await askControl(socketPath(data), ask)) as AdminResult | null
  return answer?.ok ? (answer.result as ManagerListResult).managers : []
}

/** The newest change of this kind. */
async function lastChange(data: string, kind: string): Promise<string> {
  const body = { command: 'epoch-list', from: 1, limit: 1_000 }
  const ask = { path: '/admin', body, deadline: ASK_LIMIT_MS }
  const answer = (await askControl(socketPath(data), ask)) as AdminResult | null
  if (!answer?.ok) return ''
  const { epochs } = answer.result as { readonly epochs: readonly EpochResult[] }
  return epochs.findLast(epoch => epoch.kind === kind)?.change ?? ''
}

/** Resolves with the way to stop it, which is taken at the end of the test at the latest. */
async function startDev(t: Test, words: readonly string[]): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, ['bin/run.js', 'dev', ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await within('dev ends', ended)
  }
  undo(t, stop)
  const ready = new Promise<void>(resolve => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('ready: ')) resolve()
    })
  })
  await within('dev is ready', ready)
  return stop
}

test('dev with three managers, of which the first one dies', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmdisk-test-'))
  undo(t, () => rmSync(folder, { recursive: true, force: true }))
  const words = ['--data', folder, '--servers', '1', '--no-mount']
  const stop = await startDev(t, [...words, '--managers', '3'])
  const [first, second] = [join(folder, 'manager'), join(folder, 'manager-2')]
  t.equal((await managersAt(second)).length, 3, 'three managers')
  const pid = await pidOf(first)
  process.kill(pid ?? 0, 'SIGKILL')
  await eventually('it is started again', async () => {
    const now = await pidOf(first)
    return now !== null && now !== pid
  })
  await eventually('all are reachable again', async () =>
    (await managersAt(second)).every(({ reachable }) => reachable),
  )
  // It says so, and waits for a while before it starts it again; if this host is very busy, the
  // lease may have ended before that.
  const server = join(folder, 'storage-a')
  await eventually('the death of a storage server is told to the managers', async () => {
    const victim = await pidOf(server)
    if (victim === null) return false
    process.kill(victim, 'SIGKILL')
    await eventually('it is started again', async () => {
      const now = await pidOf(server)
      return now !== null && now !== victim
    })
    return (await lastChange(second, 'server-down')).includes('its process has ended')
  })
  await stop()
  const fewer = await runTool(process.execPath, ['bin/run.js', 'dev', ...words])
  t.equal(fewer.code, EXIT_CODES['bad-input'], 'not with fewer managers on the same data')
  t.match(fewer.stderr, /--managers 3/, 'it says with how many')
})
