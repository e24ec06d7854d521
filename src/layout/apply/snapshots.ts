// Snapshots (design §6). One is made in two epochs: the first seals the volumes, the second freezes
// their heads. Whenever the layers of a volume change, all its shards get a new allocation: so what
// replicas compare and copy is always of the same layers, and no request of before is executed in a
// layer that is frozen by now.
import { isRefusal, refuse, type Refusal } from '../outcome.js'
import type { Epoch } from '../../base/brands.js'
import { SNAPSHOTS_MAX } from '../../base/limits.js'
import type { ChangeOf, SealedVolume, SnapshotName } from '../change.js'
import type { Configuration, SnapshotRecord, VolumeRecord } from '../configuration.js'
import { freeze, headOf, prune, rollBack } from '../layers.js'
import { nameProblem } from '../names.js'
import { fenced, holdersText } from './attachments.js'
import { dateProblem } from './dates.js'

export function volumesSealed(
  before: Configuration,
  { snapshots }: ChangeOf<'volumes-sealed'>,
  epoch: Epoch,
): Configuration | Refusal {
  const asked = new Set(snapshots.map(({ volume }) => volume))
  if (asked.size !== snapshots.length || asked.size === 0) {
    return refuse('bad-name', 'A snapshot is made of volumes, each named once: name them so.')
  }
  return eachVolume(before, { of: snapshots, epoch }, (volume, { name }) => {
    const problem = snapshotProblem(volume, name)
    return problem ?? { ...volume, seal: { epoch, name } }
  })
}

/** Also asked before anything is sealed. */
export function snapshotProblem(volume: VolumeRecord, name: string): Refusal | null {
  const named = nameProblem('snapshot name', name)
  if (named !== null) return refuse('bad-name', named)
  if (volume.seal !== null) {
    return refuse(
      'sealed',
      `Snapshot "${volume.seal.name}" of volume "${volume.name}" is being made: try again.`,
    )
  }
  if (volume.snapshots.some(known => known.name === name)) {
    return refuse(
      'name-taken',
      `Volume "${volume.name}" has a snapshot "${name}" already: choose another name.`,
    )
  }
  if (volume.snapshots.length < SNAPSHOTS_MAX) return null
  const { length } = volume.snapshots
  return refuse('too-many', `Volume "${volume.name}" has ${length} snapshots: delete some first.`)
}

export function snapshotsCreated(
  before: Configuration,
  { snapshots, sealed, at }: ChangeOf<'snapshots-created'>,
  epoch: Epoch,
): Configuration | Refusal {
  const problem = dateProblem('a snapshot', at)
  if (problem !== null) return problem
  return eachVolume(before, { of: snapshots, epoch }, (volume, { name, shards, source }) => {
    const changed = volume.shards.some((shard, i) => shard.epoch !== shards[i])
    if (volume.seal?.epoch !== sealed || volume.seal.name !== name || changed) {
      const reason = `Volume "${volume.name}" is not sealed as it was: make the snapshot again.`
      return refuse('outdated', reason)
    }
    const { id: layer } = headOf(volume.layers)
    const { size } = volume
    const snapshot: SnapshotRecord = { name, layer, at, epoch, size, source }
    const next = { ...volume, seal: null, snapshots: [...volume.snapshots, snapshot] }
    return fenced({ ...next, layers: freeze(volume.layers) }, epoch)
  })
}

export function sealsLifted(
  before: Configuration,
  { volumes }: ChangeOf<'seals-lifted'>,
  epoch: Epoch,
): Configuration | Refusal {
  const of = volumes.map(volume => ({ volume }))
  return eachVolume(before, { of, epoch }, volume =>
    volume.seal === null
      ? refuse('no-change', `Volume "${volume.name}" is not sealed.`)
      : { ...volume, seal: null },
  )
}

export function snapshotDeleted(
  before: Configuration,
  change: ChangeOf<'snapshot-deleted'>,
  epoch: Epoch,
): Configuration | Refusal {
  return eachVolume(before, { of: [change], epoch }, (volume, { name }) => {
    const found = snapshotOf(volume, name)
    if (isRefusal(found)) return found
    const clones = [...before.volumes.values()].filter(
      ({ origin }) => origin?.volume === volume.id && origin.snapshot === name,
    )
    if (clones.length > 0) {
      const them = clones.map(clone => `"${clone.name}"`).join(', ')
      return refuse(
        'in-use',
        `Snapshot "${volume.name}@${name}" is the origin of ${them}: flatten or delete that first.`,
      )
    }
    const snapshots = volume.snapshots.filter(one => one !== found)
    return withoutSpareLayers({ ...volume, snapshots }, epoch)
  })
}

export function volumeRolledBack(
  before: Configuration,
  change: ChangeOf<'volume-rolled-back'>,
  epoch: Epoch,
): Configuration | Refusal {
  return eachVolume(before, { of: [change], epoch }, (volume, { name }) => {
    const found = snapshotOf(volume, name)
    if (isRefusal(found)) return found
    const { attachments, layers, seal } = volume
    if (attachments.length > 0) {
      const holders = holdersText(attachments)
      return refuse(
        'in-use',
        `Volume "${volume.name}" is attached ${holders}: detach it there first.`,
      )
    }
    if (seal !== null) {
      return refuse('sealed', `A snapshot of volume "${volume.name}" is being made: try again.`)
    }
    const back = rollBack(layers, { to: found.layer, named: needed(volume) })
    // The size stays: what the snapshot did not have is nowhere in its layers, and reads as zeroes.
    return fenced({ ...volume, layers: back }, epoch)
  })
}

/** Without the layers that it does not need any more. */
export function withoutSpareLayers(volume: VolumeRecord, epoch: Epoch): VolumeRecord {
  return fenced({ ...volume, layers: prune(volume.layers, needed(volume)) }, epoch)
}

/** What a snapshot shows, and what a clone began with: it shares the files of that. */
function needed({ layers, snapshots, origin }: VolumeRecord): ReadonlySet<number> {
  const inherited = layers.filter(({ id }) => origin !== null && id <= origin.layer)
  return new Set([...inherited.map(({ id }) => id), ...snapshots.map(({ layer }) => layer)])
}

export function snapshotOf(volume: VolumeRecord, name: string): SnapshotRecord | Refusal {
  const found = volume.snapshots.find(snapshot => snapshot.name === name)
  if (found) return found
  return refuse(
    'no-such-snapshot',
    `Volume "${volume.name}" has no snapshot "${name}": see \`swarmdisk snapshot list\`.`,
  )
}

/** The next configuration, in which these volumes are changed; refused if one of them is. */
export function eachVolume<T extends Pick<SnapshotName | SealedVolume, 'volume'>>(
  before: Configuration,
  { of, epoch }: { readonly of: readonly T[]; readonly epoch: Epoch },
  change: (volume: VolumeRecord, asked: T) => VolumeRecord | Refusal,
): Configuration | Refusal {
  const volumes = new Map(before.volumes)
  for (const asked of of) {
    const volume = volumes.get(asked.volume)
    if (volume === undefined) {
      const reason = `There is no volume number ${asked.volume}: it may be deleted.`
      return refuse('no-such-volume', reason)
    }
    const next = change(volume, asked)
    if (isRefusal(next)) return next
    volumes.set(volume.id, next)
  }
  return { ...before, epoch, volumes }
}
