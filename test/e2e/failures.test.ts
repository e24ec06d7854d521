// Processes killed while I/O goes on: nothing that was synced is lost, reads go on, writes are held
// and resume, and a dead mount is cleaned up.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'tape'
import { TestCluster } from './cluster.js'
import { eventually, mustRun, runTool, within } from './tools.js'

const NAMES = ['a', 'b', 'c'] as const
/** One server that is away keeps writes waiting. */
const ALL_COPIES = ['--replicas', '3', '--min-in-sync', '3']

interface Status {
  readonly health: string
  readonly problems: readonly string[]
  readonly servers: readonly { readonly name: string; readonly state: string }[]
  readonly clients: readonly { readonly held: { readonly reason: string } | null }[]
}

async function status(cluster: TestCluster): Promise<Status> {
  return (await cluster.json(['status'])) as Status
}

/** One block of a letter; fsync=1 flushes it. */
function writeBlock(image: string, block: number, letter: string): ReturnType<typeof runTool> {
  const flags = 'conv=notrunc,fsync oflag=direct iflag=fullblock status=none'
  const content = `yes ${letter} | tr -d '\\n' | head -c 4096`
  const script = `${content} | dd of=${image} bs=4096 seek=${block} ${flags}`
  return runTool('sh', ['-c', script])
}

async function readBlock(image: string, block: number): Promise<string> {
  const words = [
    `if=${image}`,
    'bs=4096',
    'count=1',
    `skip=${block}`,
    'iflag=direct',
    'status=none',
  ]
  const text = await mustRun('dd', words)
  return text === text.charAt(0).repeat(4096) ? text.charAt(0) : `mixed: ${text.slice(0, 40)}`
}

test('all storage servers killed right after an fsync: everything synced is there', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '256M'])
  await cluster.startMount()
  const pattern = join(cluster.folder, 'pattern')
  writeFileSync(pattern, await mustRun('sh', ['-c', 'seq 1 1000000 | head -c 4194304']))
  for (let round = 0; round < 2; round++) {
    const offset = 8 + round * 4
    const words = [`if=${pattern}`, `of=${cluster.image('data')}`, 'bs=1M', `seek=${offset}`]
    await mustRun('dd', [...words, 'conv=notrunc,fsync', 'status=none'])
    await Promise.all(NAMES.map(name => cluster.kill(name, 'SIGKILL')))
    await Promise.all(NAMES.map(name => cluster.startServer(name)))
    for (let earlier = 0; earlier <= round; earlier++) {
      const copy = join(cluster.folder, 'copy')
      const back = [`if=${cluster.image('data')}`, `of=${copy}`, 'bs=1M', 'count=4', 'iflag=direct']
      await mustRun('dd', [...back, `skip=${8 + earlier * 4}`, 'status=none'])
      t.ok(readFileSync(copy).equals(readFileSync(pattern)), `round ${round}: ${earlier} is there`)
    }
  }
  await eventually('all in-sync', async () => (await status(cluster)).health === 'ok')
  t.pass('the replicas became in-sync by themselves')
})

test('too few copies for writing: reads go on, writes are held and resume', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '64M', ...ALL_COPIES])
  await cluster.startMount()
  const image = cluster.image('data')
  for (let block = 0; block < 16; block++) {
    t.equal((await writeBlock(image, block * 1024, 'x')).code, 0, `write to extent ${block}`)
  }
  await cluster.kill('b', 'SIGKILL')
  for (let block = 0; block < 16; block++) {
    t.equal(await readBlock(image, block * 1024), 'x', `read of extent ${block} goes on`)
  }
  const held = writeBlock(image, 1, 'y')
  await eventually('status tells of the held write', async () => {
    const now = await status(cluster)
    // First for the server that does not answer; when it is declared down, for its copies.
    const reason = /storage server b\b|2 of the 3 it needs for writing/
    return now.clients.some(client => reason.test(client.held?.reason ?? ''))
  })
  await eventually('status shows that b is down', async () => {
    const { health, servers } = await status(cluster)
    return health !== 'ok' && servers.find(server => server.name === 'b')?.state === 'down'
  })
  const now = await status(cluster)
  t.ok(
    now.problems.some(line => /\bb\b/.test(line)),
    `a problem names b: ${now.problems.join('; ')}`,
  )
  await cluster.startServer('b')
  t.equal((await within('the held write', held)).code, 0, 'the held write goes on')
  t.equal(await readBlock(image, 1), 'y', 'and is there')
  await eventually('all in-sync', async () => (await status(cluster)).health === 'ok')
})

test('--io-timeout turns held I/O into an error, and --abort frees everything', async t => {
  const cluster = await TestCluster.start(t, { mountFlags: ['--io-timeout', '5s'] })
  await cluster.json(['volume', 'create', 'data', '--size', '64M', ...ALL_COPIES])
  await cluster.startMount()
  const image = cluster.image('data')
  t.equal((await writeBlock(image, 0, 'x')).code, 0, 'a write before')
  await cluster.kill('c', 'SIGKILL')
  const failed = await writeBlock(image, 0, 'y')
  t.notEqual(failed.code, 0, 'the write fails')
  t.match(failed.stderr, /Input\/output error/, 'with EIO')
  const aborted = writeBlock(image, 0, 'z')
  await eventually('it is held', async () =>
    (await status(cluster)).clients.some(client => client.held !== null),
  )
  await cluster.json(['unmount', cluster.mountPoint, '--abort'])
  t.notEqual((await within('the aborted write', aborted)).code, 0, 'the write ended')
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  t.notOk(mounts.includes(cluster.mountPoint), 'the mount is gone')
})

test('the mount killed under a mounted ext4 is cleaned up, and a new one works', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '256M'])
  await cluster.startMount()
  const files = join(cluster.folder, 'files')
  mkdirSync(files)
  const first = await cluster.attach()
  await mustRun('mkfs.ext4', ['-q', '-F', first])
  await mustRun('mount', [first, files])
  cluster.undoLater(() => runTool('umount', ['-l', files]))
  writeFileSync(join(files, 'kept'), 'synced')
  await mustRun('sync', ['-f', files])
  await cluster.kill('mount', 'SIGKILL')
  await within('detach', cluster.json(['detach', first]))
  await within('unmount', cluster.json(['unmount', cluster.mountPoint]))
  t.notOk(readFileSync('/proc/self/mounts', 'utf8').includes(cluster.folder), 'nothing is mounted')
  await cluster.startMount()
  const second = await cluster.attach()
  // The journal is replayed by the first mount; only then is a check of a dead system clean.
  await mustRun('mount', [second, files])
  t.equal(readFileSync(join(files, 'kept'), 'utf8'), 'synced', 'the synced file is there')
  await mustRun('umount', [files])
  const fsck = await runTool('fsck.ext4', ['-fn', second])
  t.equal(fsck.code, 0, `fsck is clean ${fsck.stderr}`)
  await cluster.json(['detach', 'data'])
})
