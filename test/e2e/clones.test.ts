// Clones on separate processes: of a file system under load, mounted and written beside its origin;
// flattened, so that the snapshot can go.
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import type { VolumeCloned, VolumeDetail } from '../../src/net/admin.js'
import { TestCluster } from './cluster.js'
import { mustRun, runTool } from './tools.js'

const SIZE = 256 * 1024 * 1024

test('a clone of a file system under load', { timeout: 300_000 }, async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', String(SIZE), '--replicas', '3'])
  await cluster.startMount()
  const device = await attach(cluster, 'data')
  await mustRun('mkfs.ext4', ['-q', '-F', device])
  const files = await mounted(cluster, device)
  await mustRun('cp', ['-a', '/usr/lib/x86_64-linux-gnu/perl-base', files])
  await writeFile(join(files, 'note'), 'first')
  await mustRun('sync', ['-f', files])
  const sums = await sha256(join(files, 'perl-base'))
  const script =
    'i=0; while :; do i=$((i+1)); dd if=/dev/urandom of=$0/load-$((i%8)) bs=64k count=16'
  const load = spawn('sh', ['-c', `${script} conv=fsync 2>/dev/null; done`, files])
  cluster.stopFirst(() => Promise.resolve(void load.kill('SIGKILL')))

  await cluster.json(['snapshot', 'create', 'data@s'])
  const made = (await cluster.json(['snapshot', 'clone', 'data@s', 'trial'])) as VolumeCloned
  t.deepEqual([made.name, made.size, made.origin], ['trial', SIZE, 'data@s'])
  t.equal(made.health, 'ok', 'in-sync at once')
  const copy = await attach(cluster, 'trial')
  const fsck = await runTool('fsck.ext4', ['-fy', copy])
  t.ok(fsck.code <= 1, `a log to replay and nothing else ${fsck.stdout}`)
  const trial = await mounted(cluster, copy)
  t.equal(await sha256(join(trial, 'perl-base')), sums, 'all files of the snapshot')
  await writeFile(join(trial, 'note'), 'of the clone')
  await mustRun('rm', ['-r', join(trial, 'perl-base')])
  await mustRun('sync', ['-f', trial])
  t.equal(await readFile(join(files, 'note'), 'utf8'), 'first', 'the origin is what it was')
  t.equal(await sha256(join(files, 'perl-base')), sums)

  await refusals(t, cluster)
  load.kill('SIGKILL')
  await cluster.json(['volume', 'flatten', 'trial'])
  const shown = (await cluster.json(['volume', 'show', 'trial'])) as VolumeDetail
  t.equal(shown.origin, null, 'it needs no origin')
  await cluster.json(['snapshot', 'delete', 'data@s'])
  t.equal((await cluster.run(['volume', 'flatten', 'trial'])).code, 7, 'once')
  await cluster.json(['detach', device])
  await cluster.json(['volume', 'delete', 'data'])
  await cluster.json(['detach', copy])
  const again = await attach(cluster, 'trial')
  t.equal((await runTool('fsck.ext4', ['-fn', again])).code, 0, 'clean, without its origin')
  const last = await mounted(cluster, again)
  t.equal(await readFile(join(last, 'note'), 'utf8'), 'of the clone')
  t.notOk((await readdir(last)).includes('perl-base'))
  await cluster.json(['detach', again])
})

async function refusals(t: test.Test, cluster: TestCluster): Promise<void> {
  const remove = await cluster.run(['snapshot', 'delete', 'data@s'])
  t.equal(remove.code, 5, 'a clone needs it')
  t.match(remove.stderr, /is the origin of "trial": flatten or delete that first/)
  t.equal((await cluster.run(['snapshot', 'clone', 'data@s', 'trial'])).code, 2, 'a name is taken')
  t.equal((await cluster.run(['snapshot', 'clone', 'data@no', 'x'])).code, 6, 'no such snapshot')
  t.equal((await cluster.run(['volume', 'flatten', 'none'])).code, 6, 'no such volume')
  const { stdout } = await cluster.run(['volume', 'list'])
  t.match(stdout, /CLONE OF[^]*data@s/, 'people see what is a clone')
}

async function attach(cluster: TestCluster, volume: string): Promise<string> {
  const words = ['attach', volume, '--mount', cluster.mountPoint]
  const { device } = (await cluster.json(words)) as { readonly device: string }
  cluster.undoLater(() => runTool('losetup', ['-d', device]))
  return device
}

let folders = 0

async function mounted(cluster: TestCluster, device: string): Promise<string> {
  const folder = join(cluster.folder, `files-${++folders}`)
  mkdirSync(folder)
  await mustRun('mount', [device, folder])
  cluster.undoLater(() => runTool('umount', ['-l', folder]))
  return folder
}

async function sha256(folder: string): Promise<string> {
  const command = `cd ${folder} && find . -type f -print0 | sort -z | xargs -0 sha256sum`
  return (await mustRun('sh', ['-c', command])).trim()
}
