// The main job, on separate processes: a replicated volume under fio, a file system on a loop
// device, everything stopped and started again, and equal replicas at the end.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'tape'
import type { ServedResult } from '../../src/net/admin.js'
import { differingBlocks } from '../helpers/compare-replicas.js'
import { TestCluster } from './cluster.js'
import { eventually, mustRun, runTool } from './tools.js'

const MiB = 2 ** 20
/** Of three servers each; a third would be equal. */
const FAIR_SHARE = 0.15
/** A stall of a busy machine makes a client spare a server for seconds. */
const PASSES = 3

const FIO = [
  '--name=verify',
  '--rw=randwrite',
  '--bs=4k',
  '--verify=crc32c',
  '--do_verify=1',
  '--verify_state_save=0',
]

function fio(file: string, size: string): Promise<{ code: number; stderr: string }> {
  const engine = [
    '--ioengine=libaio',
    '--iodepth=16',
    '--direct=1',
    '--verify_fatal=1',
    '--fsync=256',
  ]
  return runTool('fio', [...FIO, ...engine, `--filename=${file}`, `--size=${size}`])
}

test('a volume serves fio, a loop device and a file system, and survives a restart', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '1G', '--replicas', '3'])
  await cluster.startMount()
  const image = cluster.image('data')
  t.equal((await mustRun('stat', ['-c', '%s', image])).trim(), String(2 ** 30), 'true size')
  const direct = await fio(image, '64M')
  t.equal(direct.code, 0, `fio on the image verifies ${direct.stderr}`)
  const buffered = await runTool('fio', [
    ...FIO,
    '--direct=0',
    `--filename=${image}`,
    '--size=16M',
    '--end_fsync=1',
  ])
  t.equal(buffered.code, 0, `buffered fio verifies ${buffered.stderr}`)

  const device = await cluster.attach()
  const loop = await fio(device, '64M')
  t.equal(loop.code, 0, `fio on the loop device verifies ${loop.stderr}`)

  await mustRun('mkfs.ext4', ['-q', '-F', device])
  const files = join(cluster.folder, 'files')
  mkdirSync(files)
  await mustRun('mount', [device, files])
  cluster.undoLater(() => runTool('umount', ['-l', files]))
  await mustRun('cp', [
    '-a',
    '/usr/lib/x86_64-linux-gnu/perl-base',
    'node_modules/typescript',
    files,
  ])
  const sums = (await sha256(files)).trim()
  t.ok(sums.split('\n').length > 100, 'many files were copied')

  const busy = await cluster.run(['unmount', cluster.mountPoint])
  t.equal(busy.code, 5, 'a mount in use is not unmounted')
  t.match(busy.stderr, new RegExp(device), 'and the user is named')
  await cluster.json(['detach', 'data'])
  t.notOk((await mustRun('losetup', ['-l', '-n', '-O', 'NAME'])).includes(device), 'detached')
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  t.deepEqual(
    await differingBlocks(cluster, ['a', 'b', 'c']),
    [],
    'replicas are equal, block for block',
  )

  await cluster.startManager()
  await Promise.all(['a', 'b', 'c'].map(name => cluster.startServer(name)))
  await cluster.startMount()
  const again = await cluster.attach()
  const fsck = await runTool('fsck.ext4', ['-fn', again])
  t.equal(fsck.code, 0, `fsck is clean ${fsck.stderr}`)
  await mustRun('mount', [again, files])
  t.equal((await sha256(files)).trim(), sums, 'all files are what they were')
  await cluster.json(['detach', again])
  await eventually('health is ok', async () => {
    const { health } = await cluster.status()
    return health === 'ok'
  })
  t.pass('all replicas are in-sync again')
})

test('a reader uses all servers, and writes and FLUSHes by turns become one request', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '256M', '--replicas', '3'])
  await cluster.startMount()
  const words = [
    ...['--name=all', '--bs=1m', '--iodepth=8', '--ioengine=libaio', '--direct=1'],
    ...[`--filename=${cluster.image('data')}`, '--size=256M'],
  ]
  await mustRun('fio', [...words, '--rw=write', '--end_fsync=1'])
  await mustRun('fio', [...words, '--rw=read', `--loops=${PASSES}`])
  let served: readonly ServedResult[] = []
  const total = (what: keyof ServedResult): number =>
    served.reduce((sum, server) => sum + server[what], 0)
  const reported = (what: keyof ServedResult, least: number): Promise<void> =>
    eventually(`${least} ${what} are reported`, async () => {
      const status = await cluster.status()
      served = status.servers.map(server => server.served)
      return total(what) >= least
    })
  await reported('bytesRead', PASSES * 256 * MiB)
  const reads = served.map(server => server.reads)
  const all = reads.reduce((sum, count) => sum + count, 0)
  t.equal(reads.length, 3)
  t.ok(Math.min(...reads) >= FAIR_SHARE * all, `of ${all} reads ${reads.join(', ')}`)

  const [writes, flushes] = [total('writes'), total('flushes')]
  const small = ['--rw=randwrite', '--bs=4k', '--iodepth=1', '--fsync=1', '--number_ios=200']
  await mustRun('fio', [...words, ...small])
  await reported('writes', writes + 200)
  const more = total('flushes') - flushes
  t.ok(more < 20, `${more} FLUSHes for 200 writes that were synced one by one`)
})

function sha256(folder: string): Promise<string> {
  const command = `cd ${folder} && find . -type f -print0 | sort -z | xargs -0 sha256sum`
  return mustRun('sh', ['-c', command])
}
