// What the driver says has changed between two points in time, against scripted servers: woven
// together from all shards, in order, however the answers are cut; and through whatever happens to
// the servers and the snapshots meanwhile.
import test from 'tape'
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import type { SnapshotRecord } from '../../../src/layout/configuration.js'
import type { ByteRange } from '../../../src/layout/geometry.js'
import { reallocated, SERVER_A, SERVER_B } from '../../helpers/configurations.js'
import { codeOf, filled, ScriptedCluster } from '../scripted-cluster.js'

const BLOCK = 4096
const MiB = 1024 * 1024
const WHOLE = { offset: byteOffset(0), length: byteCount(64 * MiB) }

async function write(cluster: ScriptedCluster, at: number, length: number, value = 1) {
  const written = cluster.open().write(byteOffset(at), filled(length, value))
  await cluster.clock.settle('write', written)
}

function snapshot(cluster: ScriptedCluster, name: string): SnapshotRecord {
  cluster.snapshot(name)
  cluster.push()
  return known(cluster, name)
}

function known(cluster: ScriptedCluster, name: string): SnapshotRecord {
  const [volume] = cluster.configuration.volumes.values()
  return volume!.snapshots.find(one => one.name === name)!
}

interface Ends {
  readonly from: SnapshotRecord | null
  readonly to: SnapshotRecord | null
}

function changes(cluster: ScriptedCluster, ends: Ends, within: ByteRange = WHOLE) {
  const walk = async (): Promise<string[]> => {
    const list: string[] = []
    for await (const range of cluster.driver.changes('data', ends)!.ranges(within)) {
      list.push(`${range.offset / BLOCK}+${range.length / BLOCK}${range.zeroes ? 'z' : ''}`)
    }
    return list
  }
  return cluster.clock.settle('changes', walk())
}

test('ranges of all shards in one order, joined where they touch', async t => {
  const cluster = new ScriptedCluster()
  await write(cluster, 3 * MiB, 2 * MiB)
  await write(cluster, 40 * MiB, BLOCK)
  const a = snapshot(cluster, 'a')
  await write(cluster, 20 * MiB, BLOCK)
  await write(cluster, 8 * MiB, 8 * MiB, 0)
  await write(cluster, 0, BLOCK)
  await write(cluster, 3 * MiB, BLOCK, 0)
  const b = snapshot(cluster, 'b')
  await write(cluster, BLOCK, BLOCK)
  const toB = ['0+1', '768+1z', '2048+2048z', '5120+1']
  t.deepEqual(await changes(cluster, { from: a, to: b }), toB)
  t.deepEqual(await changes(cluster, { from: b, to: null }), ['1+1'], 'to the head')
  t.deepEqual(await changes(cluster, { from: null, to: a }), ['768+512', '10240+1'])
  t.deepEqual(
    await changes(cluster, { from: null, to: b }),
    ['0+1', '769+511', '5120+1', '10240+1'],
    'from nothing: no holes',
  )
  t.deepEqual(
    await changes(cluster, { from: b, to: a }),
    ['0+1', '768+1', '2048+2048', '5120+1'],
    'backwards the layers say where, and not what',
  )
  t.deepEqual(await changes(cluster, { from: a, to: a }), [])
  for (const most of [1, 2, 3]) {
    cluster.servers.heldRangesMax = most
    t.deepEqual(await changes(cluster, { from: a, to: b }), toB, `${most} ranges an answer`)
  }
  const part = { offset: byteOffset(9 * MiB), length: byteCount(12 * MiB) }
  t.deepEqual(await changes(cluster, { from: a, to: b }, part), ['2304+1792z', '5120+1'])
  t.equal(cluster.driver.changes('other', { from: null, to: null }), null)
})

test('across a rollback', async t => {
  const cluster = new ScriptedCluster()
  await write(cluster, 0, BLOCK)
  const a = snapshot(cluster, 'a')
  await write(cluster, BLOCK, BLOCK)
  const left = snapshot(cluster, 'left')
  cluster.rollBack('a')
  cluster.push()
  await write(cluster, 4 * BLOCK, BLOCK)
  const right = snapshot(cluster, 'right')
  t.deepEqual(await changes(cluster, { from: left, to: right }), ['1+1', '4+1'])
  t.deepEqual(await changes(cluster, { from: a, to: right }), ['4+1'])
})

test('an old epoch, a lost server and an absorbed layer change nothing', async t => {
  const cluster = new ScriptedCluster()
  const a = snapshot(cluster, 'a')
  await write(cluster, 0, BLOCK)
  snapshot(cluster, 'between')
  await write(cluster, 2 * BLOCK, BLOCK)
  const b = snapshot(cluster, 'b')
  cluster.deleteSnapshot('between')
  cluster.log.length = 0
  t.deepEqual(await changes(cluster, { from: a, to: b }), ['0+1', '2+1'], 'asked anew')
  t.ok(cluster.log.some(({ held }) => held?.layers.length === 2))
  t.ok(cluster.log.some(({ held }) => held?.layers.length === 1))
  cluster.configuration = reallocated(cluster.configuration, 'all', {})
  cluster.peers.disconnect(SERVER_A)
  cluster.peers.disconnect(SERVER_B)
  t.deepEqual(await changes(cluster, { from: a, to: b }), ['0+1', '2+1'])
})

test('it ends with what it compares, with the volume, and by abort and timeout', async t => {
  const cluster = new ScriptedCluster({ ioTimeout: 5_000 })
  const a = snapshot(cluster, 'a')
  await write(cluster, 0, BLOCK)
  const b = snapshot(cluster, 'b')
  cluster.intercept = ({ sent }) => sent.kind === 'held-blocks'
  const silent = codeOf(changes(cluster, { from: a, to: b }))
  t.equal(await silent, 'io-timeout')
  const deleted = codeOf(changes(cluster, { from: a, to: b }))
  cluster.deleteSnapshot('a')
  cluster.push()
  t.equal(await deleted, 'not-found')
  cluster.intercept = () => false
  t.deepEqual(await changes(cluster, { from: null, to: b }), ['0+1'])
  cluster.driver.abort()
  t.equal(await codeOf(changes(cluster, { from: null, to: b })), 'aborted')
})

test('an answer about something else is refused', async t => {
  const cluster = new ScriptedCluster()
  const a = snapshot(cluster, 'a')
  cluster.intercept = arrival => {
    if (arrival.sent.kind !== 'held-blocks') return false
    const { block, blocks } = arrival.sent.held!
    if (blocks === 0) throw new Error('asked for nothing')
    arrival.answer({ ...arrival.execute(), payload: Uint8Array.from([block, 0]) })
    return true
  }
  t.equal(await codeOf(changes(cluster, { from: null, to: a })), 'protocol', 'it never gets on')
})
