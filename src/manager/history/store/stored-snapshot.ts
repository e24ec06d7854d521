// Snapshots of the replicated log, `snapshot-<index>`: durable metadata files, each the state after
// the entry of that index. The newest segment names the one that counts; others mean nothing.
import { isSwarmdiskError, SwarmdiskError } from '../../../base/errors.js'
import { DURABLE_FILE_BYTES_MAX } from '../../../base/limits.js'
import type { Disk } from '../../../disk/disk.js'
import {
  readDurableFile,
  writeDurableFile,
  type DurableFormat,
} from '../../../disk/durable-file.js'
import * as codec from '../../../net/codecs/codec.js'
import type { LogIndex, LogSnapshot } from '../../../net/manager-messages.js'
import { indexField, membersField, termField } from './frame-content.js'
import { damaged, FOLDER } from './segment-file.js'

const FORMAT: DurableFormat = { magic: 'SDSNAPRF', version: 1 }
const NAME = /^snapshot-(\d{10,})$/

const stored: codec.Codec<LogSnapshot> = codec.record<LogSnapshot>({
  index: indexField,
  term: termField,
  members: membersField,
  data: codec.bytes(DURABLE_FILE_BYTES_MAX),
})

export function snapshotPath(index: LogIndex): string {
  return `${FOLDER}/snapshot-${String(index).padStart(10, '0')}`
}

/** Paths of all snapshots but one, and of what attempts to write one have left. */
export function otherSnapshots(names: readonly string[], index: LogIndex): readonly string[] {
  return names
    .filter(name => NAME.test(name.replace(/\.new$/, '')))
    .map(name => `${FOLDER}/${name}`)
    .filter(path => path !== snapshotPath(index))
}

export async function writeSnapshot(disk: Disk, snapshot: LogSnapshot): Promise<void> {
  const payload = codec.encode(stored, snapshot)
  await writeDurableFile(disk, snapshotPath(snapshot.index), { format: FORMAT, payload })
}

/** Null if there is none. */
export async function readSnapshot(disk: Disk, index: LogIndex): Promise<LogSnapshot | null> {
  const path = snapshotPath(index)
  const content = await readDurableFile(disk, path, FORMAT)
  if (!content) return null
  try {
    const snapshot = codec.decode(stored, content.payload)
    if (snapshot.index !== index) throw damaged(path, 'its name and its content disagree')
    return snapshot
  } catch (cause) {
    if (!isSwarmdiskError(cause, 'protocol')) throw cause
    const message =
      `${path} cannot be read (${cause.message}); use the release that wrote it, or restore the ` +
      'data directory of the manager from a copy'
    throw new SwarmdiskError('corrupt', message, { cause })
  }
}
