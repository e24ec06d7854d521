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
/** As much as the issue names takes minutes on a busy machine: SWARMDISK_RETURN_MIB=256. */
const CHANGED_BYTES = Number(process.env['SWARMDISK_RETURN_MIB'] ?? 64) * MiB
const SCATTERED_BYTES = CHANGED_BYTES / 16
const VOLUME_BYTES = 4 * CHANGED_BYTES
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
  await cluster.json(['volume', 'create', 'data', '--size', `${VOLUME_BYTES}`, '--replicas', '3'])
  await cluster.startMount()
  const whole = `--size=${VOLUME_BYTES}`
  await fio(cluster.image('data'), ['--rw=write', '--bs=1m', '--iodepth=8', whole])

  const much = `--io_size=${CHANGED_BYTES}`
  const pieces = ['--rw=randwrite', '--bs=1m', '--iodepth=8', whole, much]
  const large = await moved(t, cluster, { signal: 'SIGKILL', writes: pieces })
  t.ok(large >= CHANGED_BYTES, `all of ${CHANGED_BYTES} bytes in random pieces of 1 MiB`)
  const times = (large / CHANGED_BYTES).toFixed(3)
  t.ok(large <= ALLOWED * CHANGED_BYTES, `${times} times as much were moved`)

  // Every region has changed, so all index pages come as well.
  const few = `--io_size=${SCATTERED_BYTES}`
  const scattered = ['--rw=randwrite', '--bs=4k', '--iodepth=16', whole, few]
  const small = await moved(t, cluster, { signal: 'SIGTERM', writes: scattered })
  t.ok(small >= SCATTERED_BYTES, `all of ${SCATTERED_BYTES} bytes in scattered blocks`)
  const most = ALLOWED * SCATTERED_BYTES + REGIONS * BLOCK_BYTES
  t.ok(small <= most, `${(small / SCATTERED_BYTES).toFixed(3)} times as much were moved`)

  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  t.deepEqual(await differingBlocks(cluster, cluster.servers), [], 'all copies are equal')
})
