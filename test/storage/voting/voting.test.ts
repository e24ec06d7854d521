// Votes and fences of whole servers: at which configuration they vote, what they look at, and that
// what an approval gives away is not served until it is known what became of it.
import test from 'tape'
import { byteCount, epoch, incarnation, type PeerId } from '../../../src/base/brands.js'
import { VOTE_DEADLINE_MS } from '../../../src/base/limits.js'
import type { Change } from '../../../src/layout/change.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import {
  inSync,
  MANAGER,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  SHARD,
  StorageCluster,
  syncing,
} from '../storage-cluster.js'

const remove = (server: PeerId): Change => ({ kind: 'server-removed', server })
const createVolume: Change = {
  ...{ kind: 'volume-created', name: 'more', size: byteCount(2 ** 20), replicas: 2, minInSync: 1 },
  placement: Array.from({ length: 8 }, () => [SERVER_A, SERVER_B]),
}

async function started(): Promise<StorageCluster> {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  await cluster.clock.advance(100)
  return cluster
}

async function read(cluster: StorageCluster, id: PeerId): Promise<string> {
  return (await cluster.done('read', cluster.read(id, 0, epoch(5)))).status
}

async function vote(cluster: StorageCluster, id: PeerId, change: Change): Promise<string> {
  return (await cluster.vote(id, change)).vote
}

test('an approval gives the reads away at once; writes go on', async t => {
  const cluster = await started()
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_B)), 'approve')
  t.equal(await read(cluster, SERVER_C), 'ok', 'nothing was taken from c')
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_C)), 'approve')
  t.equal(await read(cluster, SERVER_C), 'not-serving', 'though it has a lease')
  await cluster.endLeases()
  t.equal(await read(cluster, SERVER_C), 'not-serving', 'nor with the word of the others')
  for (const id of [SERVER_A, SERVER_B]) t.equal(await read(cluster, id), 'ok')
  t.equal(await cluster.wrote(0, 2), 'ok')
  t.equal(cluster.shard(SERVER_C).peek(0).first, 2, 'its copy is still written')
  t.equal(cluster.heartbeats.get(SERVER_C)?.fenced, 5)
  t.equal(cluster.heartbeats.get(SERVER_B)?.fenced, 0)
})

test('a refusal gives nothing away', async t => {
  const cluster = await started()
  for (const other of [SERVER_A, SERVER_B]) {
    cluster.swarm.partition(SERVER_C, other)
    cluster.swarm.break(SERVER_C, other)
  }
  await cluster.clock.advance(100)
  const { vote: cast, policy, reason } = await cluster.vote(SERVER_C, remove(SERVER_C))
  t.deepEqual([cast, policy], ['refuse', false])
  t.ok(reason.includes('last in-sync copy of shard 0 of volume data that can be reached'), reason)
  t.equal(await read(cluster, SERVER_C), 'ok')
})

test('a read that is under way is not answered after the approval', async t => {
  const cluster = await started()
  let open: () => void = () => undefined
  cluster.shard(SERVER_C).gate = new Promise(resolve => (open = resolve))
  const reading = read(cluster, SERVER_C)
  await cluster.clock.advance(50)
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_C)), 'approve')
  cluster.shard(SERVER_C).gate = null
  open()
  t.equal(await reading, 'not-serving')
})

test('taking the place of the primary fences too', async t => {
  const cluster = await started()
  const { epoch: expected, generation, stale } = cluster.allocation
  const replicas = [SERVER_B, SERVER_A, SERVER_C].map(id => inSync(id))
  const change: Change = {
    ...{ kind: 'shards-reallocated', reason: 'a test' },
    shards: [{ ...SHARD, expected, generation, stale, replicas }],
  }
  for (const id of [SERVER_A, SERVER_B, SERVER_C]) {
    t.equal(await vote(cluster, id, change), 'approve')
  }
  t.equal(await read(cluster, SERVER_A), 'not-serving')
  for (const id of [SERVER_B, SERVER_C]) t.equal(await read(cluster, id), 'ok')
})

test('the next configuration ends the fence, whatever it says', async t => {
  const cluster = await started()
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_C)), 'approve')
  cluster.publish({ ...cluster.configuration, epoch: epoch(6) })
  await cluster.adopted()
  t.equal(await read(cluster, SERVER_C), 'ok')
  await cluster.clock.until('the managers know', () => {
    return cluster.heartbeats.get(SERVER_C)?.fenced === 0
  })
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_C)), 'approve')
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)])
  await cluster.adopted()
  t.equal((await cluster.done('read', cluster.read(SERVER_C, 0))).status, 'not-serving')
})

test('a leader that has given the proposal up ends the fence', async t => {
  const cluster = await started()
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_C)), 'approve')
  cluster.heartbeatReply = () => null
  const fenced = (): boolean => cluster.heartbeats.get(SERVER_C)?.fenced === 5
  await cluster.clock.until('the managers hear of it', fenced)
  t.equal(await read(cluster, SERVER_C), 'not-serving')
  cluster.heartbeatReply = (_from, { fenced: base }) => cluster.granted(base)
  await cluster.clock.until('it is released', () => !fenced())
  t.equal(await read(cluster, SERVER_C), 'ok')
})

test('votes are for one configuration, which a server that is behind fetches first', async t => {
  const cluster = await started()
  cluster.publish({ ...cluster.configuration, epoch: epoch(6) }, [SERVER_A])
  await cluster.clock.until('a is ahead', () => cluster.reports.get(SERVER_A)?.epoch === 6)
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_C)), 'approve', 'fetched')
  const old = await cluster.vote(SERVER_A, remove(SERVER_A), epoch(5))
  t.equal(old.vote, 'abstain', 'beyond it')
  const since = cluster.clock.now()
  const never = await cluster.vote(SERVER_A, remove(SERVER_A), epoch(99))
  t.equal(never.vote, 'abstain', 'it never comes')
  t.ok(cluster.clock.now() - since < VOTE_DEADLINE_MS, 'said in time')
  t.equal(await read(cluster, SERVER_A), 'ok', 'an abstention gives nothing away')
})

test('only the managers of the configuration are answered', async t => {
  const cluster = await started()
  const managers = [{ id: testPeer(0x777), addresses: [] }]
  cluster.publish({ ...cluster.configuration, epoch: epoch(6), managers })
  await cluster.clock.advance(100)
  t.equal(await vote(cluster, SERVER_C, remove(SERVER_C)), 'abstain')
})

test('what a server holds counts, not only what it is said to hold', async t => {
  const cluster = await started()
  t.equal(await vote(cluster, SERVER_A, createVolume), 'approve')
  const store = cluster.stores.get(SERVER_A)
  const { nextVolume } = cluster.configuration
  const old = Promise.resolve(store?.openShard({ volume: nextVolume, shard: 3 }))
  await cluster.done('data of an earlier volume', old)
  const { vote: cast, policy, reason } = await cluster.vote(SERVER_A, createVolume)
  t.deepEqual([cast, policy], ['refuse', false])
  t.ok(reason.includes('an earlier volume number 2'), reason)
})

test('a copy that is being taken, and one that was counted', async t => {
  const cluster = await started()
  await cluster.restart(SERVER_B)
  cluster.configuration = withStart(cluster, SERVER_B)
  cluster.swarm.partition(SERVER_B, SERVER_A)
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_C), syncing(SERVER_B, 2)])
  await cluster.adopted()
  const { vote: cast, policy, reason } = await cluster.vote(SERVER_B, remove(SERVER_A))
  t.deepEqual([cast, policy], ['refuse', true])
  t.ok(reason.startsWith('shard 0 of volume data is being copied from storage server a'), reason)
  const caughtUp: Change = {
    kind: 'replicas-caught-up',
    replicas: [{ ...SHARD, server: SERVER_B, expected: epoch(6) }],
  }
  t.equal(await vote(cluster, SERVER_B, caughtUp), 'abstain', 'not yet')
  cluster.swarm.heal()
  await cluster.caughtUp(SERVER_B)
  t.equal(await vote(cluster, SERVER_B, caughtUp), 'approve')
})

function withStart(cluster: StorageCluster, id: PeerId): StorageCluster['configuration'] {
  const record = cluster.configuration.servers.get(id)!
  const servers = new Map(cluster.configuration.servers)
  servers.set(id, { ...record, incarnation: incarnation(2) })
  return { ...cluster.configuration, servers }
}

test('a server that was removed says so, and does not register again', async t => {
  const cluster = await started()
  const servers = new Map(cluster.configuration.servers)
  servers.delete(SERVER_C)
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)], { tell: [] })
  cluster.heartbeatReply = from =>
    from === SERVER_C ? { kind: 'unregistered', leader: MANAGER } : cluster.granted()
  cluster.publish({ ...cluster.configuration, servers })
  const removed = (): boolean => cluster.refusals.some(each => each.includes('was removed'))
  await cluster.clock.until('it says so', removed)
  const registered = cluster.registrations.length
  await cluster.clock.advance(10_000)
  t.equal(cluster.registrations.length, registered)
  t.ok(cluster.reports.get(SERVER_C)?.problem.includes('was removed'))
})

test('a stopped server votes no more', async t => {
  const cluster = await started()
  const waiting = cluster.vote(SERVER_A, remove(SERVER_A), epoch(99))
  await cluster.clock.advance(100)
  await cluster.done('stop', cluster.servers.get(SERVER_A)!.server.stop())
  t.equal((await waiting).vote, 'abstain', 'what waits is answered')
})
