// Who may write, at the storage servers: strangers are refused, and a client whose access was
// withdrawn executes nothing any more, whatever of it is still under way.
import test from 'tape'
import { epoch, type PeerId } from '../../src/base/brands.js'
import type { Attachment, Configuration } from '../../src/layout/configuration.js'
import { testPeer } from '../helpers/scripted-peers.js'
import { CLIENT, SERVER_A, SERVER_B, SERVER_C, SHARD, StorageCluster } from './storage-cluster.js'

const OTHER = testPeer(0x0bad)

const by = (client: PeerId): Attachment => {
  return { client, host: 'h', mode: 'exclusive', since: '2026-01-01T00:00:00.000Z' }
}

/** The next epoch, in which just this client is attached, and all shards are allocated anew. */
function handOver(cluster: StorageCluster, to: PeerId | null, tell?: readonly PeerId[]): void {
  const { configuration } = cluster
  const next = epoch(configuration.epoch + 1)
  const volume = configuration.volumes.get(SHARD.volume)!
  const shards = volume.shards.map(shard => ({ ...shard, epoch: next }))
  const attachments = to === null ? [] : [by(to)]
  const volumes: Configuration['volumes'] = new Map([
    [volume.id, { ...volume, shards, attachments }],
  ])
  cluster.publish({ ...configuration, epoch: next, volumes }, tell)
}

test('who is not attached may read, and nothing else', async t => {
  const cluster = await StorageCluster.start()
  t.equal(await cluster.wrote(1, 7), 'ok')
  handOver(cluster, OTHER)
  await cluster.adopted()
  t.equal(await cluster.wrote(1, 8), 'no-access', 'a write')
  t.equal(await cluster.done('flush', cluster.flush()), 'no-access', 'a FLUSH')
  for (const server of [SERVER_A, SERVER_B, SERVER_C]) {
    const read = await cluster.done('read', cluster.read(server, 1))
    t.deepEqual([read.status, read.first], ['ok', 7], 'a read')
  }
  handOver(cluster, CLIENT)
  await cluster.adopted()
  t.equal(await cluster.wrote(1, 9), 'ok', 'attached again')
})

test('what was asked for before the hand-over is refused, also when it comes late', async t => {
  const cluster = await StorageCluster.start()
  const before = cluster.configuration.epoch
  t.equal(await cluster.wrote(1, 1, { request: 1 }), 'ok')
  handOver(cluster, OTHER)
  await cluster.adopted()
  t.equal(await cluster.wrote(2, 2, { epoch: before, request: 2 }), 'stale-epoch')
  t.equal(await cluster.wrote(1, 1, { epoch: before, request: 1 }), 'stale-epoch', 'a duplicate')
  // It has had the volume again since: what it asked for the first time stays refused.
  handOver(cluster, CLIENT)
  await cluster.adopted()
  t.equal(await cluster.wrote(2, 2, { epoch: before, request: 2 }), 'stale-epoch')
  const read = await cluster.done('read', cluster.read(SERVER_B, 2))
  t.equal(read.first, 0, 'nothing of it is there')
})

test('a client that is ahead is waited for: attached by what the server does not know', async t => {
  const cluster = await StorageCluster.start()
  handOver(cluster, null)
  await cluster.adopted()
  handOver(cluster, CLIENT, [SERVER_B, SERVER_C])
  t.equal(await cluster.wrote(3, 3), 'ok', 'a has fetched the configuration first')
})

test('a write in flight at the hand-over is settled: there on all copies, or on none', async t => {
  for (let seed = 1; seed <= 10; seed++) {
    const cluster = await StorageCluster.start(undefined, seed)
    const under = cluster.configuration.epoch
    const first = cluster.write(4, 4, { epoch: under })
    await cluster.clock.advance(seed / 4)
    handOver(cluster, CLIENT)
    const reply = await cluster.done('the write', first)
    await cluster.adopted()
    t.equal(await cluster.done('flush', cluster.flush()), 'ok', 'settled')
    const found = new Set<number>()
    for (const server of [SERVER_A, SERVER_B, SERVER_C]) {
      found.add((await cluster.done('read', cluster.read(server, 4))).first)
    }
    t.equal(found.size, 1, `seed ${seed}: all copies are the same`)
    if (reply !== 'lost' && reply.status === 'ok') t.deepEqual([...found], [4], 'acknowledged')
  }
})
