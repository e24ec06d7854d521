// What a benchmark measures: a volume, or a snapshot of one, as a client of the cluster has it.
import { SwarmdiskError } from '../../base/errors.js'
import { EXTENT_BYTES } from '../../base/limits.js'
import type { Configuration } from '../../layout/configuration.js'
import type { ClusterVolumeDriver } from '../driver.js'
import { findSnapshot, findVolume } from '../transfer/export-snapshot.js'
import type { Reader } from '../transfer/pieces.js'
import type { OpenVolume } from '../volume-driver.js'
import type { DataPlace } from './find-data.js'

export interface BenchSubject {
  readonly place: DataPlace
  readonly reader: Reader
  /** The same, to be written; null: a snapshot, which nobody writes. */
  readonly volume: Pick<OpenVolume, 'attach' | 'read' | 'write' | 'flush'> | null
}

export interface SubjectName {
  readonly volume: string
  /** Null: the volume as it is. */
  readonly snapshot: string | null
}

/** Or 'not-found'. */
export function benchSubject(
  driver: ClusterVolumeDriver,
  configuration: Configuration,
  { volume: name, snapshot }: SubjectName,
): BenchSubject {
  const record = findVolume(configuration, name)
  const to =
    snapshot === null
      ? null
      : findSnapshot(configuration, { volume: name, name: snapshot }).snapshot
  const volume = to === null ? driver.open(name) : null
  const reader = to === null ? volume : driver.openSnapshot(name, to.name)
  const changes = driver.changes(name, { from: null, to })
  if (!reader || !changes) {
    throw new SwarmdiskError('not-found', `Volume ${name} does not exist any more.`)
  }
  const stripe = record.shards.length * EXTENT_BYTES
  const ranges = changes.ranges.bind(changes)
  return { place: { size: record.size, stripe, ranges }, reader, volume }
}
