// The snapshot of the history: the whole configuration at one epoch, in the encoding it also has on
// the wire, as a durable metadata file. Records up to that epoch need not be replayed.
import { isSwarmdiskError, SwarmdiskError } from '../../../base/errors.js'
import type { Disk } from '../../../disk/disk.js'
import {
  readDurableFile,
  writeDurableFile,
  type DurableFormat,
} from '../../../disk/durable-file.js'
import type { Configuration } from '../../../layout/configuration.js'
import { decodeConfiguration, encodeConfiguration } from '../../../net/codecs/configuration.js'

const FORMAT: DurableFormat = { magic: 'SDSNAPCF', version: 1 }

const pathIn = (folder: string): string => `${folder}/snapshot`

export async function writeSnapshot(
  disk: Disk,
  folder: string,
  configuration: Configuration,
): Promise<void> {
  const payload = encodeConfiguration(configuration)
  await writeDurableFile(disk, pathIn(folder), { format: FORMAT, payload })
}

/** Null if there is none. */
export async function readSnapshot(disk: Disk, folder: string): Promise<Configuration | null> {
  const content = await readDurableFile(disk, pathIn(folder), FORMAT)
  if (!content) return null
  try {
    return decodeConfiguration(content.payload)
  } catch (cause) {
    if (!isSwarmdiskError(cause)) throw cause
    const message =
      `the snapshot of the configuration cannot be read (${cause.message}); use the release ` +
      'that wrote it, or restore the data directory of the manager from a copy'
    throw new SwarmdiskError('corrupt', message, { cause })
  }
}
