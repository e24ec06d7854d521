// Configurations, deltas and changes as bytes: what managers send, and what they keep in their
// history. One version byte, a dictionary of peers, then the fields in the order below (documented
// in docs/protocol.md). Formats only ever grow a new version; kinds and words are append only.
import type { PeerId } from '../../base/brands.js'
import {
  DATE_LENGTH_MAX,
  DELETED_VOLUMES_REMEMBERED,
  MANAGERS_MAX,
  REPLICAS_MAX,
  SENTENCE_BYTES_MAX,
  SERVERS_MAX,
  SHARDS_MAX,
  VOLUMES_MAX,
} from '../../base/limits.js'
import {
  SUSPENSION_CAUSES,
  type CaughtUpReplica,
  type Change,
  type SealedVolume,
  type ShardReallocation,
  type SnapshotName,
  type SuspendedReplica,
} from '../../layout/change.js'
import type {
  Configuration,
  ManagerRecord,
  ServerRecord,
  VolumeRecord,
} from '../../layout/configuration.js'
import type { Delta, ShardDelta } from '../../layout/delta.js'
import {
  boolean,
  list,
  malformed,
  mapped,
  nullable,
  real,
  record,
  sentence,
  text,
  union,
  word,
  type Codec,
  type Fields,
} from './codec.js'
import * as f from './fields.js'
import { decodeDocument, encodeDocument } from './peer-dictionary.js'
import {
  allocationCodec,
  attachmentFields,
  replicaCount,
  replicasCodec,
  schedules,
  source,
  version1Volume,
  version2Volume,
  version3Volume,
  version4Volume,
  volumeCodec,
} from './volume-record.js'

/**
 * Of configurations and deltas; version 1 did not know of attachments, version 2 not of more than
 * one layer, version 3 neither of clones and schedules nor of imported snapshots, version 4 not of
 * snapshots that are smaller than their volume. That one is written wherever it suffices.
 */
const VERSION = 5
const ONE_SIZE_VERSION = 4
/** Version 1 does not know of imported snapshots; it is written wherever it suffices. */
const CHANGE_VERSION = 2
/** Shards that one change or delta may name: all of all volumes, bounded by the frame anyway. */
const SHARDS_NAMED_MAX = VOLUMES_MAX * SHARDS_MAX

function managerCodec(peer: Codec<PeerId>): Codec<ManagerRecord> {
  return record<ManagerRecord>({ id: peer, addresses: f.addressesField })
}

function serverCodec(peer: Codec<PeerId>): Codec<ServerRecord> {
  return record<ServerRecord>({
    id: peer,
    name: f.nameField,
    domain: f.nameField,
    addresses: f.addressesField,
    capacity: f.bytesField,
    weight: real,
    state: word(['up', 'down', 'draining', 'down-draining']),
    incarnation: f.incarnationField,
  })
}

/** A map by the id that each record carries. */
function byId<Id, T extends { readonly id: Id }>(
  records: Codec<readonly T[]>,
): Codec<ReadonlyMap<Id, T>> {
  return mapped(
    records,
    map => [...map.values()],
    items => {
      const map = new Map(items.map(item => [item.id, item]))
      return map.size === items.length ? map : malformed('two records with one id')
    },
  )
}

const configurationBody = (peer: Codec<PeerId>): Codec<Configuration> =>
  configurationOf(peer, volumeCodec(peer))
const version1Configuration = (peer: Codec<PeerId>): Codec<Configuration> =>
  configurationOf(peer, version1Volume(peer))
const version2Configuration = (peer: Codec<PeerId>): Codec<Configuration> =>
  configurationOf(peer, version2Volume(peer))
const version3Configuration = (peer: Codec<PeerId>): Codec<Configuration> =>
  configurationOf(peer, version3Volume(peer))
const version4Configuration = (peer: Codec<PeerId>): Codec<Configuration> =>
  configurationOf(peer, version4Volume(peer))

function configurationOf(peer: Codec<PeerId>, volume: Codec<VolumeRecord>): Codec<Configuration> {
  return record<Configuration>({
    epoch: f.epochField,
    cluster: f.clusterField,
    managers: list(managerCodec(peer), MANAGERS_MAX, 2),
    servers: byId(list(serverCodec(peer), SERVERS_MAX, 16)),
    volumes: byId(list(volume, VOLUMES_MAX, 8)),
    nextVolume: f.volumeField,
    deletedVolumes: list(f.volumeField, DELETED_VOLUMES_REMEMBERED),
  })
}

const deltaBody = (peer: Codec<PeerId>): Codec<Delta> => deltaOf(peer, volumeCodec(peer))
const version4Delta = (peer: Codec<PeerId>): Codec<Delta> => deltaOf(peer, version4Volume(peer))

function deltaOf(peer: Codec<PeerId>, volume: Codec<VolumeRecord>): Codec<Delta> {
  const shard = record<ShardDelta>({
    volume: f.volumeField,
    shard: f.shardField,
    allocation: allocationCodec(peer),
  })
  return record<Delta>({
    cluster: f.clusterField,
    from: f.epochField,
    to: f.epochField,
    managers: nullable(list(managerCodec(peer), MANAGERS_MAX, 2)),
    servers: list(serverCodec(peer), SERVERS_MAX, 16),
    removedServers: list(peer, SERVERS_MAX),
    volumes: list(volume, VOLUMES_MAX, 8),
    removedVolumes: list(f.volumeField, VOLUMES_MAX),
    shards: list(shard, SHARDS_NAMED_MAX, 6),
    nextVolume: f.volumeField,
    deletedVolumes: list(f.volumeField, DELETED_VOLUMES_REMEMBERED),
  })
}

const sealedVolumeFields = {
  volume: f.volumeField,
  name: f.nameField,
  shards: list(f.epochField, SHARDS_MAX),
}
const sealedVolume = record<SealedVolume>({ ...sealedVolumeFields, source })
const version1SealedVolume: Codec<SealedVolume> = mapped(
  record<Omit<SealedVolume, 'source'>>(sealedVolumeFields),
  one => one,
  one => ({ ...one, source: null }),
)
const snapshotName = { volume: f.volumeField, name: f.nameField }

/** Of volumes as a whole: no peers are named in these. */
const volumeChanges = (sealed: Codec<SealedVolume>) => ({
  'volumes-sealed': record({
    snapshots: list(record<SnapshotName>(snapshotName), VOLUMES_MAX, 2),
  }),
  'snapshots-created': record({
    sealed: f.epochField,
    at: text(DATE_LENGTH_MAX),
    snapshots: list(sealed, VOLUMES_MAX, 3),
  }),
  'seals-lifted': record({
    volumes: list(f.volumeField, VOLUMES_MAX),
    reason: sentence(SENTENCE_BYTES_MAX),
  }),
  'snapshot-deleted': record(snapshotName),
  'volume-rolled-back': record(snapshotName),
  'volume-cloned': record({ volume: f.volumeField, snapshot: f.nameField, name: f.nameField }),
  'volume-flattened': record({ volume: f.volumeField }),
  'volume-set': record({
    volume: f.volumeField,
    minInSync: nullable(replicaCount),
    schedules: nullable(schedules),
  }),
  'volume-resized': record({ volume: f.volumeField, size: f.bytesField }),
})

const changeBody = (peer: Codec<PeerId>): Codec<Change> => changeOf(peer, sealedVolume)
const version1Change = (peer: Codec<PeerId>): Codec<Change> => changeOf(peer, version1SealedVolume)

function changeOf(peer: Codec<PeerId>, sealed: Codec<SealedVolume>): Codec<Change> {
  const reallocation = record<ShardReallocation>({
    volume: f.volumeField,
    shard: f.shardField,
    expected: f.epochField,
    replicas: replicasCodec(peer),
    stale: list(peer, SERVERS_MAX),
    generation: f.generationField,
  })
  const replica: Fields<CaughtUpReplica> = {
    volume: f.volumeField,
    shard: f.shardField,
    server: peer,
    expected: f.epochField,
  }
  const caughtUp = record<CaughtUpReplica>(replica)
  const suspended = record<SuspendedReplica>({ ...replica, cause: word(SUSPENSION_CAUSES) })
  return union<Change>({
    'cluster-created': record({ cluster: f.clusterField, manager: managerCodec(peer) }),
    'manager-updated': record({ manager: managerCodec(peer) }),
    'server-registered': record({ server: serverCodec(peer) }),
    'volume-created': record({
      name: f.nameField,
      size: f.bytesField,
      replicas: replicaCount,
      minInSync: replicaCount,
      placement: list(list(peer, REPLICAS_MAX), SHARDS_MAX),
    }),
    'volume-deleted': record({ volume: f.volumeField }),
    'shards-reallocated': record({
      reason: sentence(SENTENCE_BYTES_MAX),
      shards: list(reallocation, SHARDS_NAMED_MAX, 6),
    }),
    'replicas-caught-up': record({ replicas: list(caughtUp, SHARDS_NAMED_MAX, 4) }),
    'manager-added': record({ manager: managerCodec(peer) }),
    'manager-removed': record({ manager: peer }),
    'server-down': record({
      server: peer,
      incarnation: f.incarnationField,
      live: list(peer, SERVERS_MAX),
      reason: sentence(SENTENCE_BYTES_MAX),
    }),
    'server-removed': record({ server: peer }),
    'shards-moved': record({
      reason: sentence(SENTENCE_BYTES_MAX),
      shards: list(reallocation, SHARDS_NAMED_MAX, 6),
    }),
    'server-state': record({ server: peer, state: word(['draining', 'up']) }),
    'volume-attached': record({
      volume: f.volumeField,
      client: peer,
      ...attachmentFields,
      takeover: boolean,
    }),
    'volume-detached': record({ volume: f.volumeField, client: peer }),
    'replicas-suspended': record({ replicas: list(suspended, SHARDS_NAMED_MAX, 5) }),
    'shard-promoted': record({
      volume: f.volumeField,
      shard: f.shardField,
      server: peer,
      expected: f.epochField,
    }),
    ...volumeChanges(sealed),
  })
}

/** Of each volume all snapshots have the size that it has. */
function haveOneSize(volumes: Iterable<VolumeRecord>): boolean {
  for (const { size, snapshots } of volumes) {
    for (const snapshot of snapshots) if (snapshot.size !== size) return false
  }
  return true
}

export const encodeConfiguration = (value: Configuration): Uint8Array =>
  haveOneSize(value.volumes.values())
    ? encodeDocument(ONE_SIZE_VERSION, version4Configuration, value)
    : encodeDocument(VERSION, configurationBody, value)
export const decodeConfiguration = (bytes: Uint8Array): Configuration =>
  decodeDocument(
    {
      ...{ 1: version1Configuration, 2: version2Configuration, 3: version3Configuration },
      ...{ [ONE_SIZE_VERSION]: version4Configuration, [VERSION]: configurationBody },
    },
    bytes,
  )

export const encodeDelta = (value: Delta): Uint8Array =>
  haveOneSize(value.volumes)
    ? encodeDocument(ONE_SIZE_VERSION, version4Delta, value)
    : encodeDocument(VERSION, deltaBody, value)
export const decodeDelta = (bytes: Uint8Array): Delta =>
  decodeDocument({ [ONE_SIZE_VERSION]: version4Delta, [VERSION]: deltaBody }, bytes)

export function encodeChange(value: Change): Uint8Array {
  const imports =
    value.kind === 'snapshots-created' && value.snapshots.some(one => one.source !== null)
  return imports
    ? encodeDocument(CHANGE_VERSION, changeBody, value)
    : encodeDocument(1, version1Change, value)
}
export const decodeChange = (bytes: Uint8Array): Change =>
  decodeDocument({ 1: version1Change, [CHANGE_VERSION]: changeBody }, bytes)
