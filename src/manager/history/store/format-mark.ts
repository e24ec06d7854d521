// The mark that says in which format the history of this disk is: the file `snapshot` with version
// 2. It is written last when a history of version 1 has been converted, and takes the place of the
// snapshot of that history, so one of the two always counts and never both. A release that knows
// version 1 only finds there a snapshot that is too new for it, says so and does not start.
import type { Disk } from '../../../disk/disk.js'
import {
  readDurableFile,
  writeDurableFile,
  type DurableFormat,
} from '../../../disk/durable-file.js'
import { FOLDER } from './segment-file.js'

const PATH = `${FOLDER}/snapshot`
const FORMAT: DurableFormat = { magic: 'SDSNAPCF', version: 2 }

/** False: there is no history, or one of version 1. */
export async function isMarked(disk: Disk): Promise<boolean> {
  const content = await readDurableFile(disk, PATH, FORMAT)
  return content?.version === FORMAT.version
}

export async function writeMark(disk: Disk): Promise<void> {
  await writeDurableFile(disk, PATH, { format: FORMAT, payload: new Uint8Array(0) })
}
