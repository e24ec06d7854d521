// Snapshots through the driver, against scripted servers: what was frozen is read from any in-sync
// replica, whoever is attached; and when it is gone, whoever has it open is told.
import test from 'tape'
import { byteOffset } from '../../../src/base/brands.js'
import { HEDGE_DELAY_MIN_MS, READ_DEADLINE_MS } from '../../../src/base/limits.js'
import type { OpenSnapshot } from '../../../src/client/volume-driver.js'
import { headOf } from '../../../src/layout/layers.js'
import { HEAD } from '../../../src/net/messages.js'
import { reallocated, SERVER_A, SERVER_B, SERVER_C } from '../../helpers/configurations.js'
import { codeOf, filled, ScriptedCluster } from '../scripted-cluster.js'

const BLOCK = 4096
const MiB = 1024 * 1024

/** A volume that was full of ones when `old` was made, and has twos now. */
async function withSnapshot(
  options: ConstructorParameters<typeof ScriptedCluster>[0] = {},
): Promise<{ readonly cluster: ScriptedCluster; readonly snapshot: OpenSnapshot }> {
  const cluster = new ScriptedCluster(options)
  const volume = cluster.open()
  const write = (value: number): Promise<void> => {
    const written = volume.write(byteOffset(0), filled(BLOCK, value))
    return cluster.clock.settle('write', written)
  }
  await write(1)
  cluster.snapshot('old')
  cluster.push()
  await write(2)
  cluster.log.length = 0
  return { cluster, snapshot: opened(cluster, 'old') }
}

function opened(cluster: ScriptedCluster, name: string): OpenSnapshot {
  const snapshot = cluster.driver.openSnapshot('data', name)
  if (!snapshot) throw new Error(`no snapshot ${name}`)
  return snapshot
}

async function firstBlock(
  cluster: ScriptedCluster,
  of: Pick<OpenSnapshot, 'read'>,
): Promise<Uint8Array> {
  const into = new Uint8Array(BLOCK)
  await cluster.clock.settle('read', of.read(byteOffset(0), into))
  return into
}

test('snapshots are listed as the newest configuration has them', t => {
  const cluster = new ScriptedCluster()
  const { driver } = cluster
  const names = (): string[] => driver.snapshots().map(({ volume, name }) => `${volume}@${name}`)
  t.deepEqual(names(), [])
  cluster.snapshot('b')
  cluster.snapshot('a')
  t.deepEqual(names(), [], 'not known here yet')
  cluster.push()
  t.deepEqual(driver.snapshots(), [
    { volume: 'data', name: 'a', size: 64 * MiB, at: '2026-01-01T00:00:00.000Z' },
    { volume: 'data', name: 'b', size: 64 * MiB, at: '2026-01-01T00:00:00.000Z' },
  ])
  t.equal(driver.openSnapshot('data', 'a'), driver.openSnapshot('data', 'a'))
  t.notEqual(driver.openSnapshot('data', 'a'), driver.openSnapshot('data', 'b'))
  t.equal(driver.openSnapshot('data', 'c'), null)
  t.equal(driver.openSnapshot('other', 'a'), null)
  cluster.deleteSnapshot('a')
  cluster.push()
  t.deepEqual(names(), ['data@b'])
  t.equal(driver.openSnapshot('data', 'a'), null)
  t.end()
})

test('a snapshot shows what was frozen, the volume what was written since', async t => {
  const { cluster, snapshot } = await withSnapshot()
  t.deepEqual(await firstBlock(cluster, snapshot), filled(BLOCK, 1))
  t.deepEqual(await firstBlock(cluster, cluster.open()), filled(BLOCK, 2))
  const [volume] = cluster.configuration.volumes.values()
  const head = headOf(volume!.layers).id
  t.deepEqual(
    cluster.log.map(({ layer }) => layer),
    [volume!.snapshots[0]!.layer, HEAD],
    `the layer of the snapshot, and never ${head}, the head`,
  )
  cluster.snapshot('new')
  cluster.push()
  t.deepEqual(await firstBlock(cluster, snapshot), filled(BLOCK, 1), 'later ones change nothing')
  t.deepEqual(await firstBlock(cluster, opened(cluster, 'new')), filled(BLOCK, 2))
})

test('a long read is split as one of a volume is, and spread over all replicas', async t => {
  const { cluster, snapshot } = await withSnapshot()
  const into = filled(6 * MiB, 9)
  await cluster.clock.settle('read', snapshot.read(byteOffset(0), into))
  t.deepEqual(into.subarray(0, BLOCK), filled(BLOCK, 1))
  t.ok(into.subarray(BLOCK).every(byte => byte === 0))
  t.deepEqual([...new Set(cluster.log.map(({ shard }) => shard))], [0, 1])
  t.ok(cluster.log.every(({ length }) => length <= MiB))
  cluster.log.length = 0
  const reads = Array.from({ length: 30 }, () => snapshot.read(byteOffset(0), new Uint8Array(10)))
  await cluster.clock.settle('reads', Promise.all(reads))
  for (const server of [SERVER_A, SERVER_B, SERVER_C]) {
    t.ok(cluster.log.filter(({ to }) => to === server).length >= 5, 'each has its share')
  }
})

test('a slow read of a snapshot is hedged, a lost link hidden', async t => {
  const { cluster, snapshot } = await withSnapshot()
  for (let i = 0; i < 60; i++) await firstBlock(cluster, snapshot)
  let slow = true
  cluster.intercept = () => {
    const first = slow
    slow = false
    return first
  }
  const began = cluster.clock.now()
  t.deepEqual(await firstBlock(cluster, snapshot), filled(BLOCK, 1))
  const took = cluster.clock.now() - began
  t.ok(took >= HEDGE_DELAY_MIN_MS && took < READ_DEADLINE_MS, `after ${took} ms`)
  cluster.intercept = () => false
  cluster.peers.disconnect(SERVER_A)
  cluster.peers.disconnect(SERVER_B)
  t.deepEqual(await firstBlock(cluster, snapshot), filled(BLOCK, 1))
})

test('it does not matter who may write, or that all servers lost their memory', async t => {
  const { cluster, snapshot } = await withSnapshot()
  cluster.hold([])
  cluster.push()
  cluster.intercept = ({ sent }) => sent.kind !== 'read'
  t.deepEqual(await firstBlock(cluster, snapshot), filled(BLOCK, 1), 'not attached')
  cluster.configuration = reallocated(cluster.configuration, 'all', {})
  t.deepEqual(await firstBlock(cluster, snapshot), filled(BLOCK, 1), 'an old epoch is refreshed')
  const asked = cluster.log.map(({ kind }) => kind)
  t.ok(
    asked.every(kind => kind === 'read'),
    'nothing is flushed or repeated for it',
  )
})

test('a deleted snapshot: reads end, the next ones fail, and no other takes its place', async t => {
  const { cluster, snapshot } = await withSnapshot()
  cluster.intercept = () => true
  const waiting = codeOf(snapshot.read(byteOffset(0), new Uint8Array(BLOCK)))
  await cluster.clock.advance(1)
  cluster.deleteSnapshot('old')
  cluster.push()
  t.equal(await cluster.clock.settle('what waits', waiting, 10), 'not-found')
  cluster.intercept = () => false
  t.equal(await codeOf(snapshot.read(byteOffset(0), new Uint8Array(BLOCK))), 'not-found')
  cluster.snapshot('old')
  cluster.push()
  const again = codeOf(snapshot.read(byteOffset(0), new Uint8Array(BLOCK)))
  t.equal(await again, 'not-found', 'the name alone does not make it the same')
  t.deepEqual(await firstBlock(cluster, opened(cluster, 'old')), filled(BLOCK, 2))
})

test('one that was deleted and made anew before the client heard of either is another', async t => {
  const { cluster, snapshot } = await withSnapshot()
  cluster.deleteSnapshot('old')
  cluster.snapshot('old')
  t.equal(
    await cluster.clock.settle('read', codeOf(snapshot.read(byteOffset(0), new Uint8Array(BLOCK)))),
    'not-found',
  )
})

test('with the volume go its snapshots; abort and --io-timeout end reads of them', async t => {
  const { cluster, snapshot } = await withSnapshot({ ioTimeout: 5_000 })
  cluster.intercept = () => true
  const held = codeOf(snapshot.read(byteOffset(0), new Uint8Array(BLOCK)))
  await cluster.clock.advance(2_000)
  t.match(cluster.driver.held()?.reason ?? '', /volume data/, 'held, and said so')
  t.equal(await cluster.clock.settle('read', held, 6_000), 'io-timeout')
  const configuration = { ...cluster.configuration, volumes: new Map<never, never>() }
  const aborted = codeOf(snapshot.read(byteOffset(0), new Uint8Array(BLOCK)))
  await cluster.clock.advance(1)
  cluster.configuration = {
    ...configuration,
    epoch: reallocated(cluster.configuration, 0, {}).epoch,
  }
  cluster.push()
  t.equal(await cluster.clock.settle('read', aborted, 10), 'not-found', 'the volume was deleted')
  const other = await withSnapshot()
  other.cluster.driver.abort()
  t.equal(await codeOf(other.snapshot.read(byteOffset(0), new Uint8Array(BLOCK))), 'aborted')
})
