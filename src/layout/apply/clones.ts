// Clones (design §6). A clone is a volume of its own from the first epoch on: its tree of layers
// begins with those of the snapshot, and its allocations are those of the origin. Servers that hold
// the origin in-sync have those frozen layers complete, so they are in-sync with the clone as well:
// nothing is copied.
import { generation, volumeId, type Epoch } from '../../base/brands.js'
import { VOLUMES_MAX } from '../../base/limits.js'
import type { ChangeOf } from '../change.js'
import type { Configuration, ShardAllocation, VolumeRecord } from '../configuration.js'
import { branch } from '../layers.js'
import { nameProblem } from '../names.js'
import { isRefusal, refuse, type Refusal } from '../outcome.js'
import { eachVolume, snapshotOf, withoutSpareLayers } from './snapshots.js'

export function volumeCloned(
  before: Configuration,
  change: ChangeOf<'volume-cloned'>,
  epoch: Epoch,
): Configuration | Refusal {
  const parent = before.volumes.get(change.volume)
  if (parent === undefined) {
    return refuse(
      'no-such-volume',
      `There is no volume number ${change.volume}: it may be deleted.`,
    )
  }
  const found = snapshotOf(parent, change.snapshot)
  if (isRefusal(found)) return found
  const problem = newNameProblem(before, change.name)
  if (problem !== null) return problem
  const { replicas, minInSync } = parent
  const { size } = found
  const id = before.nextVolume
  const volume: VolumeRecord = {
    ...{ id, name: change.name, size, replicas, minInSync, created: epoch },
    layers: branch(parent.layers, found.layer),
    shards: parent.shards.map(shard => begun(shard, epoch)),
    ...{ attachments: [], snapshots: [], seal: null, schedules: [] },
    origin: { volume: parent.id, snapshot: found.name, layer: found.layer },
  }
  const volumes = new Map(before.volumes).set(id, volume)
  return { ...before, epoch, volumes, nextVolume: volumeId(id + 1) }
}

/** Old copies of the origin are none of the clone. */
function begun({ replicas }: ShardAllocation, epoch: Epoch): ShardAllocation {
  return { epoch, generation: generation(0), replicas, stale: [] }
}

/** What is wrong with the name of one volume more. */
export function newNameProblem(before: Configuration, name: string): Refusal | null {
  const named = nameProblem('volume name', name)
  if (named !== null) return refuse('bad-name', named)
  for (const volume of before.volumes.values()) {
    if (volume.name !== name) continue
    return refuse('name-taken', `There is a volume "${name}" already: choose another name.`)
  }
  if (before.volumes.size < VOLUMES_MAX) return null
  return refuse('too-many', `The cluster has ${VOLUMES_MAX} volumes: delete one first.`)
}

export function volumeFlattened(
  before: Configuration,
  change: ChangeOf<'volume-flattened'>,
  epoch: Epoch,
): Configuration | Refusal {
  return eachVolume(before, { of: [change], epoch }, volume => {
    if (volume.origin === null) {
      return refuse('no-change', `Volume "${volume.name}" is not a clone, or is flattened already.`)
    }
    if (volume.seal !== null) {
      return refuse('sealed', `A snapshot of volume "${volume.name}" is being made: try again.`)
    }
    return withoutSpareLayers({ ...volume, origin: null }, epoch)
  })
}
