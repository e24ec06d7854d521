// Several storage servers on a simulated network: replication, catching up, settling, the epoch
// table through real messages, flushing, reads that wait.
import test from 'tape'
import { byteCount, epoch, volumeId } from '../../src/base/brands.js'
import { JUST_WRITTEN_MS, RECOVERY_BYTES_MIN } from '../../src/base/limits.js'
import { HEAD } from '../../src/net/messages.js'
import { LOST } from '../../src/net/peers.js'
import {
  CLIENT,
  inSync,
  MANAGER,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  SHARD,
  StorageCluster,
  syncing,
} from './storage-cluster.js'

const ALL = [SERVER_A, SERVER_B, SERVER_C] as const

test('servers register, and again with the manager after a break', async t => {
  const cluster = await StorageCluster.start()
  t.deepEqual(cluster.registrations.map(r => r.from).sort(), [...ALL].sort(), 'all registered')
  t.equal(cluster.registrations[0]?.capacity, 2 ** 40, 'with what they have')
  cluster.swarm.break(SERVER_A, MANAGER)
  await cluster.clock.until('it registers again', () => {
    return cluster.registrations.filter(r => r.from === SERVER_A).length > 1
  })
  cluster.registerReply = { kind: 'refused', reason: 'an old copy of its data' }
  await cluster.restart(SERVER_B)
  t.deepEqual(cluster.refusals, ['an old copy of its data'], 'a refusal is passed on')
})

test('a write is on every replica when it is acknowledged', async t => {
  const cluster = await StorageCluster.start()
  for (let i = 0; i < 20; i++) t.equal(await cluster.wrote(i % 7, i + 1), 'ok')
  const pictures = ALL.map(id => cluster.shard(id).picture())
  t.ok(pictures[0]?.includes('6:data:5:'), 'with the epoch of the allocation')
  t.equal(pictures[1], pictures[0], 'b equals a')
  t.equal(pictures[2], pictures[0], 'c equals a')
  for (const id of ALL) {
    const read = await cluster.done('read', cluster.read(id, 5))
    t.deepEqual([read.status, read.first], ['ok', 20], 'read at every in-sync replica')
  }
})

test('many writes at once, overlapping, keep their order on all replicas', async t => {
  const cluster = await StorageCluster.start()
  const writes = Array.from({ length: 60 }, (_, i) =>
    cluster.write(0, i + 1, { offset: (i % 5) * 2048, length: 6000 }),
  )
  const replies = await cluster.done('all writes', Promise.all(writes))
  t.ok(replies.every(reply => reply !== 'lost' && reply.status === 'ok'))
  const pictures = new Set(ALL.map(id => cluster.shard(id).picture()))
  t.equal(pictures.size, 1, 'all replicas are equal')
  const read = await cluster.done('read', cluster.read(SERVER_C, 0))
  t.deepEqual([read.payload[0], read.payload[2047], read.payload[2048]], [56, 56, 57])
})

test('parts of blocks are merged with what was there', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  await cluster.wrote(0, 2, { offset: 100, length: 200 })
  await cluster.wrote(0, 3, { offset: 4000, length: 4296 })
  const [first, second, third] = await cluster.done(
    'reads',
    Promise.all([0, 1, 2].map(block => cluster.read(SERVER_B, block))),
  )
  const at = (read: typeof first, ...places: number[]): unknown[] => {
    return places.map(place => read?.payload[place])
  }
  t.deepEqual(at(first, 0, 99, 100, 299, 300, 3999, 4000), [1, 1, 2, 2, 1, 1, 3])
  t.deepEqual(at(second, 0, 4095), [3, 3])
  t.deepEqual(at(third, 0, 103, 104), [3, 3, 0])
})

test('nothing is acknowledged before all in-sync replicas have it; a new path resumes', async t => {
  const cluster = await StorageCluster.start()
  cluster.swarm.partition(SERVER_A, SERVER_C)
  cluster.swarm.break(SERVER_A, SERVER_C)
  const write = cluster.write(3, 9)
  let answered = false
  void write.then(() => (answered = true))
  await cluster.clock.advance(2_000)
  t.notOk(answered, 'waits for c')
  t.equal(cluster.shard(SERVER_B).peek(3).first, 9, 'though b has it')
  const parked = cluster.read(SERVER_B, 3)
  const other = await cluster.done('read elsewhere', cluster.read(SERVER_B, 4))
  t.equal(other.status, 'ok', 'reads of other blocks go on')
  cluster.swarm.heal()
  const reply = await cluster.done('the write', write)
  t.equal(reply !== 'lost' && reply.status, 'ok', 'acknowledged after the resume')
  t.equal(cluster.shard(SERVER_C).peek(3).first, 9)
  const late = await cluster.done('the parked read', parked)
  t.ok(late.status === 'not-serving' || late.first === 9, 'never the old content')
})

test('also where nothing else is sent, the others hear soon that a write is committed', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(3, 1)
  const before = cluster.clock.now()
  const reads = [SERVER_B, SERVER_C].map(server => cluster.read(server, 3))
  const replies = await cluster.done('reads of what was just written', Promise.all(reads))
  t.deepEqual(
    replies.map(({ status, first }) => [status, first]),
    [
      ['ok', 1],
      ['ok', 1],
    ],
  )
  const waited = cluster.clock.now() - before
  t.ok(waited < JUST_WRITTEN_MS, `${waited} ms: clients read at the primary for longer than that`)
})

test('a read waits for the fate of a write, and gets its content', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(3, 1)
  let open: () => void = () => undefined
  cluster.shard(SERVER_C).gate = new Promise(resolve => (open = resolve))
  const write = cluster.write(3, 2)
  await cluster.clock.advance(50)
  let read = -1
  const reading = cluster.read(SERVER_B, 3).then(result => (read = result.first))
  await cluster.clock.advance(500)
  t.equal(read, -1, 'parked while c has not stored it')
  cluster.shard(SERVER_C).gate = null
  open()
  await cluster.done('write', write)
  t.equal(await cluster.done('read', reading), 2)
})

test('links that break again and again lose nothing', async t => {
  const cluster = await StorageCluster.start([...ALL], 7)
  const statuses: (string | undefined)[] = []
  for (let round = 0; round < 12; round++) {
    const writes = Array.from({ length: 8 }, (_, i) => cluster.write(i, 10 * round + i + 1))
    const [x, y] = [cluster.random.pick(ALL), cluster.random.pick(ALL)]
    await cluster.clock.advance(cluster.random.below(4))
    if (x !== y) cluster.swarm.break(x, y)
    for (const reply of await cluster.done('round', Promise.all(writes))) {
      statuses.push(reply === 'lost' ? reply : reply.status)
    }
  }
  t.ok(
    statuses.every(status => status === 'ok'),
    'every write was acknowledged',
  )
  t.equal(new Set(ALL.map(id => cluster.shard(id).picture())).size, 1, 'replicas are equal')
})

test('a restarted replica is nothing until named; then it syncs, counts, is in-sync', async t => {
  const cluster = await StorageCluster.start()
  for (let i = 0; i < 6; i++) await cluster.wrote(i, i + 1)
  await cluster.restart(SERVER_B)
  const refused = await cluster.done('read', cluster.read(SERVER_B, 1))
  t.equal(refused.status, 'not-serving', 'a restart is not a pause')
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_C), syncing(SERVER_B, 2)])
  await cluster.adopted()
  t.equal(await cluster.wrote(2, 77), 'ok', 'writes go on without it')
  await cluster.caughtUp(SERVER_B)
  t.equal(cluster.shard(SERVER_B).picture(), cluster.shard(SERVER_A).picture(), 'level')
  cluster.crash(SERVER_B)
  const waits = cluster.write(2, 78)
  let done = false
  void waits.then(() => (done = true))
  await cluster.clock.advance(1_000)
  t.notOk(done, 'once proposed it counts, even when it is gone')
  await cluster.startServer(SERVER_B)
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_C), syncing(SERVER_B, 3)])
  const reply = await cluster.done('the write', waits)
  t.equal(reply !== 'lost' && reply.status, 'stale-epoch', 'the client tries again')
  await cluster.adopted()
  await cluster.caughtUp(SERVER_B)
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_C), inSync(SERVER_B, 3)])
  await cluster.adopted()
  const read = await cluster.done('read', cluster.read(SERVER_B, 2))
  t.deepEqual([read.status, read.first], ['ok', 78], 'in-sync and serving')
  t.equal(new Set(ALL.map(id => cluster.shard(id).picture())).size, 1, 'replicas are equal')
})

test('catching up takes what differs, whatever the epochs, and only that', async t => {
  const cluster = await StorageCluster.start()
  for (let i = 0; i < 40; i++) await cluster.wrote(i, i + 1)
  await cluster.done('flush', cluster.flush())
  await cluster.restart(SERVER_C)
  const c = cluster.shard(SERVER_C)
  c.putBlock(7, 200, epoch(4))
  c.putBlock(700, 201, epoch(5))
  const before = c.adopted
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_C, 2)])
  await cluster.caughtUp(SERVER_C)
  t.equal(c.picture(), cluster.shard(SERVER_A).picture(), 'equal, also where ours was newer')
  t.equal(c.adopted - before, 2, 'two blocks moved')
  await cluster.clock.advance(1_500)
  const recovered = ALL.map(id => cluster.reports.get(id)?.recovered ?? 0)
  t.deepEqual(recovered.slice(0, 2), [0, 0], 'those that were asked fetched nothing')
  const least = 3 * 4096 + 2 * 8
  const some = `a block, a hole, two index pages and summaries: ${recovered[2]} bytes are reported`
  t.ok(recovered[2]! > least && recovered[2]! < least + 200, some)
})

/** Virtual milliseconds for 2 MiB, written just now. */
async function catchingUp(maxRecovery: number | null): Promise<number> {
  const cluster = new StorageCluster()
  cluster.maxRecovery = maxRecovery === null ? null : byteCount(maxRecovery)
  await cluster.started()
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)], { stale: [SERVER_C] })
  await cluster.adopted()
  for (let i = 0; i < 8; i++) await cluster.wrote(i * 64, i + 1, { length: 64 * 4096 })
  const began = cluster.clock.now()
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_C)])
  await cluster.caughtUp(SERVER_C)
  return cluster.clock.now() - began
}

test('catching up costs no more a second than an operator allows', async t => {
  const usual = await catchingUp(null)
  t.ok(usual < 1_000, `what is usual: ${usual} ms`)
  // A quarter for five seconds after the writes, the first second of them at once.
  const gentle = await catchingUp(RECOVERY_BYTES_MIN)
  t.ok(gentle > 4_000 && gentle < 20_000, `1 MiB a second: ${gentle} ms`)
})

test('catching up while clients write, and links break', async t => {
  for (let seed = 1; seed <= 6; seed++) {
    const cluster = await StorageCluster.start([...ALL], seed)
    for (let i = 0; i < 60; i++) await cluster.wrote(i * 9, i + 1)
    await cluster.restart(SERVER_B)
    cluster.reallocate([inSync(SERVER_A), inSync(SERVER_C), syncing(SERVER_B, 2)])
    await cluster.adopted()
    for (let round = 0; round < 15; round++) {
      const writes = Array.from({ length: 6 }, () =>
        cluster.write(cluster.random.below(540), 1 + cluster.random.below(250)),
      )
      if (round % 4 === 1) cluster.swarm.break(SERVER_A, SERVER_B)
      const replies = await cluster.done('round', Promise.all(writes))
      if (!replies.every(r => r !== 'lost' && r.status === 'ok')) t.fail('a write failed')
    }
    await cluster.caughtUp(SERVER_B)
    await cluster.wrote(1, 1)
    const pictures = new Set(ALL.map(id => cluster.shard(id).picture()))
    t.equal(pictures.size, 1, `seed ${seed}: replicas are equal`)
  }
})

test('a new primary settles what the old epoch left undecided', async t => {
  const cluster = await StorageCluster.start()
  for (let i = 0; i < 4; i++) await cluster.wrote(i, i + 1)
  cluster.swarm.partition(SERVER_A, SERVER_C)
  cluster.swarm.break(SERVER_A, SERVER_C)
  // On a and b only, never acknowledged; part of it overlaps.
  const first = cluster.write(1, 50, { request: 500 })
  const second = cluster.write(1, 51, { offset: 2 * 4096 - 100, length: 300, request: 501 })
  await cluster.clock.until('b has both', () => cluster.shard(SERVER_B).peek(2).first === 51)
  cluster.crash(SERVER_A)
  cluster.swarm.heal()
  cluster.reallocate([inSync(SERVER_C), inSync(SERVER_B)], { stale: [SERVER_A] })
  await cluster.adopted()
  t.equal(await first, 'lost')
  t.equal(await second, 'lost')
  const read = await cluster.done('read', cluster.read(SERVER_B, 1))
  t.deepEqual([read.status, read.first], ['ok', 2], "the new primary's content wins")
  t.equal(cluster.shard(SERVER_B).picture(), cluster.shard(SERVER_C).picture(), 'equal again')
  t.equal(cluster.shard(SERVER_B).peek(1).entry.epoch, 6, 'tagged with the new epoch')
  t.equal(await cluster.wrote(1, 50, { request: 500, to: SERVER_C }), 'ok', 'retried: executed')
  t.equal(cluster.shard(SERVER_B).peek(1).first, 50)
})

test('a retry of what a settled write already did is acknowledged, not executed', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(1, 1)
  cluster.swarm.partition(SERVER_A, SERVER_C)
  cluster.swarm.break(SERVER_A, SERVER_C)
  void cluster.write(1, 50, { request: 500 })
  await cluster.clock.until('b has it', () => cluster.shard(SERVER_B).peek(1).first === 50)
  cluster.crash(SERVER_A)
  cluster.swarm.heal()
  cluster.reallocate([inSync(SERVER_B), inSync(SERVER_C)], { stale: [SERVER_A] })
  await cluster.adopted()
  t.equal(await cluster.wrote(1, 60, { request: 501, to: SERVER_B }), 'ok', 'another write')
  t.equal(await cluster.wrote(1, 50, { request: 500, to: SERVER_B }), 'ok', 'the retry')
  t.equal(cluster.shard(SERVER_C).peek(1).first, 60, 'was not executed a second time')
})

test('the epoch table, through real messages', async t => {
  const cluster = await StorageCluster.start()
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), inSync(SERVER_C)], { tell: [SERVER_B] })
  await cluster.clock.until('b is ahead', () => cluster.reports.get(SERVER_B)?.epoch === 6)
  const behind = await cluster.done('c < a', cluster.read(SERVER_B, 0, epoch(5)))
  t.equal(behind.status, 'stale-epoch')
  await cluster.clock.until('the manager hears of it', () =>
    cluster.mismatches.some(x => x.seen === 5 && x.own === 6 && x.from === CLIENT),
  )
  await cluster.clock.until('all have it', () => cluster.reports.get(SERVER_C)?.epoch === 6)
  cluster.publish({ ...cluster.configuration, epoch: epoch(7) }, [])
  const ahead = await cluster.done('c > s', cluster.read(SERVER_C, 0, epoch(7)))
  t.equal(ahead.status, 'ok', 'the server fetched the configuration and decided again')
  await cluster.clock.until('it told the manager', () =>
    cluster.mismatches.some(x => x.seen === 7 && x.own === 6),
  )
  cluster.publish(cluster.configuration)
  await cluster.adopted()
  const within = await cluster.done('a <= c < s', cluster.write(0, 1, { epoch: epoch(6) }))
  t.ok(within !== 'lost' && within.status === 'ok', 'served')
  t.equal(within !== 'lost' && within.epoch, 7, 'and told')
  const unknown = await cluster.done('never known', cluster.read(SERVER_A, 0, epoch(99)))
  t.equal(unknown.status, 'not-serving', 'parked with a limit, never executed')
})

test('requests that no server may execute', async t => {
  const cluster = await StorageCluster.start()
  t.equal(await cluster.wrote(0, 1, { to: SERVER_B }), 'not-serving', 'not the primary')
  t.equal(await cluster.done('flush', cluster.flush(SERVER_B)), 'not-serving')
  t.equal(await cluster.wrote(1024 * 1024, 1), 'out-of-range')
  t.equal(await cluster.wrote(0, 1, { offset: 4 * 2 ** 20 - 100, length: 200 }), 'out-of-range')
  const nowhere = { ...SHARD, volume: volumeId(77) }
  const place = { layer: HEAD, offset: 0 as never, length: 4096 as never }
  const request = { ...nowhere, epoch: epoch(4), ...place }
  const reply = await cluster.done('read', cluster.client.request(SERVER_A, 'read', request))
  t.equal(reply !== LOST && reply.status, 'stale-epoch', 'a volume that is gone')
})

test('fewer in-sync than minInSync: writes wait, reads go on', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  cluster.reallocate([inSync(SERVER_A)], { stale: [SERVER_B, SERVER_C] })
  await cluster.adopted()
  const write = cluster.write(0, 2)
  await cluster.clock.advance(500)
  const read = await cluster.done('read', cluster.read(SERVER_A, 0))
  t.deepEqual([read.status, read.first], ['ok', 1])
  const reply = await cluster.done('write', write)
  t.equal(reply !== 'lost' && reply.status, 'not-serving', 'with a limit')
})

/** `ask` is answered with `expected` when all disks have it: it outlives a crash of all at once. */
async function durableEverywhere<T>(
  t: test.Test,
  cluster: StorageCluster,
  { ask, expected }: { readonly ask: () => Promise<T>; readonly expected: T },
): Promise<void> {
  for (const slow of ALL) {
    for (let i = 0; i < 10; i++) await cluster.wrote(i, i + 1)
    let open: () => void = () => undefined
    cluster.shard(slow).gate = new Promise(resolve => (open = resolve))
    let answer: T | null = null
    const asked = ask().then(said => (answer = said))
    await cluster.clock.advance(500)
    t.equal(answer, null, `waits for ${slow.slice(0, 2)}`)
    cluster.shard(slow).gate = null
    open()
    t.equal(await cluster.done('the answer', asked), expected)
  }
  const before = cluster.shard(SERVER_C).picture()
  for (const id of ALL) cluster.crash(id)
  for (const id of ALL) await cluster.startServer(id)
  for (const id of ALL) {
    t.equal(cluster.shard(id).picture(), before, 'after a crash of all at once it is there')
  }
}

test('FLUSH is answered when every in-sync replica is durable', async t => {
  const cluster = await StorageCluster.start()
  await durableEverywhere(t, cluster, { ask: () => cluster.flush(), expected: 'ok' })
})

test('a write that is durable when it is answered needs no FLUSH', async t => {
  const cluster = await StorageCluster.start()
  const ask = async (): Promise<boolean | 'lost'> => {
    const reply = await cluster.write(12, 7, { durable: true })
    return reply === 'lost' ? reply : reply.durable
  }
  await durableEverywhere(t, cluster, { ask, expected: true })
})

test('a disk that does not make it durable: the answer does not say that it is', async t => {
  const cluster = await StorageCluster.start()
  for (const id of ALL) {
    cluster.shard(id).failFlushes = 1
    const reply = await cluster.done('write', cluster.write(0, 1, { durable: true }))
    t.deepEqual(reply === 'lost' || [reply.status, reply.durable], ['ok', false], id.slice(0, 2))
  }
  const reply = await cluster.done('write', cluster.write(0, 2))
  t.notOk(reply === 'lost' || reply.durable, 'nor is what was not to be')
})

test('FLUSH over a broken link goes on; under a new allocation it is refused', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  let open: () => void = () => undefined
  cluster.shard(SERVER_C).gate = new Promise(resolve => (open = resolve))
  const flush = cluster.flush()
  await cluster.clock.advance(20)
  cluster.swarm.break(SERVER_A, SERVER_C)
  cluster.shard(SERVER_C).gate = null
  open()
  t.equal(await cluster.done('flush', flush), 'ok', 'asked again on the new path')
  cluster.crash(SERVER_C)
  const waiting = cluster.flush()
  await cluster.clock.advance(500)
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)], { stale: [SERVER_C] })
  t.equal(await cluster.done('flush', waiting), 'stale-epoch')
})

test('a full disk: nothing is acknowledged, it is tried again, order is kept', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  cluster.shard(SERVER_B).failWrites = 3
  const writes = [cluster.write(0, 2), cluster.write(0, 3), cluster.write(1, 4)]
  const replies = await cluster.done('writes', Promise.all(writes))
  t.ok(
    replies.every(r => r !== 'lost' && r.status === 'ok'),
    'acknowledged when stored',
  )
  t.equal(cluster.shard(SERVER_B).picture(), cluster.shard(SERVER_A).picture())
  cluster.shard(SERVER_B).failWrites = 1_000
  void cluster.write(0, 5)
  await cluster.clock.until('b reports it', () => {
    return (cluster.reports.get(SERVER_B)?.problem ?? '').includes('disk is full')
  })
  t.equal(await cluster.wrote(7, 6), 'disk-full', 'more is refused up front')
})

test('a corrupt block is repaired from another replica, never served', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(4, 8)
  cluster.shard(SERVER_B).spoil(4)
  const read = await cluster.done('read', cluster.read(SERVER_B, 4))
  t.deepEqual([read.status, read.first], ['ok', 8])
  for (const id of ALL) cluster.shard(id).spoil(4)
  const lost = await cluster.done('read', cluster.read(SERVER_C, 4))
  t.equal(lost.status, 'corrupt')
  t.equal(await cluster.wrote(4, 9, { offset: 4 * 4096 + 10, length: 20 }), 'corrupt', 'no merge')
  t.equal(await cluster.wrote(4, 9), 'ok', 'a whole block heals it')
  await cluster.clock.advance(1_500)
  t.equal(cluster.reports.get(SERVER_B)?.corruptBlocks, 1, 'counted and reported')
})

test('what was served to clients is counted and reported', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  await cluster.wrote(1, 2, { offset: 4096, length: 100 })
  for (const block of [0, 1]) await cluster.done('read', cluster.read(SERVER_B, block))
  await cluster.clock.advance(1_500)
  const none = { reads: 0, writes: 0, flushes: 0, bytesRead: 0, bytesWritten: 0 }
  t.deepEqual(cluster.reports.get(SERVER_A)?.served, { ...none, writes: 2, bytesWritten: 4196 })
  t.deepEqual(cluster.reports.get(SERVER_B)?.served, { ...none, reads: 2, bytesRead: 8192 })
  t.deepEqual(cluster.reports.get(SERVER_C)?.served, none, 'replication is not')
})

test('data is dropped only where a configuration says so', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  const a = cluster.stores.get(SERVER_A)
  await cluster.done('another shard', Promise.resolve(a?.openShard({ volume: 42, shard: 3 })))
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)])
  await cluster.adopted()
  await cluster.clock.until('c dropped it', () => !cluster.stores.get(SERVER_C)?.shards.has('1/0'))
  t.ok(a?.shards.has('42/3'), 'not looked for while running')
  await cluster.restart(SERVER_A)
  await cluster.clock.until('set aside', () => a?.setAsides.length === 1)
  t.deepEqual(a?.setAsides, ['42/3'], 'what nothing explains is moved aside')
  const volumes = new Map<never, never>()
  const { configuration } = cluster
  const deleted = { ...configuration, volumes, deletedVolumes: [SHARD.volume] }
  cluster.publish({ ...deleted, epoch: epoch(configuration.epoch + 1) })
  await cluster.clock.until('all dropped', () => a?.shards.size === 0)
})

test('an older configuration, or one of another cluster, is refused', async t => {
  const cluster = await StorageCluster.start()
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), inSync(SERVER_C)])
  await cluster.adopted()
  cluster.configuration = { ...cluster.configuration, epoch: epoch(5) }
  cluster.crash(SERVER_B)
  await cluster.startServer(SERVER_B)
  await cluster.clock.until('refused', () => cluster.refusals.length > 0)
  t.ok(cluster.refusals[0]?.includes('this server has seen 6'), cluster.refusals[0])
})

test('a clean stop answers what waits', async t => {
  const cluster = await StorageCluster.start()
  cluster.crash(SERVER_C)
  const write = cluster.write(0, 1)
  await cluster.clock.advance(100)
  const stopped = cluster.servers.get(SERVER_A)?.server.stop()
  await cluster.done('stop', Promise.resolve(stopped))
  const reply = await cluster.done('write', write)
  t.equal(reply !== 'lost' && reply.status, 'not-serving')
})
