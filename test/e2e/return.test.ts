// A storage server that comes back gets what has changed meanwhile, and hardly more: its counter of
// bytes fetched from the others decides, not the time.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import test, { type Test } from 'tape'
import type { ServerResult } from '../../src/net/admin.js'
import { differingBlocks } from '../helpers/compare-replicas.js'
import { TestCluster } from './cluster.js'
import { eventually, mustRun } from './tools.js'

const MiB = 2 ** 20
const BLOCK_BYTES = 4096
const VOLUME_BYTES = 1024 * MiB
/** Each has an index page of one block, which is compared where anything in it has changed. */
const REGIONS = VOLUME_BYTES / (2 * MiB)
const AWAY = 'b'
const ALLOWED = 1.2

interface Absence {
  /** How it ends. */
  readonly signal: 'SIGKILL' | 'SIGTERM'
  /** fio: what is written meanwhile. */
  readonly writes: readonly string[]
}

async function away(cluster: TestCluster): Promise<ServerResult> {
  const found = (await cluster.status()).servers.find(({ name }) => name === AWAY)
  if (!found) throw new Error(`${AWAY} is no member`)
  return found
}

async function fio(image: string, words: readonly string[]): Promise<void> {
  const common = ['--name=write', '--ioengine=libaio', '--direct=1', `--filename=${image}`]
  await mustRun('fio', [...common, '--end_fsync=1', ...words])
}

/**
 * Reports come once a second. One that counts a read which began when all was in-sync counts all
 * that was fetched: nobody else asks this volume for anything.
 */
async function recovered(cluster: TestCluster): Promise<number> {
  const before = (await away(cluster)).served.reads
  let bytes = 0
  const file = await open(cluster.image('data'), constants.O_RDONLY | constants.O_DIRECT)
  try {
    await eventually('a read is reported', async () => {
      // Whoever is expected to answer first is asked.
      await file.read(Buffer.alloc(MiB), 0, MiB, 0)
      const { served, recovered } = await away(cluster)
      bytes = recovered
      return served.reads > before
    })
  } finally {
    await file.close()
  }
  return bytes
}

/** The bytes that it fetched when it was back. */
async function moved(t: Test, cluster: TestCluster, { signal, writes }: Absence): Promise<number> {
  await cluster.kill(AWAY, signal)
  await eventually('it is declared down', async () => (await away(cluster)).state === 'down')
  await fio(cluster.image('data'), writes)
  const began = performance.now()
  await cluster.startServer(AWAY)
  await eventually('all copies are in-sync', async () => (await cluster.status()).health === 'ok')
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const bytes = await recovered(cluster)
  t.comment(`${bytes} bytes (${(bytes / MiB).toFixed(1)} MiB) fetched, in-sync after ${seconds} s`)
  return bytes
}

test('a server that was away fetches what has changed, and hardly more', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '1G', '--replicas', '3'])
  await cluster.startMount()
  await fio(cluster.image('data'), ['--rw=write', '--bs=1m', '--iodepth=8', '--size=1g'])

  const pieces = ['--rw=randwrite', '--bs=1m', '--iodepth=8', '--size=1g', '--io_size=256m']
  const large = await moved(t, cluster, { signal: 'SIGKILL', writes: pieces })
  t.ok(large >= 256 * MiB, 'all of 256 MiB in random pieces of 1 MiB')
  t.ok(large <= ALLOWED * 256 * MiB, `${(large / MiB / 256).toFixed(3)} times as much were moved`)

  // Every region has changed, so all index pages come as well.
  const scattered = ['--rw=randwrite', '--bs=4k', '--iodepth=16', '--size=1g', '--io_size=16m']
  const small = await moved(t, cluster, { signal: 'SIGTERM', writes: scattered })
  t.ok(small >= 16 * MiB, 'all of 16 MiB in scattered blocks')
  const most = ALLOWED * 16 * MiB + REGIONS * BLOCK_BYTES
  t.ok(small <= most, `${(small / MiB / 16).toFixed(3)} times as much were moved`)

  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  t.deepEqual(await differingBlocks(cluster, cluster.servers), [], 'all copies are equal')
})
