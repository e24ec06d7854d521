// TRIM, on separate processes: what a file system gives back reads as zeroes from every copy, and
// takes no space on the disks of the servers any more.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'tape'
import type { VolumeDetail } from '../../src/net/admin.js'
import { differingBlocks } from '../helpers/compare-replicas.js'
import { eventually } from '../helpers/eventually.js'
import { TestCluster } from './cluster.js'
import { mustRun, runTool } from './tools.js'

const MiB = 2 ** 20
const MARK = 'a line that only this file has'

test('what fstrim gives back is zero on every storage server', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '128M', '--replicas', '3'])
  await cluster.startMount(['--transport', 'kernel'])
  const device = await cluster.attach()
  await mustRun('mkfs.ext4', ['-q', '-E', 'nodiscard', device])
  const files = join(cluster.folder, 'files')
  mkdirSync(files)
  await mustRun('mount', [device, files])
  cluster.undoLater(() => runTool('umount', ['-l', files]))
  const file = join(files, 'file')
  await mustRun('sh', ['-c', `yes '${MARK}' | head -c 16M > ${file}`])
  await mustRun('sync', ['-f', files])
  const found = (): Promise<{ readonly code: number }> =>
    runTool('grep', ['-q', '-a', MARK, cluster.image('data')])
  t.equal((await found()).code, 0, 'the content is on the volume')
  rmSync(file)
  await mustRun('sync', ['-f', files])
  t.equal((await found()).code, 0, 'and stays there when the file is deleted')
  const full = await used(cluster)
  t.ok(full > 3 * 16 * MiB, `three copies take ${full} bytes`)
  await mustRun('fstrim', [files])
  t.equal((await found()).code, 1, 'until fstrim')
  await mustRun('sync', ['-f', files])
  const gone = async (): Promise<boolean> => (await used(cluster)) <= full - 3 * 15 * MiB
  await eventually('the space is back on the disks of the servers', gone, 60_000)
  await cluster.json(['detach', 'data'])
  const again = await cluster.attach()
  const fsck = await runTool('fsck.ext4', ['-fn', again])
  t.equal(fsck.code, 0, `fsck is clean ${fsck.stderr}`)
  await cluster.json(['detach', again])
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  t.deepEqual(await differingBlocks(cluster, ['a', 'b', 'c']), [], 'replicas are equal')
})

/** On all servers together. */
async function used(cluster: TestCluster): Promise<number> {
  const { usage } = (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
  return usage.used
}
