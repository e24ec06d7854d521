// A volume grows under whoever has it open: by an operator, and at the wish of this client.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { COMMAND_DEADLINE_MS } from '../../src/base/limits.js'
import { WriteBackDriver } from '../../src/client/write-back/write-back-driver.js'
import { silentLog } from '../../src/base/log.js'
import type { AdminCommand, AdminResult } from '../../src/net/admin.js'
import { codeOf, filled, ScriptedCluster } from './scripted-cluster.js'

const MiB = 1024 * 1024
const BLOCK = 4096
const OLD = 64 * MiB
const NEW = 80 * MiB

/** Managers that do what they are asked for. */
function obliging(cluster: ScriptedCluster): AdminCommand[] {
  const asked: AdminCommand[] = []
  cluster.adminReply = (command): AdminResult => {
    asked.push(command)
    if (command.command === 'volume-resize') cluster.grow(command.size)
    const { epoch } = cluster.configuration
    return { ok: true, result: { name: 'data', size: NEW, epoch } }
  }
  return asked
}

test('the new size is there with the configuration, whose epoch all requests carry', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const { epoch } = cluster.configuration
  t.deepEqual([volume.size, cluster.driver.size('data')], [OLD, OLD])
  cluster.grow(NEW)
  t.equal(volume.size, OLD, 'it has not heard of it')
  cluster.push()
  t.deepEqual([volume.size, cluster.driver.size('data')], [NEW, NEW])
  t.equal(cluster.driver.volumes()[0]?.size, NEW)
  t.equal(cluster.driver.open('data'), volume, 'nobody has to open it again')
  await cluster.clock.settle('write', volume.write(byteOffset(NEW - BLOCK), filled(BLOCK, 3)))
  const into = new Uint8Array(2 * BLOCK)
  await cluster.clock.settle('read', volume.read(byteOffset(NEW - 2 * BLOCK), into))
  t.deepEqual(into, Uint8Array.from([...filled(BLOCK, 0), ...filled(BLOCK, 3)]))
  t.ok(
    cluster.log.every(sent => sent.epoch > epoch),
    'a server that does not know the new size hears of the epoch first',
  )
  t.equal(cluster.log[0]?.shard, 19 % 8, 'extent e is on shard e mod S')
})

test('grow() asks the managers, and resolves when this client knows', async t => {
  const cluster = new ScriptedCluster()
  const asked = obliging(cluster)
  const volume = cluster.open()
  await cluster.clock.settle('grow', volume.grow(NEW))
  t.deepEqual(asked, [{ command: 'volume-resize', name: 'data', size: NEW, force: false }])
  t.equal(volume.size, NEW)
})

test('what the managers refuse is told', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  for (const code of ['bad-input', 'refused', 'in-use'] as const) {
    cluster.adminReply = () => ({ ok: false, code, message: 'It cannot be.' })
    t.equal(await cluster.clock.settle('grow', codeOf(volume.grow(NEW))), code)
  }
  t.equal(volume.size, OLD)
})

test('without an answer it is held, with a reason, and ends in time or with the mount', async t => {
  const cluster = new ScriptedCluster()
  const volume = cluster.open()
  const undecided = codeOf(volume.grow(NEW))
  await cluster.clock.advance(COMMAND_DEADLINE_MS / 2)
  t.match(cluster.driver.held()?.reason ?? '', /waiting for the managers to resize volume data/)
  await cluster.clock.advance(COMMAND_DEADLINE_MS)
  t.equal(await undecided, 'undecided')
  t.equal(cluster.driver.held(), null)
  const aborted = codeOf(volume.grow(NEW))
  await cluster.clock.advance(100)
  cluster.driver.abort()
  t.equal(await aborted, 'aborted', 'at once')

  const bounded = new ScriptedCluster({ ioTimeout: 1_000 })
  const late = codeOf(bounded.open().grow(NEW))
  await bounded.clock.advance(1_100)
  t.equal(await late, 'io-timeout')
})

test('behind a write-back cache', async t => {
  const cluster = new ScriptedCluster()
  obliging(cluster)
  const { clock, driver: below } = cluster
  const cached = new WriteBackDriver({ clock, log: silentLog, ioTimeout: null, below })
  const volume = cached.open('data')!
  await clock.settle('write', volume.write(byteOffset(OLD - BLOCK), filled(BLOCK, 1)))
  await clock.settle('grow', volume.grow(NEW))
  t.deepEqual([volume.size, cached.size('data')], [NEW, NEW])
  await clock.settle('write', volume.write(byteOffset(OLD), filled(BLOCK, 2)))
  const into = new Uint8Array(3 * BLOCK)
  await clock.settle('read', volume.read(byteOffset(OLD - BLOCK), into))
  t.deepEqual(
    [into[0], into[BLOCK], into[2 * BLOCK]],
    [1, 2, 0],
    'what it holds, on both sides of the old end',
  )
  await clock.settle('flush', volume.flush())
  t.deepEqual(
    cluster.log.filter(({ kind }) => kind === 'write').map(({ shard }) => shard),
    [7, 0],
  )
})
