// Clusters for layout tests, made the only way there is: by applying changes.
import { AssertionFailure } from '../../src/base/assert.js'
import {
  byteCount,
  clusterId,
  incarnation,
  shardIndex,
  volumeId,
  type PeerId,
  type VolumeId,
} from '../../src/base/brands.js'
import { apply } from '../../src/layout/apply.js'
import type { Change, ChangeOf, ShardReallocation } from '../../src/layout/change.js'
import type {
  Configuration,
  Replica,
  ServerRecord,
  ShardAllocation,
} from '../../src/layout/configuration.js'
import { isRefusal, type RefusalCode } from '../../src/layout/outcome.js'
import { planVolume } from '../../src/layout/placement/planner.js'
import { testPeer } from '../helpers/scripted-peers.js'

export const MiB = 1024 * 1024
export const GiB = 1024 * MiB
export const MANAGER = testPeer(1)
export const VOLUME = volumeId(1)

/** Servers are numbered from 1; their identities are spread like real ones. */
export function server(n: number, fields: Partial<ServerRecord> = {}): ServerRecord {
  return {
    id: serverId(n),
    name: `s${n}`,
    domain: `host${n}`,
    addresses: [{ host: '127.0.0.1', port: 7000 + (n % 1000) }],
    capacity: byteCount(100 * GiB),
    weight: 100,
    state: 'up',
    incarnation: incarnation(1),
    ...fields,
  }
}

export function serverId(n: number): PeerId {
  return testPeer(1000 + n)
}

export function must(configuration: Configuration | null, change: Change): Configuration {
  const outcome = apply(configuration, change)
  if (outcome.kind === 'applied') return outcome.configuration
  throw new AssertionFailure(`${change.kind} refused: ${outcome.code}, ${outcome.reason}`)
}

/** The code with which a change is refused, or null if it is applied. */
export function refusal(configuration: Configuration | null, change: Change): RefusalCode | null {
  const outcome = apply(configuration, change)
  return outcome.kind === 'refused' ? outcome.code : null
}

export const CREATED: Change = {
  kind: 'cluster-created',
  cluster: clusterId('c'.repeat(32)),
  manager: { id: MANAGER, addresses: [] },
}

export function cluster(servers: number): Configuration {
  let configuration = must(null, CREATED)
  for (let n = 1; n <= servers; n++) {
    configuration = must(configuration, { kind: 'server-registered', server: server(n) })
  }
  return configuration
}

/** Three servers and volume 1, "data", with 9 shards of 3 replicas. */
export function clusterWithVolume(): Configuration {
  const configuration = cluster(3)
  const change = planVolume(configuration, {
    name: 'data',
    size: GiB,
    replicas: 3,
    minInSync: 2,
  })
  if (isRefusal(change)) throw new AssertionFailure(change.reason)
  return must(configuration, change)
}

export function shardOf(configuration: Configuration, shard = 0): ShardAllocation {
  return configuration.volumes.get(VOLUME)!.shards[shard]!
}

/** A reallocation of shard 0 of volume 1, planned from this configuration. */
export function reallocate(
  configuration: Configuration,
  fields: Partial<ShardReallocation>,
): ChangeOf<'shards-reallocated'> {
  const { epoch, replicas, stale, generation } = shardOf(configuration)
  const item: ShardReallocation = {
    volume: VOLUME,
    shard: shardIndex(0),
    expected: epoch,
    ...{ replicas, stale, generation },
    ...fields,
  }
  return { kind: 'shards-reallocated', reason: 'test', shards: [item] }
}

export function restart(configuration: Configuration, id: PeerId): Configuration {
  const record = configuration.servers.get(id)!
  const next = incarnation(record.incarnation + 1)
  return must(configuration, {
    kind: 'server-registered',
    server: { ...record, incarnation: next, state: 'up' },
  })
}

/** The lease of a server has run out while those of `live` were valid. */
export function downOf(
  configuration: Configuration,
  server: PeerId,
  ...live: readonly PeerId[]
): ChangeOf<'server-down'> {
  const { incarnation } = configuration.servers.get(server)!
  return { kind: 'server-down', server, incarnation, live, reason: 'silent for 3.3 s' }
}

/** It is back with what it had in memory. */
export function backUp(configuration: Configuration, id: PeerId): Configuration {
  const record = configuration.servers.get(id)!
  return must(configuration, { kind: 'server-registered', server: { ...record, state: 'up' } })
}

export function replica(configuration: Configuration, id: PeerId): Replica {
  return {
    server: id,
    state: 'syncing',
    incarnation: configuration.servers.get(id)!.incarnation,
  }
}

/** The volume has been sealed, and all its shards were ready. */
export function withSnapshot(from: Configuration, volume: VolumeId, name: string): Configuration {
  const sealed = must(from, { kind: 'volumes-sealed', snapshots: [{ volume, name }] })
  const shards = sealed.volumes.get(volume)!.shards.map(({ epoch }) => epoch)
  return must(sealed, {
    ...{ kind: 'snapshots-created', sealed: sealed.epoch, at: '2026-01-01T00:00:00.000Z' },
    snapshots: [{ volume, name, shards, source: null }],
  })
}
