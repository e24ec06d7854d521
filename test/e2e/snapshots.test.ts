// Snapshots on separate processes: of a file system in use, read through a loop device while the
// volume goes on being written; deleted; and the volume rolled back to what it was.
import { mkdirSync } from 'node:fs'
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import type { SnapshotListResult, SnapshotsCreated } from '../../src/net/admin.js'
import { TestCluster } from './cluster.js'
import { mustRun, runTool } from './tools.js'

const SIZE = 256 * 1024 * 1024

test('a file system, its snapshots, and the way back', { timeout: 300_000 }, async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', String(SIZE), '--replicas', '3'])
  await cluster.startMount()
  const folder = join(cluster.mountPoint, '.snapshots')
  t.deepEqual(await readdir(folder), [], 'no snapshots yet')
  const device = await attach(cluster, 'data')
  await mustRun('mkfs.ext4', ['-q', '-F', device])
  const files = await mounted(cluster, device)
  await mustRun('cp', ['-a', '/usr/lib/x86_64-linux-gnu/perl-base', files])
  await writeFile(join(files, 'note'), 'first')
  await mustRun('sync', ['-f', files])
  const sums = await sha256(files)

  const created = (await cluster.json(['snapshot', 'create', 'data@one'])) as SnapshotsCreated
  t.equal(created.snapshots.length, 1, 'one snapshot')
  const [one] = created.snapshots
  t.deepEqual([one?.volume, one?.name, one?.size], ['data', 'one', SIZE], 'as asked for')
  t.equal(one?.epoch, created.epoch, 'of this epoch')
  t.ok(Math.abs(Date.parse(one?.at ?? '') - Date.now()) < 600_000, 'made now')
  t.deepEqual(await readdir(folder), ['data@one.img'], 'the mount shows it')
  t.equal((await stat(join(folder, 'data@one.img'))).size, SIZE, 'true size')

  await mustRun('rm', ['-r', join(files, 'perl-base')])
  await writeFile(join(files, 'note'), 'second')
  await mustRun('sh', ['-c', `cp -a node_modules/prettier ${files} && sync -f ${files}`])
  await cluster.json(['snapshot', 'create', 'data@two'])

  const frozen = await attach(cluster, 'data@one')
  t.equal((await mustRun('blockdev', ['--getro', frozen])).trim(), '1', 'a read-only device')
  const old = await mounted(cluster, frozen, ['-o', 'ro,noload'])
  t.equal(await sha256(old), sums, 'all files are what they were')
  t.equal(await readFile(join(files, 'note'), 'utf8'), 'second', 'and the volume what it is')
  await refusals(t, cluster)
  await cluster.json(['detach', 'data@one'])

  const { snapshots } = (await cluster.json(['snapshot', 'list', 'data'])) as SnapshotListResult
  t.deepEqual(
    snapshots.map(({ name }) => name),
    ['one', 'two'],
    'both are listed',
  )
  const busy = await cluster.run(['snapshot', 'rollback', 'data@one', '--yes'])
  t.equal(busy.code, 5, 'not while it is attached')
  t.match(busy.stderr, /attached at/)
  await cluster.json(['detach', device])
  await cluster.json(['snapshot', 'rollback', 'data@one', '--yes'])
  const again = await attach(cluster, 'data')
  const fsck = await runTool('fsck.ext4', ['-fy', again])
  t.ok(fsck.code <= 1, `a log to replay and nothing else ${fsck.stdout}`)
  const back = await mounted(cluster, again)
  t.equal(await sha256(back), sums, 'the volume is what it was')
  await writeFile(join(back, 'note'), 'third')
  await cluster.json(['detach', again])
  await deletion(t, cluster)
})

/** What is newer than a rollback stays a snapshot; a deleted one is gone for everybody. */
async function deletion(t: test.Test, cluster: TestCluster): Promise<void> {
  const folder = join(cluster.mountPoint, '.snapshots')
  const two = await attach(cluster, 'data@two')
  const newer = await mounted(cluster, two, ['-o', 'ro,noload'])
  t.equal(await readFile(join(newer, 'note'), 'utf8'), 'second', 'newer than what we went back to')
  await cluster.json(['detach', two])
  const file = await open(join(folder, 'data@two.img'), 'r')
  cluster.stopFirst(() => file.close())
  await cluster.json(['snapshot', 'delete', 'data@two'])
  t.deepEqual(await readdir(folder), ['data@one.img'])
  const code = await file.read(Buffer.alloc(4096), 0, 4096, 0).then(
    () => 'read',
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  )
  t.equal(code, 'EIO', 'who has it open is told')
  await cluster.says('mount', /deleted while somebody reads it/)
  t.pass('and the log of the mount says why')
  await file.close()
  t.equal((await cluster.run(['snapshot', 'delete', 'data@two'])).code, 6, 'there is none')
  await cluster.json(['snapshot', 'delete', 'data@one'])
  const last = await attach(cluster, 'data')
  const files = await mounted(cluster, last)
  t.equal(await readFile(join(files, 'note'), 'utf8'), 'third', 'the volume needs none of them')
  await cluster.json(['detach', last])
}

async function refusals(t: test.Test, cluster: TestCluster): Promise<void> {
  const image = join(cluster.mountPoint, '.snapshots', 'data@one.img')
  const write = await runTool('dd', ['if=/dev/zero', `of=${image}`, 'count=1', 'conv=notrunc'])
  t.match(write.stderr, /Read-only file system/, 'nothing is written to a snapshot')
  const remove = await runTool('rm', ['-f', image])
  t.match(remove.stderr, /Read-only file system/)
  const words = ['attach', 'data@none', '--mount', cluster.mountPoint]
  t.equal((await cluster.run(words)).code, 6, 'there is no such snapshot')
  const twice = await cluster.run(['snapshot', 'create', 'data@one'])
  t.equal(twice.code, 2, `a name is given once ${twice.stderr}`)
  t.equal((await cluster.run(['snapshot', 'create', 'none@one'])).code, 6, 'no such volume')
}

test('several volumes at one point in time', { timeout: 300_000 }, async t => {
  const cluster = await TestCluster.start(t)
  for (const name of ['a', 'b']) {
    await cluster.json(['volume', 'create', name, '--size', '64M', '--replicas', '3'])
  }
  await cluster.startMount()
  t.equal((await cluster.run(['snapshot', 'create', 'a@s', 'b@s'])).code, 2, 'only with --atomic')
  // Always first to a, then to b: no snapshot has more in b.
  const [a, b] = await Promise.all(['a', 'b'].map(name => open(cluster.image(name), 'r+')))
  let stop = false
  const counter = async (): Promise<number> => {
    let count = 0
    while (!stop) {
      const block = Buffer.alloc(4096)
      block.writeUInt32LE(++count)
      await a!.write(block, 0, 4096, 0)
      await b!.write(block, 0, 4096, 0)
    }
    return count
  }
  const counted = counter()
  cluster.stopFirst(async () => {
    stop = true
    await counted
    await Promise.all([a!.close(), b!.close()])
  })
  for (const name of ['s1', 's2', 's3']) {
    const words = ['snapshot', 'create', `a@${name}`, `b@${name}`, '--atomic']
    const { snapshots, epoch } = (await cluster.json(words)) as SnapshotsCreated
    t.ok(snapshots.length === 2 && snapshots.every(one => one.epoch === epoch), 'of one epoch')
    const [inA, inB] = await Promise.all(
      ['a', 'b'].map(async volume => {
        const path = join(cluster.mountPoint, '.snapshots', `${volume}@${name}.img`)
        const file = await open(path, 'r')
        const { buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0)
        await file.close()
        return buffer.readUInt32LE()
      }),
    )
    t.ok(inA! - inB! === 0 || inA! - inB! === 1, `${inA} in a, ${inB} in b`)
  }
  stop = true
  t.ok((await counted) > 0, 'writes went on')
})

async function attach(cluster: TestCluster, volume: string): Promise<string> {
  const words = ['attach', volume, '--mount', cluster.mountPoint]
  const { device } = (await cluster.json(words)) as { readonly device: string }
  cluster.undoLater(() => runTool('losetup', ['-d', device]))
  return device
}

let folders = 0

async function mounted(
  cluster: TestCluster,
  device: string,
  options: readonly string[] = [],
): Promise<string> {
  const folder = join(cluster.folder, `files-${++folders}`)
  mkdirSync(folder)
  await mustRun('mount', [...options, device, folder])
  cluster.undoLater(() => runTool('umount', ['-l', folder]))
  return folder
}

async function sha256(folder: string): Promise<string> {
  const command = `cd ${folder} && find . -type f -print0 | sort -z | xargs -0 sha256sum`
  return (await mustRun('sh', ['-c', command])).trim()
}
