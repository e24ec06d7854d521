// VOLUME@NAME, as commands and file names write a snapshot.
import { SwarmdiskError } from '../../base/errors.js'
import { nameProblem } from '../../layout/names.js'

export interface SnapshotName {
  readonly volume: string
  readonly name: string
}

/** What is meant is a snapshot, though its name may be wrong: no volume has an "@" in its name. */
export function isSnapshotName(text: string): boolean {
  return text.includes('@')
}

/** Or 'bad-input'. */
export function parseSnapshotName(text: string): SnapshotName {
  const [volume = '', name, ...more] = text.split('@')
  if (name === undefined || more.length > 0) {
    const found = name === undefined ? 'no' : 'more than one'
    throw new SwarmdiskError(
      'bad-input',
      `A snapshot is written VOLUME@NAME, and ${JSON.stringify(text)} has ${found} "@": ` +
        'write it like data@monday.',
    )
  }
  const problem = nameProblem('volume name', volume) ?? nameProblem('snapshot name', name)
  if (problem === null) return { volume, name }
  throw new SwarmdiskError('bad-input', `${JSON.stringify(text)} is no VOLUME@NAME. ${problem}`)
}

/**
 * Of one or several snapshots that are to be of one point in time: several are only made where that
 * was asked for, since whoever names two by mistake would stop two volumes together.
 */
export function parseSnapshotNames(
  texts: readonly string[],
  { atomic }: { readonly atomic: boolean },
): readonly SnapshotName[] {
  const names = texts.map(parseSnapshotName)
  if (names.length > 1 && !atomic) {
    throw new SwarmdiskError(
      'bad-input',
      `${names.length} snapshots are named: say --atomic to make them at one point in time, or ` +
        'make them one after the other.',
    )
  }
  const twice = names.find(({ volume }, i) => names.findIndex(n => n.volume === volume) !== i)
  if (!twice) return names
  throw new SwarmdiskError(
    'bad-input',
    `Volume "${twice.volume}" is named twice: one point in time needs one snapshot of it.`,
  )
}

export function snapshotText({ volume, name }: SnapshotName): string {
  return `${volume}@${name}`
}
