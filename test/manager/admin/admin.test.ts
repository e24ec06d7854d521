// Operators' commands, from JSON to the history and back.
import test from 'tape'
import { byteCount, epoch, incarnation, shardIndex, volumeId } from '../../../src/base/brands.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { heldBy } from '../../../src/layout/movement/newcomers.js'
import type {
  AdminResult,
  EpochResult,
  ServerDrainResult,
  ServerResult,
  StatusResult,
  VolumeDetail,
  VolumeResized,
  VolumeResult,
} from '../../../src/net/admin.js'
import { CLIENT, GIB, resultOf } from '../manager-fixture.js'
import { A, B, C, M2, SELF } from '../proposals/proposals-fixture.js'
import { AdminBench, refusal } from './admin-fixture.js'

const DATA = {
  command: 'volume-create',
  name: 'data',
  size: GIB,
  minInSync: null,
  force: false,
} as const

test('a volume is created, shown, listed and deleted', async t => {
  const bench = await AdminBench.withServers()
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
  t.equal(bench.history.current().volumes.size, 0)
  const again = await bench.admin({ command: 'volume-show', name: 'data' })
  t.match(refusal(again), /^not-found: There is no volume "data"/)
  const twice = await bench.admin({ command: 'volume-delete', name: 'data' })
  t.match(refusal(twice), /^not-found/)
  t.end()
})

test('what is set of a volume', async t => {
  const bench = await AdminBench.withServers()
  await bench.admin({ ...DATA, replicas: 3 })
  const set = { command: 'volume-set', name: 'data', minInSync: null, force: false } as const
  const snapshots = [{ period: 'hourly', keep: 24 } as const]
  const made = resultOf<VolumeResult>(await bench.admin({ ...set, snapshots }))
  t.deepEqual([made.schedules, made.minInSync], [snapshots, 2])
  const { epoch: before } = bench.history.current()
  const again = resultOf<VolumeResult>(await bench.admin({ ...set, snapshots }))
  t.deepEqual(again.schedules, snapshots, 'a script may ask again')
  t.equal(bench.history.current().epoch, before)
  const fewer = resultOf<VolumeResult>(await bench.admin({ ...set, snapshots: null, minInSync: 1 }))
  t.deepEqual([fewer.schedules, fewer.minInSync], [snapshots, 1])
  const more = await bench.admin({ ...set, snapshots: null, minInSync: 4 })
  t.match(refusal(more), /^bad-input: .*between 1 and the number of replicas/)
  const none = await bench.admin({ ...set, name: 'x', snapshots })
  t.match(refusal(none), /^not-found: There is no volume "x"/)
  for (const wrong of ['{}', '[{"period":"hourly"}]', '[{"period":"x","keep":1}]']) {
    const text = `{"command":"volume-set","name":"data","minInSync":null,"snapshots":${wrong}}`
    t.match(refusal(await bench.adminText(text)), /^bad-input: .*schedule/, wrong)
  }
  t.end()
})

test('a volume grows, also while a server is away, and does not shrink', async t => {
  const bench = await AdminBench.withServers()
  await bench.admin({ ...DATA, replicas: 3 })
  const resize = { command: 'volume-resize', name: 'data', size: 3 * GIB, force: false } as const
  bench.peers.disconnect(C)
  const made = resultOf<VolumeResized>(await bench.admin(resize))
  const { epoch: after } = bench.history.current()
  t.deepEqual([made.name, made.size, made.epoch], ['data', 3 * GIB, after])
  const again = resultOf<VolumeResized>(await bench.admin(resize))
  t.deepEqual([again.size, again.epoch], [3 * GIB, after], 'a script may ask again')
  const smaller = await bench.admin({ ...resize, size: GIB, force: true })
  t.match(refusal(smaller), /^refused: Volume "data" has 3221225472 bytes, and no volume is made/)
  t.match(
    refusal(await bench.admin({ ...resize, name: 'x' })),
    /^not-found: There is no volume "x"/,
  )
  t.match(refusal(await bench.admin({ ...resize, size: 4097 })), /^bad-input: .* multiple of 4096/)
  t.equal(bench.history.current().epoch, after)
  t.end()
})

test('volumes that cannot be are refused, and nothing is left of them', async t => {
  const bench = await AdminBench.withServers()
  const before = bench.history.current()
  const four = await bench.admin({ ...DATA, replicas: 4 })
  t.match(refusal(four), /^bad-input: .*server/)
  bench.peers.disconnect(C)
  const away = await bench.admin({ ...DATA, replicas: 3 })
  t.match(refusal(away), /^refused: Only 2 of 3 storage servers are reachable/)
  t.match(refusal(await bench.adminText('{"command":"destroy"}')), /^bad-input: .*destroy/)
  t.match(refusal(await bench.adminText('}')), /^bad-input/)
  t.deepEqual(bench.history.current(), before)
  resultOf(await bench.admin({ ...DATA, replicas: 2 }))
  const volume = bench.history.current().volumes.get(volumeId(1))!
  const servers = new Set(volume.shards.flatMap(shard => shard.replicas.map(one => one.server)))
  t.deepEqual([...servers].sort(), [A, B], 'a server that is away gets no new copies')
  t.match(refusal(await bench.admin({ ...DATA, replicas: 2 })), /^bad-input: .*already/)
  t.end()
})

test('status says what is wrong in sentences', async t => {
  const bench = new AdminBench()
  const status = async (): Promise<StatusResult> =>
    resultOf(await bench.admin({ command: 'status' }))
  t.match((await status()).problems[0]!, /no storage server yet/)
  for (const id of [A, B, C]) await bench.server(id)
  resultOf(await bench.admin({ ...DATA, replicas: 3 }))
  const well = await status()
  t.equal(well.health, 'ok')
  t.deepEqual(well.problems, [])
  t.deepEqual(well.managers, [
    { id: SELF, leader: true, reachable: true, addresses: ['hostf:7000'] },
  ])
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
  t.end()
})

test('status and server list show what servers and clients report', async t => {
  const bench = await AdminBench.withServers()
  resultOf(await bench.admin({ ...DATA, replicas: 3 }))
  const none = byteCount(0)
  const syncing = { volume: volumeId(1), shard: shardIndex(0), bytesLeft: byteCount(2 ** 20) }
  bench.reports.storage(A, {
    ...{ incarnation: incarnation(1), epoch: epoch(5), corruptBlocks: 3, syncing: [syncing] },
    merging: [{ ...syncing, bytesLeft: byteCount(5 * 2 ** 20) }],
    used: byteCount(123),
    free: byteCount(0),
    problem: 'the disk is full',
    served: { reads: 5, writes: 4, flushes: 1, bytesRead: byteCount(50), bytesWritten: none },
    recovered: byteCount(77),
  })
  const held = { requests: 2, reason: 'waiting for b', since: '2026-01-01T00:00:00.000Z' }
  const client = { host: 'desk', mountPoint: '/mnt', epoch: epoch(5), held }
  bench.reports.client(CLIENT, client)
  const status = resultOf<StatusResult>(await bench.admin({ command: 'status' }))
  t.deepEqual(status.clients, [{ id: CLIENT, ...client }])
  t.equal(status.health, 'degraded', 'corrupt blocks are no good sign')
  t.equal(status.volumes[0]!.syncBytesLeft, 2 ** 20)
  t.equal(status.volumes[0]!.mergeBytesLeft, 5 * 2 ** 20)
  const [a, b] = status.servers
  t.deepEqual(a!.served, { reads: 5, writes: 4, flushes: 1, bytesRead: 50, bytesWritten: 0 })
  t.deepEqual([a!.recovered, b!.recovered], [77, 0])
  t.deepEqual(b!.served, { reads: 0, writes: 0, flushes: 0, bytesRead: 0, bytesWritten: 0 })
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
  t.end()
})

test('a server that was declared down comes back when it has registered', async t => {
  const bench = await AdminBench.withServers()
  await bench.history.propose(
    { kind: 'server-down', server: C, incarnation: incarnation(1), live: [A, B], reason: 'x' },
    { proposer: 'x', votes: [] },
  )
  const status = resultOf<StatusResult>(await bench.admin({ command: 'status' }))
  t.equal(status.health, 'degraded')
  t.equal(status.servers[2]!.state, 'down')
  t.ok(status.servers[2]!.reachable)
  t.match(status.problems[0]!, /^Storage server c was declared down and is connected again/)
  t.end()
})

test('a server is removed by its name', async t => {
  const bench = await AdminBench.withServers()
  const none = await bench.admin({ command: 'server-remove', name: 'x', force: false })
  t.match(refusal(none), /^not-found: There is no storage server "x": see/)
  const removed = await bench.admin({ command: 'server-remove', name: 'c', force: false })
  t.deepEqual(resultOf(removed), { name: 'c', id: C, epoch: 5 })
  t.notOk(bench.history.current().servers.has(C))
  bench.answer = { kind: 'refused', code: 'data-loss', reason: 'It is the last.' }
  const last = await bench.admin({ command: 'server-remove', name: 'b', force: true })
  t.equal(refusal(last), 'refused: It is the last.')
  t.end()
})

test('a shard is promoted by the names of its volume and of a server', async t => {
  const bench = await AdminBench.withServers()
  resultOf(await bench.admin({ ...DATA, replicas: 3, minInSync: 1 }))
  const { name } = DATA
  const wish = { command: 'shard-promote', volume: name, shard: 2, server: 'c' } as const
  const ask = (fields: object): Promise<AdminResult> =>
    bench.admin({ ...wish, acceptDataLoss: true, ...fields })
  t.match(
    refusal(await ask({ acceptDataLoss: false })),
    /^refused: .* would be lost for good: say --accept-data-loss/,
  )
  t.match(refusal(await ask({ volume: 'x' })), /^not-found: There is no volume "x"/)
  t.match(refusal(await ask({ shard: 99 })), /^not-found: Volume "data" has no shard 99: it has 0/)
  t.match(refusal(await ask({ server: 'x' })), /^not-found: There is no storage server "x"/)
  t.equal(bench.proposed.length, 1, 'nothing of that was proposed')
  t.match(refusal(await ask({})), /^refused: Storage server "[abc]" has an in-sync copy/)
  for (const [server, live] of [
    [C, [A, B]],
    [A, [B]],
    [B, []],
  ] as const) {
    const down = { kind: 'server-down', incarnation: incarnation(1), reason: 'silent' } as const
    await bench.history.propose({ ...down, server, live }, { proposer: 'x', votes: [] })
  }
  await bench.server(C)
  const done = resultOf<{ readonly epoch: number }>(await ask({}))
  const { epoch: at, ...rest } = done
  t.deepEqual(rest, { volume: name, shard: 2, server: 'c' })
  t.equal(bench.history.current().epoch, at)
  t.equal(bench.history.current().volumes.get(volumeId(1))!.shards[2]!.replicas[0]!.server, C)
  const [, manner] = bench.proposed.at(-1)!
  t.deepEqual([/^operator at client/.test(manner.proposer), manner.force], [true, false])
  t.end()
})

test('a server is emptied, and no longer, by its name; asking twice is no failure', async t => {
  const bench = await AdminBench.withServers()
  await bench.admin({ ...DATA, replicas: 2 })
  const held = heldBy(bench.history.current(), C)
  bench.report(C, 1_000_000)
  const drain = { command: 'server-drain', name: 'c', force: false } as const
  const begun = resultOf<ServerDrainResult>(await bench.admin(drain))
  const left = { shardsLeft: held, bytesLeft: 1_000_000, secondsLeft: null, waitsFor: '' }
  t.deepEqual(begun, { name: 'c', id: C, epoch: 6, drain: left })
  t.equal(resultOf<ServerDrainResult>(await bench.admin(drain)).epoch, 6, 'nothing new')
  const seen = async (): Promise<ServerResult | undefined> =>
    resultOf<StatusResult>(await bench.admin({ command: 'status' })).servers.find(
      ({ name }) => name === 'c',
    )
  t.equal((await seen())?.state, 'draining')
  t.deepEqual((await seen())?.drain, left)
  bench.refusal = 'Refused by storage server a: it has no room.'
  t.equal((await seen())?.drain?.waitsFor, bench.refusal)
  const undrain = { command: 'server-undrain', name: 'c' } as const
  t.equal(resultOf<ServerDrainResult>(await bench.admin(undrain)).epoch, 7)
  t.equal(resultOf<ServerDrainResult>(await bench.admin(undrain)).drain, null)
  t.equal((await seen())?.state, 'up')
  t.match(refusal(await bench.admin({ ...drain, name: 'x' })), /^not-found: .*"x"/)
  bench.answer = { kind: 'refused', code: 'refused-by-manager', reason: 'Too few.' }
  t.equal(refusal(await bench.admin(drain)), 'refused: Too few.')
  t.ok(bench.proposed.every(([, { force }]) => !force))
  await bench.admin({ ...drain, force: true })
  t.ok(bench.proposed.at(-1)?.[1].force)
  t.end()
})

test('status says what is left of a server that is emptied, and what to do then', async t => {
  const bench = await AdminBench.withServers()
  await bench.admin({ ...DATA, replicas: 2 })
  const problems = async (): Promise<string> =>
    resultOf<StatusResult>(await bench.admin({ command: 'status' })).problems.join(' ')
  await bench.admin({ command: 'server-drain', name: 'c', force: false })
  t.match(await problems(), /c is being emptied, \d+ shards to go: nothing to do but wait\./)
  for (let left = 10; left > 4; left--) {
    bench.report(C, left * 2 ** 20)
    await bench.clock.advance(2_000)
  }
  t.match(await problems(), /shards, about 5 MiB to go, ready in about \d+ s: nothing/)
  bench.report(C, 2 ** 30)
  t.match(await problems(), /about 5 MiB to go/, 'what clients write meanwhile is not counted')
  await bench.admin({ command: 'server-drain', name: 'b', force: true })
  t.match(await problems(), /b is being emptied, .*needs 2 storage .* only 1 can take copies now/)
  await bench.admin({ command: 'server-undrain', name: 'b' })
  for (const { id } of bench.history.current().volumes.values()) {
    await bench.history.propose({ kind: 'volume-deleted', volume: id }, { proposer: '', votes: [] })
  }
  t.match(await problems(), /c is empty: take it out with `swarmdisk server remove c`/)
  t.end()
})

test('--force goes along with what can be forced', async t => {
  const bench = await AdminBench.withServers()
  for (const force of [true, false]) {
    await bench.admin({ ...DATA, name: `v${force}`, replicas: 3, force })
    await bench.admin({ command: 'server-remove', name: force ? 'a' : 'b', force })
  }
  await bench.admin({ command: 'volume-delete', name: 'vtrue' })
  t.deepEqual(
    bench.proposed.map(([kind, { force }]) => `${kind} ${force}`),
    [
      ...['volume-created true', 'server-removed true'],
      ...['server-removed false', 'volume-deleted false'],
    ],
    'the second volume was not even proposed: there were two servers left',
  )
  t.ok(bench.proposed.every(([, { proposer }]) => /^operator at client 0000/.test(proposer)))
  t.end()
})

test('what became of a command has a code', async t => {
  const bench = await AdminBench.withServers()
  const remove = { command: 'server-remove', name: 'c', force: false } as const
  const codes: readonly (readonly [string, string])[] = [
    ...(['no-leader', 'no-majority'] as const).map(code => [code, 'unreachable'] as const),
    ...(['no-vote', 'busy', 'refused-by-server'] as const).map(code => [code, 'refused'] as const),
    ...([['no-such-server', 'not-found']] as const),
    ...([['too-many', 'bad-input']] as const),
  ]
  for (const [code, answered] of codes) {
    bench.answer = { kind: 'refused', code, reason: 'A reason.' }
    t.equal(refusal(await bench.admin(remove)), `${answered}: A reason.`, code)
  }
  bench.answer = new SwarmdiskError('undecided', 'nobody knows')
  t.equal(refusal(await bench.admin(remove)), 'undecided: nobody knows')
  bench.answer = new SwarmdiskError('disk-full', 'no room')
  t.equal(refusal(await bench.admin(remove)), 'disk-full: no room')
  t.end()
})

test('votes are shown with the names of who cast them', async t => {
  const bench = await AdminBench.withServers()
  const vote = { approve: true, policy: false, reason: '' }
  bench.votes.push(
    { ...vote, voter: A, role: 'storage' },
    { ...vote, voter: C, role: 'storage' },
    { ...vote, voter: M2, role: 'manager', approve: false, policy: true, reason: 'too few' },
  )
  resultOf(await bench.admin({ command: 'server-remove', name: 'c', force: true }))
  const shown = resultOf<EpochResult>(await bench.admin({ command: 'epoch-show', epoch: 5 }))
  t.deepEqual(
    shown.votes.map(({ name, role, approve, policy }) => [name, role, approve, policy]),
    [
      ['a', 'storage', true, false],
      ['00000000', 'storage', true, false],
      ['20000000', 'manager', false, true],
    ],
    'a server that is gone has no name any more',
  )
  t.end()
})

test('epochs are listed and shown with who, when and why', async t => {
  const bench = await AdminBench.withServers()
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
      ...['server-registered', 'server-registered', 'server-registered'],
      ...['volume-created', 'volume-deleted'],
    ],
  )
  t.match(all[3]!.change, /^volume created: data, 1 GiB, 3 replicas in \d+ shards$/)
  t.equal(all[4]!.change, 'volume deleted: data')
  t.match(all[3]!.proposer, /^operator at client 0000/)
  t.equal(all[0]!.proposer, 'storage server a')
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
  t.deepEqual(resultOf(shown), all[3])
  const none = await bench.admin({ command: 'epoch-show', epoch: 4711 })
  t.match(refusal(none), /^not-found: There is no epoch 4711 yet/)
  t.match(refusal(await bench.admin({ command: 'epoch-show', epoch: 0 })), /^not-found/)
  t.end()
})
