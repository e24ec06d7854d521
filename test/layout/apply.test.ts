import test from 'tape'
import { byteCount, incarnation, volumeId } from '../../src/base/brands.js'
import { DELETED_VOLUMES_REMEMBERED } from '../../src/base/limits.js'
import { apply } from '../../src/layout/apply.js'
import type { Change } from '../../src/layout/change.js'
import { checkConfiguration } from '../../src/layout/invariants.js'
import {
  cluster,
  clusterWithVolume,
  CREATED,
  GiB,
  MANAGER,
  must,
  refusal,
  restart,
  server,
  serverId,
  shardOf,
  VOLUME,
} from './clusters.js'

const register = (n: number, fields: Parameters<typeof server>[1] = {}): Change => ({
  kind: 'server-registered',
  server: server(n, fields),
})

test('a cluster is created once, and before everything else', t => {
  const first = must(null, CREATED)
  t.equal(first.epoch, 1)
  t.deepEqual(first.managers, [{ id: MANAGER, addresses: [] }])
  t.equal(refusal(first, CREATED), 'already-created')
  t.equal(refusal(null, register(1)), 'no-cluster')
  t.end()
})

test('the manager changes its addresses', t => {
  const first = must(null, CREATED)
  const addresses = [{ host: '10.0.0.1', port: 9000 }]
  const next = must(first, { kind: 'manager-updated', manager: { id: MANAGER, addresses } })
  t.equal(next.epoch, 2)
  t.deepEqual(next.managers[0]?.addresses, addresses)
  t.equal(
    refusal(next, { kind: 'manager-updated', manager: { id: MANAGER, addresses } }),
    'no-change',
  )
  t.equal(
    refusal(next, { kind: 'manager-updated', manager: { id: serverId(5), addresses } }),
    'no-such-manager',
  )
  const bad = [{ host: 'x', port: 0 }]
  t.equal(
    refusal(next, { kind: 'manager-updated', manager: { id: MANAGER, addresses: bad } }),
    'bad-server',
  )
  t.end()
})

test('servers register: new, changed, restarted', t => {
  const one = must(must(null, CREATED), register(1))
  t.equal(one.epoch, 2)
  t.equal(refusal(one, register(1)), 'no-change', 'the same once more')
  t.equal(refusal(one, register(2, { name: 's1' })), 'name-taken')
  t.equal(refusal(one, register(1, { incarnation: incarnation(0) })), 'old-incarnation')
  const moved = must(one, register(1, { addresses: [{ host: 'b', port: 1 }] }))
  t.equal(moved.servers.get(serverId(1))?.addresses[0]?.host, 'b')
  const restarted = must(moved, register(1, { incarnation: incarnation(7), name: 'other' }))
  t.equal(restarted.servers.get(serverId(1))?.incarnation, 7)
  t.equal(restarted.servers.get(serverId(1))?.name, 'other', 'a server may be renamed')
  t.equal(restarted.epoch, 4)
  t.equal(one.servers.get(serverId(1))?.incarnation, 1, 'the old configuration is as it was')
  t.end()
})

test('servers that cannot be', t => {
  const first = must(null, CREATED)
  t.equal(refusal(first, register(1, { name: 'a b' })), 'bad-name')
  t.equal(refusal(first, register(1, { domain: '' })), 'bad-name')
  for (const weight of [0, -1, 1.5, NaN, 2 ** 40]) {
    t.equal(refusal(first, register(1, { weight })), 'bad-server', `weight ${weight}`)
  }
  t.equal(refusal(first, register(1, { state: 'down' })), 'bad-server')
  const many = Array.from({ length: 99 }, () => ({ host: 'h', port: 1 }))
  t.equal(refusal(first, register(1, { addresses: many })), 'bad-server')
  const port = [{ host: 'h', port: 65536 }]
  t.equal(refusal(first, register(1, { addresses: port })), 'bad-server')
  t.end()
})

test('registering does not end draining', t => {
  const one = must(must(null, CREATED), register(1, { state: 'draining' }))
  const again = must(one, register(1, { incarnation: incarnation(2) }))
  t.equal(again.servers.get(serverId(1))?.state, 'draining')
  t.end()
})

const wish = { kind: 'volume-created', name: 'data', replicas: 3, minInSync: 2 } as const
const placement = Array.from({ length: 8 }, (_, i) =>
  [0, 1, 2].map(k => serverId(((i + k) % 3) + 1)),
)
const volume: Change = { ...wish, size: byteCount(GiB), placement }

test('a volume is created with all its replicas in sync', t => {
  const before = restart(cluster(3), serverId(2))
  const after = must(before, volume)
  const record = after.volumes.get(VOLUME)
  t.equal(record?.created, after.epoch)
  t.equal(record?.shards.length, 8)
  t.equal(after.nextVolume, 2)
  t.deepEqual(shardOf(after), {
    epoch: after.epoch,
    generation: 0,
    replicas: [1, 2, 3].map(n => ({
      server: serverId(n),
      state: 'in-sync',
      incarnation: n === 2 ? 2 : 1,
    })),
    stale: [],
  })
  t.equal(refusal(after, volume), 'name-taken')
  t.end()
})

test('volumes that cannot be', t => {
  const before = cluster(3)
  const refused = (fields: object): string | null => refusal(before, { ...volume, ...fields })
  t.equal(refused({ name: '..' }), 'bad-name')
  t.equal(refused({ size: 5000 }), 'bad-size')
  t.equal(refused({ size: 0 }), 'bad-size')
  t.equal(refused({ replicas: 0 }), 'bad-replicas')
  t.equal(refused({ replicas: 4 }), 'too-few-servers')
  t.equal(refused({ minInSync: 4 }), 'bad-min-in-sync')
  t.equal(refused({ minInSync: 0 }), 'bad-min-in-sync')
  t.equal(refused({ placement: placement.slice(1) }), 'bad-allocation', 'seven shards')
  const without = (shard: readonly ReturnType<typeof serverId>[]): object => ({
    placement: [...placement.slice(1), shard],
  })
  t.equal(refused(without([serverId(1), serverId(2)])), 'bad-allocation', 'two replicas')
  t.equal(refused(without([serverId(1), serverId(1), serverId(2)])), 'bad-allocation', 'twice')
  t.equal(refused(without([serverId(1), serverId(9), serverId(2)])), 'bad-allocation', 'unknown')
  const drained = must(before, register(4, { state: 'draining' }))
  const onDrained = without([serverId(1), serverId(4), serverId(2)])
  t.equal(refusal(drained, { ...volume, ...onDrained }), 'bad-allocation', 'draining')
  t.end()
})

test('a volume is deleted and remembered, and its number is not used again', t => {
  const before = clusterWithVolume()
  const after = must(before, { kind: 'volume-deleted', volume: VOLUME })
  t.equal(after.volumes.size, 0)
  t.deepEqual(after.deletedVolumes, [VOLUME])
  t.equal(refusal(after, { kind: 'volume-deleted', volume: VOLUME }), 'no-such-volume')
  const again = must(after, volume)
  t.deepEqual([...again.volumes.keys()], [2], 'the name is free, the number is not')
  t.end()
})

test('as many deletions are remembered as there is room for', t => {
  const full = {
    ...clusterWithVolume(),
    deletedVolumes: Array.from({ length: DELETED_VOLUMES_REMEMBERED }, (_, i) => volumeId(i + 10)),
    nextVolume: volumeId(DELETED_VOLUMES_REMEMBERED + 100),
  }
  const { deletedVolumes } = must(full, { kind: 'volume-deleted', volume: VOLUME })
  t.equal(deletedVolumes.length, DELETED_VOLUMES_REMEMBERED)
  t.equal(deletedVolumes.at(-1), VOLUME)
  t.equal(deletedVolumes[0], 11, 'the oldest is forgotten')
  t.end()
})

test('every refusal is a sentence that says what to do', t => {
  const before = clusterWithVolume()
  const refused: readonly (readonly [Parameters<typeof apply>[0], Change])[] = [
    [null, register(1)],
    [before, CREATED],
    [before, volume],
    [before, register(1)],
    [before, register(9, { name: 's1' })],
    [before, { kind: 'volume-deleted', volume: volumeId(77) }],
  ]
  for (const [configuration, change] of refused) {
    const outcome = apply(configuration, change)
    t.match(outcome.kind === 'refused' ? outcome.reason : '', /^[A-Z].*\.$/, change.kind)
  }
  t.end()
})

test('checkConfiguration finds what is broken', t => {
  const good = clusterWithVolume()
  checkConfiguration(good)
  const record = good.volumes.get(VOLUME)!
  const broken = (shard: object): unknown => ({
    ...good,
    volumes: new Map([
      [
        VOLUME,
        { ...record, shards: [{ ...record.shards[0], ...shard }, ...record.shards.slice(1)] },
      ],
    ]),
  })
  const [a, b] = shardOf(good).replicas
  const cases: readonly (readonly [string, object])[] = [
    ['no replicas', { replicas: [] }],
    ['a syncing primary', { replicas: [{ ...a, state: 'syncing' }, b] }],
    ['a server twice', { replicas: [a, a] }],
    ['in sync and stale', { stale: [a?.server] }],
    ['an unknown server', { replicas: [a, { ...b, server: serverId(9) }] }],
    ['a start yet to come', { replicas: [{ ...a, incarnation: 9 }, b] }],
    ['an allocation from the future', { epoch: good.epoch + 1 }],
  ]
  for (const [name, fields] of cases) {
    t.throws(() => checkConfiguration(broken(fields) as typeof good), /./, name)
  }
  t.end()
})
