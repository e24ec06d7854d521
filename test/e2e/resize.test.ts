// A full disk grows under a file system: while I/O goes on, while a storage server is away, between
// snapshots; through the command and through the image. What was there stays, on every replica.
import { mkdirSync } from 'node:fs'
import { open, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import type { GrownDevice } from '../../src/cli/mounts/grown-devices.js'
import type { LayerRecord } from '../../src/layout/layers.js'
import type { SnapshotListResult, VolumeDetail, VolumeResized } from '../../src/net/admin.js'
import { differingBlocks } from '../helpers/compare-replicas.js'
import { TestCluster } from './cluster.js'
import { FioVerify } from './image-load.js'
import { eventually, mustRun, runTool } from './tools.js'

const MiB = 2 ** 20
const OLD = 96 * MiB
/** Not in whole extents. */
const NEW = 201 * MiB + 4096
const LOAD = 8 * MiB

type Resized = VolumeResized & { readonly devices: readonly GrownDevice[] }

/** Frozen as `before` and `after`, and the head. */
const LAYERS: readonly LayerRecord[] = [1, 2, 3].map(id => {
  return { id, parent: id - 1, covers: [{ first: id, last: id }] }
})

async function resize(cluster: TestCluster, size: number): Promise<Resized> {
  return (await cluster.json(['volume', 'resize', 'data', '--size', String(size)])) as Resized
}

async function mounted(cluster: TestCluster, device: string, options = 'rw'): Promise<string> {
  const folder = join(cluster.folder, `files-${device.split('/').at(-1)}`)
  mkdirSync(folder, { recursive: true })
  cluster.undoLater(() => runTool('umount', ['-l', folder]))
  await mustRun('mount', ['-o', options, device, folder])
  return folder
}

const sha256 = async (path: string): Promise<string> =>
  (await mustRun('sha256sum', [path])).split(' ')[0] ?? ''

const inSync = (cluster: TestCluster): Promise<void> =>
  eventually('all copies are in-sync', async () => (await cluster.status()).health === 'ok')

/** What is to be seen once the volume is larger, of who had it open and of who looks anew. */
async function grows(t: Test, cluster: TestCluster, device: string): Promise<void> {
  const { size, name, devices } = await resize(cluster, NEW)
  t.deepEqual([name, size], ['data', NEW], 'the new size')
  t.equal((await stat(cluster.image('data'))).size, NEW, 'the image shows it')
  const commands = [`losetup -c ${device}`, `resize2fs ${device}`]
  t.deepEqual(devices, [{ device, commands }], 'what is on this host, and how it follows')
  await mustRun('sh', ['-c', commands[0]!])
  t.equal(Number(await mustRun('blockdev', ['--getsize64', device])), NEW, 'it has followed')
}

/**
 * An ext4 grows under its users where this process has CAP_SYS_RESOURCE, which some containers do
 * not give; else it is unmounted for that, and who uses it has to pause.
 */
async function fileSystemGrows(t: Test, { device, files, pause }: Growing): Promise<void> {
  const online = await runTool('resize2fs', [device])
  if (online.code === 0) return t.pass('the file system grows under its users')
  t.match(online.stderr, /Permission denied/, 'not allowed here while it is mounted')
  await pause.begin()
  await mustRun('umount', [files])
  await mustRun('fsck.ext4', ['-fp', device])
  await mustRun('resize2fs', [device])
  await mustRun('mount', [device, files])
  pause.end()
}

interface Growing {
  readonly device: string
  readonly files: string
  /** Of whoever uses it. */
  readonly pause: { begin(): Promise<void>; end(): void }
}

test('a full file system grows while a server is away', { timeout: 600_000 }, async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', String(OLD), '--replicas', '3'])
  await cluster.startMount()
  const device = await cluster.attach()
  await mustRun('mkfs.ext4', ['-q', '-F', device])
  const files = await mounted(cluster, device)
  const load = join(files, 'load')
  await mustRun('dd', ['if=/dev/zero', `of=${load}`, 'bs=1M', `count=${LOAD / MiB}`, 'conv=fsync'])
  const old = join(files, 'old')
  const full = await runTool('dd', ['if=/dev/urandom', `of=${old}`, 'bs=1M', 'conv=fsync'])
  t.match(full.stderr, /No space left/, 'the file system is full')
  const before = await sha256(old)
  await mustRun('sync', ['-f', files])
  await cluster.json(['snapshot', 'create', 'data@before'])

  const users = (): FioVerify => new FioVerify(cluster, { image: load, offset: 0, size: LOAD })
  let fio = users()
  await cluster.kill('b')
  await grows(t, cluster, device)
  const pause = {
    begin: async () => t.equal(await fio.stop(), null, 'I/O went on while it was resized'),
    end: () => (fio = users()),
  }
  await fileSystemGrows(t, { device, files, pause })
  const young = join(files, 'new')
  await mustRun('dd', ['if=/dev/urandom', `of=${young}`, 'bs=1M', 'count=64', 'conv=fsync'])
  const after = await sha256(young)
  await mustRun('sync', ['-f', files])
  await cluster.json(['snapshot', 'create', 'data@after'])
  await cluster.startServer('b')
  await inSync(cluster)
  await cluster.kill('c')
  await cluster.startServer('c')
  await inSync(cluster)
  t.equal(await fio.stop(), null, 'I/O went on, and read what it wrote')

  await mustRun('sh', ['-c', `sync -f ${files} && echo 3 > /proc/sys/vm/drop_caches`])
  t.equal(await sha256(old), before, 'what was there is there')
  t.equal(await sha256(young), after, 'and what is new')
  await cluster.json(['detach', device])
  const fsck = await runTool('fsck.ext4', ['-fn', cluster.image('data')])
  t.equal(fsck.code, 0, `the file system is clean ${fsck.stdout}`)
  await snapshotsAreWhatTheyWere(t, cluster, { before, after })
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  const differing = await differingBlocks(cluster, cluster.servers, LAYERS)
  t.deepEqual(differing, [], 'all copies are equal, in the old part and in the new')
})

async function snapshotsAreWhatTheyWere(
  t: Test,
  cluster: TestCluster,
  sums: { readonly before: string; readonly after: string },
): Promise<void> {
  const { snapshots } = (await cluster.json(['snapshot', 'list', 'data'])) as SnapshotListResult
  t.deepEqual(
    snapshots.map(({ name, size }) => [name, size]),
    [
      ['before', OLD],
      ['after', NEW],
    ],
    'each has the size of its time',
  )
  for (const [name, file, size] of [
    ['before', 'old', OLD],
    ['after', 'new', NEW],
  ] as const) {
    const image = join(cluster.mountPoint, '.snapshots', `data@${name}.img`)
    t.equal((await stat(image)).size, size, `the image of ${name}`)
    const device = await cluster.attach('mount', [], `data@${name}`)
    const folder = await mounted(cluster, device, 'ro,noload')
    t.equal(await sha256(join(folder, file)), sums[name], `what ${name} shows`)
    await cluster.json(['detach', device])
  }
}

test('through the image, and what snapshots, clones and copies make of it', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '16M', '--replicas', '3'])
  await cluster.startMount()
  const image = cluster.image('data')
  const file = await open(image, 'r+')
  cluster.stopFirst(() => file.close().catch(() => undefined))
  const put = (value: number, at: number): Promise<unknown> =>
    file.write(Buffer.alloc(MiB, value), 0, MiB, at)
  await put(1, 15 * MiB)
  await cluster.json(['snapshot', 'create', 'data@small'])
  await refusals(t, cluster)

  await file.truncate(40 * MiB)
  t.equal((await file.stat()).size, 40 * MiB, 'who has it open cuts it larger')
  const { size } = (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
  t.equal(size, 40 * MiB, 'the volume is larger')
  const { buffer } = await file.read(Buffer.alloc(MiB, 9), 0, MiB, 39 * MiB)
  t.ok(buffer.equals(Buffer.alloc(MiB)), 'the new part reads as zeroes')
  await put(2, 39 * MiB)
  await file.sync()
  await cluster.json(['snapshot', 'create', 'data@large'])
  await file.close()
  await copies(t, cluster)

  await cluster.json(['snapshot', 'clone', 'data@small', 'trial'])
  const clone = cluster.image('trial')
  await eventually('the clone is seen', async () => (await stat(clone)).size === 16 * MiB)
  await mustRun('truncate', ['-s', '40M', clone])
  const words = ['snapshot', 'rollback', 'data@small', '--yes']
  await eventually('nobody has it any more', async () => (await cluster.run(words)).code === 0)
  for (const path of [clone, image]) {
    t.equal((await stat(path)).size, 40 * MiB, 'larger than the snapshot')
    await mustRun('sh', ['-c', `head -c 16M ${path} | cmp - ${imageOf(cluster, 'data@small')}`])
    await mustRun('sh', ['-c', `tail -c 24M ${path} | cmp -n ${24 * MiB} - /dev/zero`])
  }
  t.pass('both show the small one, and zeroes behind it')
})

function imageOf(cluster: TestCluster, snapshot: string): string {
  return join(cluster.mountPoint, '.snapshots', `${snapshot}.img`)
}

async function refusals(t: Test, cluster: TestCluster): Promise<void> {
  const smaller = await cluster.run(['volume', 'resize', 'data', '--size', '8M'])
  t.equal(smaller.code, EXIT_CODES.refused, 'smaller is refused')
  t.match(smaller.stderr, /no volume is made smaller.*copy what you need into a new volume/)
  const same = await resize(cluster, 16 * MiB)
  t.deepEqual([same.size, same.devices], [16 * MiB, []], 'the same size is no error')
  const odd = await cluster.run(['volume', 'resize', 'data', '--size', '20000000'])
  t.equal(odd.code, EXIT_CODES['bad-input'], 'in whole blocks')
  t.match(odd.stderr, /multiple of 4096 bytes: use 20000768 instead/)
  t.equal(
    (await cluster.run(['volume', 'resize', 'none', '--size', '1G'])).code,
    6,
    'no such volume',
  )
  const cut = (size: string) => runTool('truncate', ['-s', size, cluster.image('data')])
  t.match((await cut('8M')).stderr, /Operation not permitted/)
  t.match((await cut('20000000')).stderr, /Invalid argument/)
  t.equal((await cut('16M')).code, 0, 'nothing to do')
}

/** A copy in another volume follows, snapshot by snapshot, and raw images have their size. */
async function copies(t: Test, cluster: TestCluster): Promise<void> {
  const at = (name: string): string => join(cluster.folder, name)
  await cluster.json(['snapshot', 'export', 'data@small', '--output', at('small')])
  const ends = ['--from', 'data@small', 'data@large']
  await cluster.json(['snapshot', 'export', ...ends, '--output', at('large')])
  const script = at('import')
  for (const name of ['small', 'large']) {
    await writeFile(script, `exec "$@" < ${at(name)}`)
    const node = [process.execPath, 'bin/run.js', 'snapshot', 'import', 'copy']
    const imported = await runTool('sh', [script, ...node], cluster.environment)
    t.equal(imported.code, 0, `${name} is imported ${imported.stderr}`)
  }
  const copy = (await cluster.json(['volume', 'show', 'copy'])) as VolumeDetail
  t.equal(copy.size, 40 * MiB, 'the copy has grown')
  for (const name of ['small', 'large']) {
    const [from, to] = [`data@${name}`, `copy@${name}`].map(one => imageOf(cluster, one))
    await eventually(`${name} is seen`, async () => (await runTool('test', ['-e', to!])).code === 0)
    await mustRun('cmp', [from!, to!])
    await cluster.json(['volume', 'export', `data@${name}`, '--output', at(`${name}.img`)])
    await mustRun('cmp', [from!, at(`${name}.img`)])
  }
  t.pass('its snapshots are those of the original, and so are raw images')
}
