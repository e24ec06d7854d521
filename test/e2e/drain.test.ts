// A storage server is emptied under I/O and removed: every copy is made elsewhere first, what is
// left only goes down, and nothing is missing afterwards.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type Test } from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import type { DrainResult, ServerDrainResult, ServerResult } from '../../src/net/admin.js'
import { differingBlocks } from '../helpers/compare-replicas.js'
import { TestCluster } from './cluster.js'
import { BlockProbe, FioVerify } from './image-load.js'
import { eventually, mustRun } from './tools.js'

const MiB = 2 ** 20
const LEAVES = 'b'
const STAY = ['a', 'c', 'd']

async function server(cluster: TestCluster, name: string): Promise<ServerResult> {
  const { servers } = await cluster.status()
  const found = servers.find(one => one.name === name)
  if (!found) throw new Error(`${name} is no member`)
  return found
}

/** A file system in an image, with a file of random content. */
async function makeFiles(cluster: TestCluster, image: string): Promise<string> {
  const folder = join(cluster.folder, 'files')
  const pattern = join(folder, 'pattern')
  mkdirSync(folder)
  writeFileSync(pattern, await mustRun('sh', ['-c', 'seq 1 4000000 | head -c 16777216']))
  await mustRun('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', folder, image])
  await mustRun('sync', [image])
  return pattern
}

async function checkFiles(
  t: Test,
  cluster: TestCluster,
  { image, pattern }: { readonly image: string; readonly pattern: string },
): Promise<void> {
  await mustRun('e2fsck', ['-fn', image])
  t.pass('the file system has no errors')
  const copy = join(cluster.folder, 'copy')
  await mustRun('debugfs', ['-R', `dump /pattern ${copy}`, image])
  t.ok(readFileSync(copy).equals(readFileSync(pattern)), 'the file is what it was')
}

/** Looks at what is left until nothing is. */
async function untilEmpty(t: Test, cluster: TestCluster): Promise<void> {
  const seen: DrainResult[] = []
  await eventually(`${LEAVES} is empty`, async () => {
    const { drain, state } = await server(cluster, LEAVES)
    if (!drain || state !== 'draining') throw new Error(`${LEAVES} is ${state}`)
    seen.push(drain)
    return drain.shardsLeft === 0
  })
  const down = (of: (drain: DrainResult) => number): boolean =>
    seen.every((drain, i) => i === 0 || of(drain) <= of(seen[i - 1]!))
  t.ok(
    down(({ shardsLeft }) => shardsLeft),
    `shards: ${[...new Set(seen.map(({ shardsLeft }) => shardsLeft))].join(', ')}`,
  )
  t.ok(
    down(({ bytesLeft }) => bytesLeft ?? Infinity),
    `bytes: ${[...new Set(seen.map(({ bytesLeft }) => bytesLeft))].join(', ')}`,
  )
}

test('a storage server is drained under I/O, and removed', async t => {
  const cluster = await TestCluster.start(t, { servers: 4 })
  await cluster.json(['volume', 'create', 'data', '--size', '128M', '--replicas', '3'])
  await cluster.json(['volume', 'create', 'files', '--size', '64M', '--replicas', '3'])
  await cluster.startMount()
  const files = cluster.image('files')
  const pattern = await makeFiles(cluster, files)
  const image = cluster.image('data')
  const fio = new FioVerify(cluster, { image, offset: 0, size: 6 * MiB })
  const probe = new BlockProbe(cluster, { image, offset: 64 * MiB, size: 64 * MiB })
  await eventually('I/O is under way', () => Promise.resolve(probe.operations > 20))

  const held = (await server(cluster, LEAVES)).shards
  t.ok(held > 4, `${LEAVES} holds ${held} shards`)
  const begun = (await cluster.json(['server', 'drain', LEAVES])) as ServerDrainResult
  t.equal(begun.name, LEAVES)
  t.ok(begun.drain && begun.drain.shardsLeft > 0, `it has begun in epoch ${begun.epoch}`)
  await untilEmpty(t, cluster)
  const again = await cluster.run(['server', 'drain', LEAVES, '--wait'])
  t.match(again.stdout, /b is empty: "swarmdisk server remove b"/, 'so says the command')
  const list = await cluster.run(['server', 'list'])
  t.match(list.stdout, /b +draining +0 /, 'it is shown as draining, with nothing on it')
  t.ok(
    (await cluster.status()).problems.some(line => /b is empty: take it out/.test(line)),
    'status says what to do next',
  )
  const last = await cluster.run(['server', 'drain', 'c'])
  t.equal(last.code, EXIT_CODES.refused, 'no other one can be emptied now')
  t.match(last.stderr, /needs 3 storage servers.*without c/, last.stderr.trim())

  await cluster.json(['server', 'remove', LEAVES])
  await cluster.kill(LEAVES, 'SIGTERM')
  const before = probe.operations
  await eventually('I/O goes on', () => Promise.resolve(probe.operations > before + 20))
  t.equal(await fio.stop(), null, 'fio wrote and verified without an error')
  const { failure, operations, longestStallMs } = await probe.stop()
  t.equal(failure, null, `${operations} operations, stalled for ${longestStallMs} ms at most`)
  await checkFiles(t, cluster, { image: files, pattern })
  const { health, servers } = await cluster.status()
  t.equal(health, 'ok', 'all copies are there')
  t.deepEqual(servers.map(({ name }) => name).sort(), STAY)
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  t.deepEqual(await differingBlocks(cluster, STAY), [], 'all copies are equal')
})

test('draining is ended, and the server is used again', async t => {
  const cluster = await TestCluster.start(t, { servers: 4 })
  await cluster.json(['volume', 'create', 'data', '--size', '64M', '--replicas', '3'])
  await cluster.json(['server', 'drain', 'a', '--wait'])
  t.equal((await server(cluster, 'a')).shards, 0, 'it is empty')
  const { drain } = (await cluster.json(['server', 'undrain', 'a'])) as ServerDrainResult
  t.equal(drain, null)
  t.equal((await server(cluster, 'a')).state, 'up')
  await eventually('it gets its share again', async () => {
    const { health } = await cluster.status()
    return health === 'ok' && (await server(cluster, 'a')).shards > 2
  })
  t.pass('it holds copies again')
})
