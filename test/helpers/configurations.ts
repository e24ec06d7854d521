// Small configurations for tests, valid but made by hand.
import {
  byteCount,
  clusterId,
  epoch,
  generation,
  incarnation,
  volumeId,
  type Epoch,
  type PeerId,
} from '../../src/base/brands.js'
import type {
  Configuration,
  Replica,
  ServerRecord,
  ShardAllocation,
  VolumeRecord,
} from '../../src/layout/configuration.js'
import { FIRST_LAYER } from '../../src/layout/layers.js'
import { testPeer } from './scripted-peers.js'

export const MANAGER = testPeer(1)
export const SERVER_A = testPeer(0xa)
export const SERVER_B = testPeer(0xb)
export const SERVER_C = testPeer(0xc)
export const SERVERS = [SERVER_A, SERVER_B, SERVER_C] as const
const MiB = 1024 * 1024

/** Of a server that has just started. */
export const NOTHING_SERVED = {
  ...{ reads: 0, writes: 0, flushes: 0 },
  ...{ bytesRead: byteCount(0), bytesWritten: byteCount(0) },
}

export function testCluster(n = 1): Configuration['cluster'] {
  return clusterId(n.toString(16).padStart(32, '0'))
}

function serverRecord(id: PeerId): ServerRecord {
  const name = id.slice(-1)
  return {
    id,
    name,
    domain: name,
    addresses: [],
    capacity: byteCount(1024 * MiB),
    weight: 1,
    state: 'up',
    incarnation: incarnation(1),
  }
}

export function inSync(...servers: readonly PeerId[]): readonly Replica[] {
  return servers.map(server => ({ server, state: 'in-sync', incarnation: incarnation(1) }))
}

export function testVolume(fields: Partial<VolumeRecord> = {}): VolumeRecord {
  const shards = Array.from({ length: 8 }, (_, i): ShardAllocation => {
    const servers = [0, 1, 2].map(k => SERVERS[(i + k) % 3]!)
    return {
      epoch: epoch(5),
      generation: generation(0),
      replicas: inSync(...servers),
      stale: [],
    }
  })
  return {
    id: volumeId(1),
    name: 'data',
    size: byteCount(64 * MiB),
    replicas: 3,
    minInSync: 2,
    created: epoch(5),
    layers: [FIRST_LAYER],
    snapshots: [],
    seal: null,
    origin: null,
    schedules: [],
    shards,
    attachments: [],
    ...fields,
  }
}

export function testConfiguration(fields: Partial<Configuration> = {}): Configuration {
  const volume = testVolume()
  return {
    epoch: epoch(5),
    cluster: testCluster(),
    managers: [{ id: MANAGER, addresses: [] }],
    servers: new Map(SERVERS.map(id => [id, serverRecord(id)])),
    volumes: new Map([[volume.id, volume]]),
    nextVolume: volumeId(2),
    deletedVolumes: [],
    ...fields,
  }
}

/** The next epoch, with one shard (or all) of the volume allocated anew in it. */
export function reallocated(
  before: Configuration,
  shard: number | 'all',
  fields: Partial<ShardAllocation>,
): Configuration {
  const next: Epoch = epoch(before.epoch + 1)
  const volume = before.volumes.get(volumeId(1))!
  const shards = volume.shards.map((allocation, i) =>
    shard === 'all' || i === shard ? { ...allocation, ...fields, epoch: next } : allocation,
  )
  return {
    ...before,
    epoch: next,
    volumes: new Map([[volume.id, { ...volume, shards }]]),
  }
}
