// Processes that a supervisor starts end with it, whether they serve yet or not.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import type { ChildSpecification } from '../../../src/cli/supervision/child.js'
import { Supervisor } from '../../../src/cli/supervision/supervisor.js'
import { ClusterKey } from '../../../src/net/cluster-key.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { eventually } from '../../helpers/eventually.js'
import { leftBehind } from '../../helpers/left-behind.js'
import { undo } from '../../helpers/undo.js'

const LIMIT_MS = 60_000
const KEY = ClusterKey.generate(new SeededRandom(1)).reveal()

function supervise(t: Test): { readonly supervisor: Supervisor; readonly said: string[] } {
  const said: string[] = []
  const supervisor = new Supervisor(line => said.push(line))
  undo(t, () => supervisor.stop())
  return { supervisor, said }
}

/** It waits for a manager that does not exist, and says so. */
function lonelyStorage(t: Test): ChildSpecification {
  const folder = mkdtempSync(join(tmpdir(), 'swarmdisk-test-'))
  undo(t, () => rmSync(folder, { recursive: true, force: true }))
  return {
    title: 'storage',
    arguments: ['storage', '--data', join(folder, 'data'), '--name', 'lonely'],
    environment: { SWARMDISK_KEY: KEY, SWARMDISK_BOOTSTRAP: '127.0.0.1:1' },
  }
}

const BOOTSTRAP: ChildSpecification = {
  title: 'bootstrap',
  arguments: ['bootstrap', '--port', '0'],
  environment: {},
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return isSwarmdiskError(error) ? error.code : String(error)
  }
}

test('what serves is started again when it ends, and stops when it is told to', async t => {
  const { supervisor, said } = supervise(t)
  const first = await supervisor.start(BOOTSTRAP)
  t.match(await first.ready, /:\d+$/, 'it serves')
  process.kill(first.pid!, 'SIGKILL')
  t.equal(await first.ended, 'SIGKILL')
  const again = (): number => Number(/runs again as process (\d+)/.exec(said.join('\n'))?.[1])
  await eventually('it runs again', () => again() > 0, LIMIT_MS)
  t.ok(isAlive(again()), 'another process')
  await supervisor.stop()
  t.notOk(isAlive(again()), 'which has ended')
})

test('what does not serve yet is stopped, too', async t => {
  const { supervisor } = supervise(t)
  const starting = problemOf(supervisor.start(lonelyStorage(t)))
  await supervisor.stop()
  t.equal(await starting, 'environment', 'it did not start')
  t.equal(await problemOf(supervisor.start(BOOTSTRAP)), 'aborted', 'and nothing starts after it')
})

test('what was started again, and does not serve yet, is stopped, too', async t => {
  const { supervisor, said } = supervise(t)
  const before = leftBehind.traces()
  const first = await supervisor.start(BOOTSTRAP, lonelyStorage(t))
  process.kill(first.pid!, 'SIGKILL')
  await first.ended
  await eventually('the other one starts', () => leftBehind(before).length > 0, LIMIT_MS)
  await supervisor.stop()
  t.deepEqual(leftBehind(before), [], 'no process is left')
  t.notOk(/runs again|did not start/.test(said.join('\n')), said.join('; '))
})
