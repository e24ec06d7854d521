// Operators' commands, from JSON to the history and back.
import test from 'tape'
import { byteCount, epoch, incarnation, shardIndex, volumeId } from '../../../src/base/brands.js'
import type {
  AdminResult,
  EpochResult,
  ServerResult,
  StatusResult,
  VolumeDetail,
  VolumeResult,
} from '../../../src/net/admin.js'
import { A, B, Bench, C, CLIENT, GIB, resultOf } from '../manager-fixture.js'

const DATA = { command: 'volume-create', name: 'data', size: GIB, minInSync: null } as const

async function threeServers(): Promise<Bench> {
  const bench = await Bench.start()
  for (const id of [A, B, C]) await bench.server(id)
  return bench
}

function refusal(answer: AdminResult): string {
  return answer.ok ? 'accepted' : `${answer.code}: ${answer.message}`
}

test('a volume is created, shown, listed and deleted', async t => {
  const bench = await threeServers()
  const made = resultOf<VolumeResult & { epoch: number }>(
    await bench.admin({ ...DATA, replicas: 3 }),
  )
  t.equal(made.epoch, 5)
  t.equal(made.minInSync, 2, 'a majority by default')
  t.equal(made.health, 'ok')
  t.equal(made.shards.total, made.shards.inSync)
  const shown = resultOf<VolumeDetail>(await bench.admin({ command: 'volume-show', name: 'data' }))
  t.equal(shown.placement.length, made.shards.total)
  for (const { replicas } of shown.placement) {
    t.deepEqual(replicas.map(({ server }) => server).sort(), ['a', 'b', 'c'])
  }
  const listed = resultOf<{ volumes: VolumeResult[] }>(
    await bench.admin({ command: 'volume-list' }),
  )
  t.deepEqual(
    listed.volumes.map(({ name }) => name),
    ['data'],
  )
  const gone = resultOf<{ name: string }>(
    await bench.admin({ command: 'volume-delete', name: 'data' }),
  )
  t.equal(gone.name, 'data')
  t.equal(bench.manager.configuration.volumes.size, 0)
  const again = await bench.admin({ command: 'volume-show', name: 'data' })
  t.match(refusal(again), /^not-found: There is no volume "data"/)
  const twice = await bench.admin({ command: 'volume-delete', name: 'data' })
  t.match(refusal(twice), /^not-found/)
  await bench.manager.stop()
})

test('volumes that cannot be are refused, and nothing is left of them', async t => {
  const bench = await threeServers()
  const before = bench.manager.configuration
  const four = await bench.admin({ ...DATA, replicas: 4 })
  t.match(refusal(four), /^bad-input: .*server/)
  bench.peers.disconnect(C)
  const away = await bench.admin({ ...DATA, replicas: 3 })
  t.match(refusal(away), /^refused: Only 2 of 3 storage servers are reachable/)
  t.match(refusal(await bench.adminText('{"command":"destroy"}')), /^bad-input: .*destroy/)
  t.match(refusal(await bench.adminText('}')), /^bad-input/)
  t.deepEqual(bench.manager.configuration, before)
  resultOf(await bench.admin({ ...DATA, replicas: 2 }))
  const volume = bench.manager.configuration.volumes.get(volumeId(1))!
  const servers = new Set(volume.shards.flatMap(shard => shard.replicas.map(one => one.server)))
  t.deepEqual([...servers].sort(), [A, B], 'a server that is away gets no new copies')
  t.match(refusal(await bench.admin({ ...DATA, replicas: 2 })), /^bad-input: .*already/)
  await bench.manager.stop()
})

test('status says what is wrong in sentences', async t => {
  const bench = await Bench.start()
  const status = async (): Promise<StatusResult> =>
    resultOf(await bench.admin({ command: 'status' }))
  t.match((await status()).problems[0]!, /no storage server yet/)
  for (const id of [A, B, C]) await bench.server(id)
  resultOf(await bench.admin({ ...DATA, replicas: 3 }))
  const well = await status()
  t.equal(well.health, 'ok')
  t.deepEqual(well.problems, [])
  t.deepEqual(well.managers, [{ id: bench.peers.self, leader: true, reachable: true }])
  bench.peers.disconnect(B)
  const one = await status()
  t.equal(one.health, 'degraded')
  t.equal(one.volumes[0]!.shards.degraded, one.volumes[0]!.shards.total)
  t.match(one.problems[0]!, /^Storage server b is not reachable/)
  t.match(one.problems[1]!, /^Volume data: writes to \d+ shards wait for storage server b/)
  bench.peers.disconnect(C)
  const two = await status()
  t.equal(two.health, 'unavailable', 'fewer than the minimum of in-sync copies')
  t.equal(two.volumes[0]!.shards.unavailable, two.volumes[0]!.shards.total)
  await bench.manager.stop()
})

test('status and server list show what servers and clients report', async t => {
  const bench = await threeServers()
  resultOf(await bench.admin({ ...DATA, replicas: 3 }))
  const syncing = { volume: volumeId(1), shard: shardIndex(0), bytesLeft: byteCount(2 ** 20) }
  bench.peers.deliver(A, 'storage-report', {
    ...{ incarnation: incarnation(1), epoch: epoch(5), corruptBlocks: 3, syncing: [syncing] },
    used: byteCount(123),
    free: byteCount(0),
    problem: 'the disk is full',
  })
  const held = { requests: 2, reason: 'waiting for b', since: '2026-01-01T00:00:00.000Z' }
  const client = { host: 'desk', mountPoint: '/mnt', epoch: epoch(5), held }
  bench.peers.deliver(CLIENT, 'client-report', client)
  const status = resultOf<StatusResult>(await bench.admin({ command: 'status' }))
  t.deepEqual(status.clients, [{ id: CLIENT, ...client }])
  t.equal(status.health, 'degraded', 'corrupt blocks are no good sign')
  t.equal(status.volumes[0]!.syncBytesLeft, 2 ** 20)
  for (const says of [/a: the disk is full/, /a has found 3 corrupt/, /desk:\/mnt.*holds 2/]) {
    t.ok(
      status.problems.some(line => says.test(line)),
      String(says),
    )
  }
  bench.peers.disconnect(A)
  const { servers } = resultOf<{ servers: ServerResult[] }>(
    await bench.admin({ command: 'server-list' }),
  )
  t.deepEqual(
    servers.map(({ name, state }) => `${name} ${state}`),
    ['a down', 'b up', 'c up'],
  )
  t.equal(servers[0]!.used, 123, 'last known')
  t.equal(servers[0]!.capacity, 2 ** 40)
  t.deepEqual(servers[0]!.addresses, ['127.0.0.1:4000'])
  bench.peers.disconnect(CLIENT)
  bench.peers.connect(CLIENT, ['client'])
  const later = resultOf<StatusResult>(await bench.admin({ command: 'status' }))
  t.deepEqual(later.clients, [], 'what a client said goes with its connection')
  await bench.manager.stop()
})

test('epochs are listed and shown with who, when and why', async t => {
  const bench = await threeServers()
  resultOf(await bench.admin({ ...DATA, replicas: 3 }))
  resultOf(await bench.admin({ command: 'volume-delete', name: 'data' }))
  const list = async (from: number | null, limit: number): Promise<readonly EpochResult[]> => {
    const answer = await bench.admin({ command: 'epoch-list', from, limit })
    return resultOf<{ epochs: EpochResult[] }>(answer).epochs
  }
  const all = await list(1, 100)
  t.deepEqual(
    all.map(({ kind }) => kind),
    [
      'cluster-created',
      ...['server-registered', 'server-registered', 'server-registered'],
      ...['volume-created', 'volume-deleted'],
    ],
  )
  t.match(all[4]!.change, /^volume created: data, 1 GiB, 3 replicas in \d+ shards$/)
  t.equal(all[5]!.change, 'volume deleted: data')
  t.match(all[4]!.proposer, /^operator at client 0000/)
  t.equal(all[1]!.proposer, 'storage server a')
  t.equal(all[1]!.votes[0]!.role, 'manager')
  t.deepEqual(
    (await list(null, 2)).map(one => one.epoch),
    [5, 6],
    'the newest by default',
  )
  t.deepEqual(
    (await list(2, 2)).map(one => one.epoch),
    [2, 3],
  )
  const shown = await bench.admin({ command: 'epoch-show', epoch: 5 })
  t.deepEqual(resultOf(shown), all[4])
  const none = await bench.admin({ command: 'epoch-show', epoch: 4711 })
  t.match(refusal(none), /^not-found: There is no epoch 4711 yet/)
  t.match(refusal(await bench.admin({ command: 'epoch-show', epoch: 0 })), /^not-found/)
  await bench.manager.stop()
})
