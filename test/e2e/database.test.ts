// A database on a file system on a volume commits numbered rows all the time, and snapshots are
// taken of it. Each of them, cloned and mounted, is a database after a crash at one moment: whole,
// with every row that was committed before the snapshot was asked for, and none that was begun
// after it was there. They are looked at, and deleted, in random order while the database goes on.
// SWARMDISK_DATABASE_SNAPSHOTS says how many (npm run soak:database: 50), SWARMDISK_DATABASE_SEED
// what is drawn.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import type { SnapshotListResult, VolumeDetail } from '../../src/net/admin.js'
import { differingReplicas, mergedLayer } from '../helpers/compare-replicas.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { TestCluster } from './cluster.js'
import { NumberedRows, readRows, type FoundRows } from './numbered-rows.js'
import { eventually, mustRun, runTool } from './tools.js'

const SNAPSHOTS = Number(process.env['SWARMDISK_DATABASE_SNAPSHOTS'] ?? 4)
const SEED = Number(process.env['SWARMDISK_DATABASE_SEED'] ?? process.pid)
/** At least so many between two snapshots. */
const ROWS = 30

interface Scene {
  readonly t: Test
  readonly cluster: TestCluster
  readonly rows: NumberedRows
}

interface Taken {
  readonly name: string
  /** The newest row whose COMMIT had returned before the snapshot was asked for. */
  readonly committed: number
  /** The newest row that was begun when the snapshot was there. */
  readonly begun: number
}

test('every snapshot of a database is a database', async t => {
  t.comment(`seed ${SEED} (SWARMDISK_DATABASE_SEED), ${SNAPSHOTS} snapshots`)
  const random = new SeededRandom(SEED)
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '512M', '--replicas', '3'])
  await cluster.startMount()
  const device = await cluster.attach()
  await mustRun('mkfs.ext4', ['-q', '-F', device])
  const files = await mounted(cluster, device)
  const file = join(files, 'rows.db')
  const rows = new NumberedRows(cluster, file)
  const scene = { t, cluster, rows }
  const taken: Taken[] = []
  const lookAtOne = (): Promise<void> =>
    looksRight(scene, taken.splice(random.below(taken.length), 1)[0]!)
  for (let n = 1; n <= SNAPSHOTS; n++) {
    taken.push(await snapshot(scene, `s${n}`))
    // The others stay, as a long chain.
    if (n % 2 === 0) await lookAtOne()
  }
  while (taken.length > 0) await lookAtOne()
  t.equal(await rows.stop(), null, `${rows.committed} rows were committed without an error`)
  const found = await readRows(file)
  t.deepEqual(found, wholeUpTo(rows.committed), 'the database itself has them all')
  await mustRun('umount', [files])
  t.equal((await runTool('fsck.ext4', ['-fn', device])).code, 0, 'its file system is clean')
  await cluster.json(['detach', device])
  await nothingIsLeft(t, cluster)
})

async function snapshot({ t, cluster, rows }: Scene, name: string): Promise<Taken> {
  const before = rows.committed
  await eventually('rows are committed', () => Promise.resolve(rows.committed >= before + ROWS))
  rows.lap()
  const { committed } = rows
  await cluster.json(['snapshot', 'create', `data@${name}`])
  const { begun } = rows
  t.ok(begun > committed, `${name}: taken while rows ${committed} to ${begun} were written`)
  t.comment(`${name}: no commit meanwhile for ${rows.lap()} ms at most`)
  return { name, committed, begun }
}

/** Looks at it by a clone, and deletes both. */
async function looksRight({ t, cluster, rows }: Scene, taken: Taken): Promise<void> {
  const { name, committed, begun } = taken
  const before = rows.committed
  const clone = `copy-of-${name}`
  await cluster.json(['snapshot', 'clone', `data@${name}`, clone])
  const device = await cluster.attach('mount', [], clone)
  const recovered = await mounted(cluster, device)
  await mustRun('umount', [recovered])
  const { code, stdout } = await runTool('fsck.ext4', ['-fn', device])
  t.equal(code, 0, `${name}: once mounted, it is clean ${code === 0 ? '' : stdout}`)
  const files = await mounted(cluster, device)
  const found = await readRows(join(files, 'rows.db'))
  t.deepEqual(found, wholeUpTo(found.last), `${name}: whole, with rows up to ${found.last}`)
  t.ok(committed <= found.last, `${name}: all ${committed} committed before`)
  t.ok(found.last <= begun, `${name}: none begun after ${begun}`)
  await mustRun('umount', [files])
  await cluster.json(['detach', device])
  await cluster.json(['volume', 'delete', clone])
  await cluster.json(['snapshot', 'delete', `data@${name}`])
  t.ok(rows.committed > before, `${name}: the database has gone on`)
}

function wholeUpTo(last: number): FoundRows {
  return { integrity: 'ok', first: 1, last, count: last, total: last, damaged: 0 }
}

async function nothingIsLeft(t: Test, cluster: TestCluster): Promise<void> {
  const { snapshots } = (await cluster.json(['snapshot', 'list', 'data'])) as SnapshotListResult
  t.deepEqual(snapshots, [], 'no snapshot is left')
  const { volumes } = await cluster.status()
  t.deepEqual(
    volumes.map(({ name }) => name),
    ['data'],
    'and no clone',
  )
  const volume = (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  const layers = [mergedLayer(SNAPSHOTS + 1)]
  t.deepEqual(await differingReplicas(cluster, volume, layers), [], 'all copies are equal')
}

let folders = 0

async function mounted(cluster: TestCluster, device: string): Promise<string> {
  const folder = join(cluster.folder, `files-${++folders}`)
  mkdirSync(folder)
  cluster.undoLater(() => runTool('umount', ['-l', folder]))
  await mustRun('mount', [device, folder])
  return folder
}
