// Random but valid values of everything that has a codec, from a seed.
import * as brands from '../../../src/base/brands.js'
import { SUSPENSION_CAUSES, type Change } from '../../../src/layout/change.js'
import type {
  AccessMode,
  Address,
  Attachment,
  Configuration,
  ManagerRecord,
  Replica,
  ServerRecord,
  ShardAllocation,
  SnapshotRecord,
  SnapshotSchedule,
  VolumeRecord,
} from '../../../src/layout/configuration.js'
import type { LayerRecord } from '../../../src/layout/layers.js'
import { SNAPSHOT_PERIODS } from '../../../src/layout/names.js'
import type { Delta } from '../../../src/layout/delta.js'
import type { SeededRandom } from '../../simulator/seeded-random.js'

/** Small numbers mostly, sometimes one near the limit: encodings change their width in between. */
export function number(random: SeededRandom, limit: number): number {
  const top = [10, 300, 70_000, limit][random.below(4)]!
  return Math.min(limit - 1, random.below(Math.min(top, limit)))
}

export function several<T>(random: SeededRandom, most: number, make: () => T): readonly T[] {
  return Array.from({ length: random.below(most + 1) }, make)
}

export const peer = (random: SeededRandom): brands.PeerId =>
  brands.peerId(Buffer.from(random.bytes(32)).toString('hex'))
export const cluster = (random: SeededRandom): brands.ClusterId =>
  brands.clusterId(Buffer.from(random.bytes(16)).toString('hex'))
export const epoch = (random: SeededRandom): brands.Epoch =>
  brands.epoch(number(random, brands.EPOCH_LIMIT))
export const volumeId = (random: SeededRandom): brands.VolumeId =>
  brands.volumeId(number(random, 2 ** 32))
export const shard = (random: SeededRandom): brands.ShardIndex =>
  brands.shardIndex(random.below(1024))
export const incarnation = (random: SeededRandom): brands.Incarnation =>
  brands.incarnation(number(random, 2 ** 48))
export const generation = (random: SeededRandom): brands.Generation =>
  brands.generation(number(random, 2 ** 32))
export const sequence = (random: SeededRandom): brands.Sequence =>
  brands.sequence(number(random, 2 ** 53 - 1))
export const request = (random: SeededRandom): brands.RequestNumber =>
  brands.requestNumber(number(random, 2 ** 53 - 1))
export const byteCount = (random: SeededRandom): brands.ByteCount =>
  brands.byteCount(number(random, 2 ** 53 - 1))
export const byteOffset = (random: SeededRandom): brands.ByteOffset =>
  brands.byteOffset(number(random, 2 ** 53 - 1))
export const block = (random: SeededRandom): brands.BlockIndex =>
  brands.blockIndex(number(random, 2 ** 50))

export const name = (random: SeededRandom): string =>
  random.pick(['a', 'data-1', 'x'.repeat(64), 'Grüße', 'b.c_d', '名前'])

export const address = (random: SeededRandom): Address => ({
  host: random.pick(['127.0.0.1', '::1', 'disk.example.org']),
  port: random.below(65_536),
})
export const addresses = (random: SeededRandom): readonly Address[] =>
  several(random, 3, () => address(random))

export const manager = (random: SeededRandom): ManagerRecord => ({
  id: peer(random),
  addresses: addresses(random),
})

export const server = (random: SeededRandom): ServerRecord => ({
  id: peer(random),
  name: name(random),
  domain: name(random),
  addresses: addresses(random),
  capacity: byteCount(random),
  weight: random.below(1_000) / 8,
  state: random.pick(['up', 'down', 'draining', 'down-draining']),
  incarnation: incarnation(random),
})

function replica(random: SeededRandom, server: brands.PeerId): Replica {
  return {
    server,
    state: random.pick(['in-sync', 'syncing']),
    incarnation: incarnation(random),
  }
}

function allocation(random: SeededRandom, peers: readonly brands.PeerId[]): ShardAllocation {
  return {
    epoch: epoch(random),
    generation: generation(random),
    replicas: several(random, 7, () => replica(random, random.pick(peers))),
    stale: several(random, 3, () => random.pick(peers)),
  }
}

export const host = (random: SeededRandom): string =>
  random.pick(['a', 'node-17.example.org', 'h'.repeat(255)])
export const mode = (random: SeededRandom): AccessMode => random.pick(['exclusive', 'shared'])

function attachment(random: SeededRandom, client: brands.PeerId): Attachment {
  const since = '2026-01-01T00:00:00.000Z'
  return { client, host: host(random), mode: mode(random), since }
}

const DATE = '2026-01-01T00:00:00.000Z'

function layer(random: SeededRandom): LayerRecord {
  const id = (): number => 1 + number(random, 2 ** 32 - 1)
  const covers = several(random, 3, () => ({ first: id(), last: id() }))
  return { id: id(), parent: number(random, 2 ** 32), covers }
}

function snapshot(random: SeededRandom): SnapshotRecord {
  const of = 1 + number(random, 2 ** 32 - 1)
  const size = byteCount(random)
  return {
    ...{ name: name(random), layer: of, at: DATE, epoch: epoch(random) },
    ...{ source: source(random), size },
  }
}

const source = (random: SeededRandom): string | null => random.pick([null, '0'.repeat(32) + '/1/1'])

function schedules(random: SeededRandom): readonly SnapshotSchedule[] {
  return several(random, 2, () => ({
    period: random.pick(SNAPSHOT_PERIODS),
    keep: 1 + random.below(800),
  }))
}

function volume(random: SeededRandom, peers: readonly brands.PeerId[]): VolumeRecord {
  return {
    id: volumeId(random),
    name: name(random),
    size: byteCount(random),
    replicas: 1 + random.below(7),
    minInSync: 1 + random.below(7),
    created: epoch(random),
    layers: several(random, 3, () => layer(random)),
    shards: several(random, 20, () => allocation(random, peers)),
    attachments: several(random, 3, () => attachment(random, random.pick(peers))),
    snapshots: several(random, 3, () => snapshot(random)),
    seal: random.chance(0.5) ? { epoch: epoch(random), name: name(random) } : null,
    origin: random.chance(0.5)
      ? { volume: volumeId(random), snapshot: name(random), layer: 1 + number(random, 2 ** 32 - 1) }
      : null,
    schedules: schedules(random),
  }
}

const byId = <Id, T extends { readonly id: Id }>(items: readonly T[]): ReadonlyMap<Id, T> =>
  new Map(items.map(item => [item.id, item]))

export function configuration(random: SeededRandom): Configuration {
  const servers = several(random, 6, () => server(random))
  const peers = [...servers.map(one => one.id), peer(random)]
  return {
    epoch: epoch(random),
    cluster: cluster(random),
    managers: several(random, 5, () => manager(random)),
    servers: byId(servers),
    volumes: byId(several(random, 3, () => volume(random, peers))),
    nextVolume: volumeId(random),
    deletedVolumes: several(random, 5, () => volumeId(random)),
  }
}

export function delta(random: SeededRandom): Delta {
  const peers = [peer(random), peer(random), peer(random)]
  return {
    cluster: cluster(random),
    from: epoch(random),
    to: epoch(random),
    managers: random.chance(0.5) ? null : several(random, 5, () => manager(random)),
    servers: several(random, 3, () => server(random)),
    removedServers: several(random, 3, () => random.pick(peers)),
    volumes: several(random, 2, () => volume(random, peers)),
    removedVolumes: several(random, 3, () => volumeId(random)),
    shards: several(random, 9, () => ({
      volume: volumeId(random),
      shard: shard(random),
      allocation: allocation(random, peers),
    })),
    nextVolume: volumeId(random),
    deletedVolumes: several(random, 3, () => volumeId(random)),
  }
}

/** One of every kind. */
export function changes(random: SeededRandom): readonly Change[] {
  const peers = [peer(random), peer(random), peer(random)]
  return [
    { kind: 'cluster-created', cluster: cluster(random), manager: manager(random) },
    { kind: 'manager-updated', manager: manager(random) },
    { kind: 'server-registered', server: server(random) },
    {
      kind: 'volume-created',
      name: name(random),
      size: byteCount(random),
      replicas: 1 + random.below(7),
      minInSync: 1 + random.below(7),
      placement: several(random, 8, () => several(random, 7, () => random.pick(peers))),
    },
    { kind: 'volume-deleted', volume: volumeId(random) },
    {
      kind: 'shards-reallocated',
      reason: random.pick(['', 'server b is back', 'ü'.repeat(100)]),
      shards: several(random, 5, () => ({
        volume: volumeId(random),
        shard: shard(random),
        expected: epoch(random),
        replicas: several(random, 7, () => replica(random, random.pick(peers))),
        stale: several(random, 2, () => random.pick(peers)),
        generation: generation(random),
      })),
    },
    {
      kind: 'replicas-caught-up',
      replicas: several(random, 5, () => ({
        volume: volumeId(random),
        shard: shard(random),
        server: random.pick(peers),
        expected: epoch(random),
      })),
    },
    {
      kind: 'replicas-suspended',
      replicas: several(random, 5, () => ({
        volume: volumeId(random),
        shard: shard(random),
        server: random.pick(peers),
        expected: epoch(random),
        cause: random.pick(SUSPENSION_CAUSES),
      })),
    },
    { kind: 'manager-added', manager: manager(random) },
    { kind: 'manager-removed', manager: peer(random) },
    {
      kind: 'server-down',
      server: peer(random),
      incarnation: incarnation(random),
      live: several(random, 5, () => random.pick(peers)),
      reason: random.pick(['', 'silent for 3 s', 'ü'.repeat(100)]),
    },
    { kind: 'server-removed', server: peer(random) },
    {
      kind: 'shards-moved',
      reason: random.pick(['', 'storage server b is being emptied', 'ü'.repeat(100)]),
      shards: several(random, 5, () => ({
        volume: volumeId(random),
        shard: shard(random),
        expected: epoch(random),
        replicas: several(random, 8, () => replica(random, random.pick(peers))),
        stale: several(random, 2, () => random.pick(peers)),
        generation: generation(random),
      })),
    },
    { kind: 'server-state', server: peer(random), state: random.pick(['draining', 'up']) },
    {
      ...attachment(random, random.pick(peers)),
      kind: 'volume-attached',
      volume: volumeId(random),
      takeover: random.chance(0.5),
    },
    { kind: 'volume-detached', volume: volumeId(random), client: random.pick(peers) },
    {
      ...{ kind: 'shard-promoted', volume: volumeId(random), shard: shard(random) },
      ...{ server: random.pick(peers), expected: epoch(random) },
    },
    {
      kind: 'volumes-sealed',
      snapshots: several(random, 3, () => ({ volume: volumeId(random), name: name(random) })),
    },
    {
      ...{ kind: 'snapshots-created', sealed: epoch(random), at: DATE },
      snapshots: several(random, 3, () => ({
        ...{ volume: volumeId(random), name: name(random) },
        shards: several(random, 9, () => epoch(random)),
        source: source(random),
      })),
    },
    {
      kind: 'seals-lifted',
      volumes: several(random, 3, () => volumeId(random)),
      reason: random.pick(['', 'no answer in time']),
    },
    { kind: 'snapshot-deleted', volume: volumeId(random), name: name(random) },
    { kind: 'volume-rolled-back', volume: volumeId(random), name: name(random) },
    {
      ...{ kind: 'volume-cloned', volume: volumeId(random) },
      ...{ snapshot: name(random), name: name(random) },
    },
    { kind: 'volume-flattened', volume: volumeId(random) },
    {
      ...{ kind: 'volume-set', volume: volumeId(random) },
      minInSync: random.pick([null, 2]),
      schedules: random.chance(0.5) ? schedules(random) : null,
    },
    { kind: 'volume-resized', volume: volumeId(random), size: byteCount(random) },
  ]
}
