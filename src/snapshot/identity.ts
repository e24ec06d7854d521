// By what a snapshot is known in every cluster that has it. A layer number is never used again, so
// cluster, volume and layer name one content for ever; a snapshot that was imported keeps the
// identity with which it came. An import that is under way has a mark, a snapshot of what it began
// with, whose source tells what that was. Pure.
import type { ClusterId, VolumeId } from '../base/brands.js'
import { SNAPSHOT_SOURCE_LENGTH_MAX } from '../base/limits.js'
import type { SnapshotRecord } from '../layout/configuration.js'

const MARK = 'importing/'
/** Of a full export: it begins with a volume of holes. */
const NOTHING = 'nothing'

/** So that the mark of an import that begins with it fits its field, too. */
export const IDENTITY_LENGTH_MAX = SNAPSHOT_SOURCE_LENGTH_MAX - MARK.length

export function identityOf(
  place: { readonly cluster: ClusterId; readonly volume: VolumeId },
  { source, layer }: Pick<SnapshotRecord, 'source' | 'layer'>,
): string {
  return source ?? `${place.cluster}/${place.volume}/${layer}`
}

/** What is wrong with it; null if nothing is. */
export function identityProblem(identity: string): string | null {
  if (identity.length > IDENTITY_LENGTH_MAX) return 'is too long'
  if (!/^[A-Za-z0-9/._-]+$/.test(identity)) return 'has characters that no identity has'
  return isMark(identity) ? 'is that of an import which was broken off' : null
}

/** The source of the snapshot that marks an import. */
export function importMark(from: string | null): string {
  return MARK + (from ?? NOTHING)
}

export function isMark(source: string | null): boolean {
  return source?.startsWith(MARK) ?? false
}
