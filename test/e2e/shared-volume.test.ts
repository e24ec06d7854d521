// A shared volume is one disk for all hosts: what one has written the others read at once, and what
// several of them do at the same time has one order, also when a storage server dies meanwhile.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import test, { type Test } from 'tape'
import type { VolumeDetail } from '../../src/net/admin.js'
import { differingBlocks } from '../helpers/compare-replicas.js'
import { BLOCK_BYTES, BlockRivals, filled } from './block-rivals.js'
import { TestCluster } from './cluster.js'
import { eventually } from './tools.js'

const MiB = 2 ** 20
const EXTENT_BLOCKS = (4 * MiB) / BLOCK_BYTES
const HOSTS = ['mount', 'mount-2'] as const
const DEAD = 'b'

/** Two mounts that share, and volumes. */
async function start(t: Test, volumes: readonly string[]): Promise<TestCluster> {
  const cluster = await TestCluster.start(t)
  for (const name of volumes) {
    await cluster.json(['volume', 'create', name, '--size', '64M', '--replicas', '3'])
  }
  for (const host of HOSTS) await cluster.startMount(['--shared'], host)
  return cluster
}

test('what one host has written, the other one reads', async t => {
  const cluster = await start(t, ['data'])
  const direct = constants.O_RDWR | constants.O_DIRECT
  const images = HOSTS.map(host => cluster.image('data', host))
  const files = await Promise.all(images.map(image => open(image, direct)))
  // Without O_DIRECT, and open all along: no page cache stands in between either.
  const buffered = await Promise.all(images.map(image => open(image, constants.O_RDONLY)))
  cluster.stopFirst(() => Promise.all([...files, ...buffered].map(file => file.close())))
  const wrong: string[] = []
  for (let round = 0; round < 64; round++) {
    const [writer, reader] = [round % 2, 1 - (round % 2)]
    const bytes = round % 8 < 6 ? BLOCK_BYTES : MiB
    // The same places again and again, in several shards.
    const position = (round % 3) * EXTENT_BLOCKS * BLOCK_BYTES
    const written = filled(round + 1, bytes)
    await files[writer]!.write(written, 0, bytes, position)
    for (const file of [files[reader]!, buffered[reader]!]) {
      const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, position)
      if (!buffer.equals(written)) wrong.push(`round ${round}: ${buffer.readUInt32LE(0)}`)
    }
  }
  t.deepEqual(wrong, [], 'every read on the other host saw the newest write')
  const { attachments } = (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
  t.deepEqual(
    attachments.map(({ mode }) => mode),
    ['shared', 'shared'],
    'both have it',
  )
})

test('two hosts, a server that dies: one order of all reads and writes', async t => {
  const cluster = await start(t, ['data', 'other'])
  // In six shards, so that every server is the primary of some.
  const blocks = Array.from({ length: 6 }, (_, i) => i * EXTENT_BLOCKS + i)
  const rivals = new BlockRivals(cluster, blocks)
  for (const host of [...HOSTS, ...HOSTS]) rivals.add(cluster.image('data', host))
  await rivals.progress(100)
  await cluster.kill(DEAD)
  await eventually('it is declared down', async () => {
    const { servers } = await cluster.status()
    return servers.find(({ name }) => name === DEAD)?.state === 'down'
  })
  await rivals.progress(100)
  await cluster.startServer(DEAD)
  await eventually('all copies are in-sync', async () => (await cluster.status()).health === 'ok')
  await rivals.progress(100)
  t.equal(await rivals.stop(), null, `${rivals.operations} operations without an error`)
  t.deepEqual(rivals.histories.findings(), [], 'the histories are linearizable')
  t.equal(rivals.histories.unproved, 0, 'all of them were judged')

  // The same on two volumes, where nobody has written yet: all that it finds are stale reads.
  const untouched = [10 * EXTENT_BLOCKS, 11 * EXTENT_BLOCKS]
  const strangers = new BlockRivals(cluster, untouched)
  strangers.add(cluster.image('other', HOSTS[0]))
  strangers.add(cluster.image('data', HOSTS[1]))
  await strangers.progress(100)
  t.equal(await strangers.stop(), null)
  const found = strangers.histories.findings().filter(line => line.startsWith('I1'))
  t.equal(found.length, untouched.length, `those of different volumes are not: ${found[0]}`)

  for (const host of HOSTS) await cluster.json(['unmount', cluster.mountPointOf(host)])
  await cluster.stopAll()
  t.deepEqual(await differingBlocks(cluster, cluster.servers), [], 'all copies are equal')
})
