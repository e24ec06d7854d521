// Volumes as bytes, as part of a configuration; of this version and of all before it.
import type { PeerId } from '../../base/brands.js'
import {
  ALLOCATION_REPLICAS_MAX,
  ATTACHMENTS_MAX,
  DATE_LENGTH_MAX,
  HOST_LENGTH_MAX,
  LAYER_RANGES_MAX,
  LAYERS_MAX,
  REPLICAS_MAX,
  SCHEDULED_SNAPSHOTS_MAX,
  SERVERS_MAX,
  SHARDS_MAX,
  SNAPSHOT_SOURCE_LENGTH_MAX,
  SNAPSHOTS_MAX,
} from '../../base/limits.js'
import type {
  AccessMode,
  Attachment,
  Origin,
  Replica,
  Seal,
  ShardAllocation,
  SnapshotRecord,
  SnapshotSchedule,
  VolumeRecord,
} from '../../layout/configuration.js'
import { FIRST_LAYER, type LayerRange, type LayerRecord } from '../../layout/layers.js'
import { SNAPSHOT_PERIODS } from '../../layout/names.js'
import {
  checked,
  list,
  mapped,
  nullable,
  plain,
  record,
  text,
  word,
  type Codec,
  type Fields,
} from './codec.js'
import * as f from './fields.js'

const layerNumber = checked(f.countField, n => (n === 0 ? 'layer 0' : null))
const layerRange = record<LayerRange>({ first: layerNumber, last: layerNumber })
const layer = record<LayerRecord>({
  id: layerNumber,
  parent: f.countField,
  covers: list(layerRange, LAYER_RANGES_MAX, 2),
})
const snapshotFields = {
  name: f.nameField,
  layer: layerNumber,
  at: text(DATE_LENGTH_MAX),
  epoch: f.epochField,
}
/** Of an imported snapshot. */
export const source = nullable(text(SNAPSHOT_SOURCE_LENGTH_MAX))
const snapshot = record<SnapshotRecord>({ ...snapshotFields, source, size: f.bytesField })
type Version4Snapshot = Omit<SnapshotRecord, 'size'>
const version4Snapshot = record<Version4Snapshot>({ ...snapshotFields, source })
const version3Snapshot: Codec<Version4Snapshot> = mapped(
  record<Omit<Version4Snapshot, 'source'>>(snapshotFields),
  one => one,
  one => ({ ...one, source: null }),
)
const seal = record<Seal>({ epoch: f.epochField, name: f.nameField })
const origin = record<Origin>({
  volume: f.volumeField,
  snapshot: f.nameField,
  layer: layerNumber,
})
const schedule = record<SnapshotSchedule>({
  period: word(SNAPSHOT_PERIODS),
  keep: plain(SCHEDULED_SNAPSHOTS_MAX + 1),
})
export const schedules = list(schedule, SNAPSHOT_PERIODS.length, 2)
const youngerFields = { seal: nullable(seal), origin: nullable(origin), schedules }
export const replicaCount = checked(plain(REPLICAS_MAX + 1), n =>
  n === 0 ? 'no replicas at all' : null,
)

export function replicasCodec(peer: Codec<PeerId>): Codec<readonly Replica[]> {
  const replica = record<Replica>({
    server: peer,
    state: word(['in-sync', 'syncing']),
    incarnation: f.incarnationField,
  })
  return list(sharing(replica), ALLOCATION_REPLICAS_MAX, 3)
}

/**
 * Equal replicas of one document become one object: there are as many as servers, and they are
 * named by a hundred times as many shards, which stay in memory.
 */
function sharing(replica: Codec<Replica>): Codec<Replica> {
  const known = new Map<PeerId, Replica[]>()
  return {
    preencode: (state, value) => replica.preencode(state, value),
    encode: (state, value) => replica.encode(state, value),
    decode(state) {
      const value = replica.decode(state)
      const ofServer = known.get(value.server) ?? []
      if (ofServer.length === 0) known.set(value.server, ofServer)
      const same = ofServer.find(
        one => one.state === value.state && one.incarnation === value.incarnation,
      )
      if (same === undefined) ofServer.push(value)
      return same ?? value
    },
  }
}

export function allocationCodec(peer: Codec<PeerId>): Codec<ShardAllocation> {
  return record<ShardAllocation>({
    epoch: f.epochField,
    generation: f.generationField,
    replicas: replicasCodec(peer),
    stale: list(peer, SERVERS_MAX),
  })
}

const accessMode = word<AccessMode>(['exclusive', 'shared'])
export const attachmentFields = {
  host: text(HOST_LENGTH_MAX),
  mode: accessMode,
  since: text(DATE_LENGTH_MAX),
}

type Version4Volume = Omit<VolumeRecord, 'snapshots'> & {
  readonly snapshots: readonly Version4Snapshot[]
}
type Version3Volume = Omit<Version4Volume, 'origin' | 'schedules'>
type Version2Volume = Omit<Version3Volume, 'layers' | 'snapshots' | 'seal'> & {
  readonly layers: readonly { readonly id: number }[]
}
type Version1Volume = Omit<Version2Volume, 'attachments'>

const NO_CLONE = { origin: null, schedules: [] } as const
/** What was written before there were snapshots has one layer. */
const ONE_LAYER = { layers: [FIRST_LAYER], snapshots: [], seal: null, ...NO_CLONE } as const

export function version1Volume(peer: Codec<PeerId>): Codec<VolumeRecord> {
  return mapped(
    record<Version1Volume>(olderVolumeFields(peer)),
    volume => volume,
    volume => ({ ...volume, ...ONE_LAYER, attachments: [] }),
  )
}

export function version2Volume(peer: Codec<PeerId>): Codec<VolumeRecord> {
  return mapped(
    record<Version2Volume>({
      ...olderVolumeFields(peer),
      attachments: list(attachmentCodec(peer), ATTACHMENTS_MAX, 4),
    }),
    volume => volume,
    volume => ({ ...volume, ...ONE_LAYER }),
  )
}

export function version3Volume(peer: Codec<PeerId>): Codec<VolumeRecord> {
  return mapped(
    record<Version3Volume>({
      ...layeredVolumeFields(peer),
      snapshots: list(version3Snapshot, SNAPSHOTS_MAX, 4),
      seal: nullable(seal),
    }),
    volume => volume,
    volume => ({ ...ofOneSize(volume), ...NO_CLONE }),
  )
}

export function version4Volume(peer: Codec<PeerId>): Codec<VolumeRecord> {
  return mapped(
    record<Version4Volume>({
      ...layeredVolumeFields(peer),
      snapshots: list(version4Snapshot, SNAPSHOTS_MAX, 4),
      ...youngerFields,
    }),
    volume => volume,
    ofOneSize,
  )
}

/** No volume had grown when this was written. */
function ofOneSize<V extends Pick<Version4Volume, 'size' | 'snapshots'>>(
  volume: V,
): Omit<V, 'snapshots'> & Pick<VolumeRecord, 'snapshots'> {
  const { size } = volume
  return { ...volume, snapshots: volume.snapshots.map(one => ({ ...one, size })) }
}

export function volumeCodec(peer: Codec<PeerId>): Codec<VolumeRecord> {
  return record<VolumeRecord>({
    ...layeredVolumeFields(peer),
    snapshots: list(snapshot, SNAPSHOTS_MAX, 5),
    ...youngerFields,
  })
}

function layeredVolumeFields(
  peer: Codec<PeerId>,
): Fields<Omit<Version3Volume, 'snapshots' | 'seal'>> {
  return {
    ...volumeFields,
    layers: list(layer, LAYERS_MAX, 3),
    shards: list(allocationCodec(peer), SHARDS_MAX, 4),
    attachments: list(attachmentCodec(peer), ATTACHMENTS_MAX, 4),
  }
}

function attachmentCodec(peer: Codec<PeerId>): Codec<Attachment> {
  return record<Attachment>({ client: peer, ...attachmentFields })
}

const volumeFields = {
  id: f.volumeField,
  name: f.nameField,
  size: f.bytesField,
  replicas: replicaCount,
  minInSync: replicaCount,
  created: f.epochField,
}

function olderVolumeFields(peer: Codec<PeerId>): Fields<Version1Volume> {
  const onlyLayer = checked(f.countField, n => (n === 1 ? null : `layer ${n}`))
  return {
    ...volumeFields,
    layers: list(record<{ readonly id: number }>({ id: onlyLayer }), 1),
    shards: list(allocationCodec(peer), SHARDS_MAX, 4),
  }
}
