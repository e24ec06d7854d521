// The snapshot of a history of format version 1, for reading: the whole configuration at one epoch,
// in the encoding it also has on the wire, as a durable metadata file.
import { isSwarmdiskError, SwarmdiskError } from '../../../base/errors.js'
import type { Disk } from '../../../disk/disk.js'
import { readDurableFile, type DurableFormat } from '../../../disk/durable-file.js'
import type { Configuration } from '../../../layout/configuration.js'
import { decodeConfiguration } from '../../../net/codecs/configuration.js'

const FORMAT: DurableFormat = { magic: 'SDSNAPCF', version: 1 }

/** Null if there is none. */
export async function readSnapshot(disk: Disk, folder: string): Promise<Configuration | null> {
  const content = await readDurableFile(disk, `${folder}/snapshot`, FORMAT)
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
