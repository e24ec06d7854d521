// One record of the history as bytes (docs/on-disk-format-manager.md), made of the same building
// blocks as messages. A record that does not decode although its checksum matches comes from a
// newer release or from a bug: it is reported as corrupt, never skipped.
import { epoch, EPOCH_LIMIT } from '../../base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import { HISTORY_RECORD_BYTES_MAX, HISTORY_VOTES_MAX } from '../../base/limits.js'
import { decodeChange, encodeChange } from '../../net/codecs/configuration.js'
import * as codec from '../../net/codecs/codec.js'
import type { HistoryRecord, Vote } from './configuration-history.js'

/** Far above any sentence that swarmdisk writes. */
const TEXT_BYTES_MAX = 4096

/** With the change already in its own encoding. */
type Stored = Omit<HistoryRecord, 'change'> & { readonly change: Uint8Array }

const vote: codec.Codec<Vote> = codec.record<Vote>({
  voter: codec.sentence(TEXT_BYTES_MAX),
  role: codec.word(['manager', 'storage']),
  approve: codec.boolean,
  reason: codec.sentence(TEXT_BYTES_MAX),
})

const stored: codec.Codec<Stored> = codec.record<Stored>({
  epoch: codec.integer(epoch, EPOCH_LIMIT),
  at: codec.sentence(TEXT_BYTES_MAX),
  proposer: codec.sentence(TEXT_BYTES_MAX),
  text: codec.sentence(TEXT_BYTES_MAX),
  votes: codec.list(vote, HISTORY_VOTES_MAX),
  change: codec.bytes(HISTORY_RECORD_BYTES_MAX),
})

export function encodeRecord(value: HistoryRecord): Uint8Array {
  return codec.encode(stored, { ...value, change: encodeChange(value.change) })
}

export function decodeRecord(bytes: Uint8Array): HistoryRecord {
  try {
    const { change, ...rest } = codec.decode(stored, bytes)
    return { ...rest, change: decodeChange(change) }
  } catch (cause) {
    if (!isSwarmdiskError(cause)) throw cause
    const message =
      `a record of the configuration history cannot be read (${cause.message}); use the release ` +
      'that wrote it, or restore the data directory of the manager from a copy'
    throw new SwarmdiskError('corrupt', message, { cause })
  }
}
