// A snapshot as a stream: what changed since another one, or all that is no hole.
import { byteCount, byteOffset } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import type { Configuration, SnapshotRecord, VolumeRecord } from '../../layout/configuration.js'
import { identityOf, isMark } from '../../snapshot/identity.js'
import type { ClusterVolumeDriver } from '../driver.js'
import { snapshotGone } from '../snapshot/snapshot-line.js'
import type { ChangedRange } from '../snapshot/volume-changes.js'
import { ExportEncoder, type ExportHeader } from './export-format.js'
import { readParts } from './pieces.js'

export interface SnapshotPlace {
  readonly volume: VolumeRecord
  readonly snapshot: SnapshotRecord
}

/** Or 'not-found'. */
export function findSnapshot(
  configuration: Configuration,
  name: { readonly volume: string; readonly name: string },
): SnapshotPlace {
  const volume = findVolume(configuration, name.volume)
  const snapshot = volume.snapshots.find(one => one.name === name.name)
  if (snapshot) return { volume, snapshot }
  throw new SwarmdiskError(
    'not-found',
    `Volume ${name.volume} has no snapshot "${name.name}": see "swarmdisk snapshot list".`,
  )
}

/** Or 'not-found'. */
export function findVolume({ volumes }: Configuration, name: string): VolumeRecord {
  const volume = [...volumes.values()].find(one => one.name === name)
  if (volume) return volume
  throw new SwarmdiskError(
    'not-found',
    `There is no volume "${name}": see "swarmdisk volume list".`,
  )
}

export interface SnapshotExport {
  readonly header: ExportHeader
  readonly encoder: ExportEncoder
  /** `reached`: up to where in the volume. */
  stream(reached: (offset: number) => void): AsyncGenerator<Uint8Array>
}

export function exportSnapshot(
  driver: ClusterVolumeDriver,
  configuration: Configuration,
  { to, from }: { readonly to: SnapshotPlace; readonly from: SnapshotPlace | null },
): SnapshotExport {
  const { volume, snapshot } = to
  const identity = (one: SnapshotRecord): string => {
    if (!isMark(one.source)) return identityOf({ ...configuration, volume: volume.id }, one)
    throw new SwarmdiskError(
      'bad-input',
      `Snapshot ${volume.name}@${one.name} is the mark of an import that has not ended: complete ` +
        'that first.',
    )
  }
  const encoder = new ExportEncoder()
  const header: ExportHeader = {
    size: snapshot.size,
    identity: identity(snapshot),
    name: snapshot.name,
    from: from ? identity(from.snapshot) : null,
  }
  return {
    header,
    encoder,
    async *stream(reached) {
      const opened = driver.openSnapshot(volume.name, snapshot.name)
      const ends = { from: from?.snapshot ?? null, to: snapshot }
      const ranges = rangesOf(driver, volume, ends)
      if (!opened) throw gone(to)
      yield encoder.header(header)
      for await (const { offset, length, content } of readParts(opened, ranges)) {
        if (content) yield* encoder.data(offset, content)
        // A full one is put on holes.
        else if (from !== null) yield encoder.zeroes(offset, length)
        reached(offset + length)
      }
      yield encoder.end()
    },
  }
}

/** As far as the later end reaches, of which an earlier one may have been shorter. */
export function rangesOf(
  driver: ClusterVolumeDriver,
  { name, size: head }: VolumeRecord,
  ends: { readonly from: SnapshotRecord | null; readonly to: SnapshotRecord | null },
): AsyncGenerator<ChangedRange> {
  const size = ends.to?.size ?? head
  const changes = driver.changes(name, ends)
  if (!changes) {
    throw new SwarmdiskError('not-found', `Volume ${name} does not exist any more.`)
  }
  return changes.ranges({ offset: byteOffset(0), length: byteCount(size) })
}

function gone({ volume, snapshot }: SnapshotPlace): SwarmdiskError {
  const { name, layer } = snapshot
  return snapshotGone({ volume: volume.id, volumeName: volume.name, snapshot: name, layer })
}
