// One record of the history as bytes (docs/on-disk-format-manager.md), made of the same building
// blocks as messages. A record that does not decode although its checksum matches comes from a
// newer release or from a bug: it is reported as corrupt, never skipped.
import { epoch, EPOCH_LIMIT } from '../../base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import { HISTORY_RECORD_BYTES_MAX, HISTORY_VOTES_MAX } from '../../base/limits.js'
import { decodeChange, encodeChange } from '../../net/codecs/configuration.js'
import * as codec from '../../net/codecs/codec.js'
import type { HistoryRecord, Vote } from './configuration-history.js'

const VERSION = 2
/** Before the version; records of version 1 had neither and began with their epoch, never 0. */
const VERSIONED = 0
/** Far above any sentence that swarmdisk writes. */
const TEXT_BYTES_MAX = 4096

/** With the change already in its own encoding. */
type Stored = Omit<HistoryRecord, 'change'> & { readonly change: Uint8Array }

const recordEpoch = codec.integer(epoch, EPOCH_LIMIT)
const text = codec.sentence(TEXT_BYTES_MAX)
const role = codec.word(['manager', 'storage'])

const vote: codec.Codec<Vote> = codec.record<Vote>({
  voter: text,
  role,
  approve: codec.boolean,
  policy: codec.boolean,
  reason: text,
})
/** Version 1 knew no refusals that --force overrides. */
const voteOfVersion1: codec.Codec<Vote> = codec.mapped(
  codec.record<Omit<Vote, 'policy'>>({ voter: text, role, approve: codec.boolean, reason: text }),
  all => all,
  known => ({ ...known, policy: false }),
)

function storedWith(votes: codec.Codec<Vote>): codec.Codec<Stored> {
  return codec.record<Stored>({
    epoch: recordEpoch,
    at: text,
    proposer: text,
    text,
    votes: codec.list(votes, HISTORY_VOTES_MAX),
    change: codec.bytes(HISTORY_RECORD_BYTES_MAX),
  })
}

const current = storedWith(vote)
const version1 = storedWith(voteOfVersion1)
const byte = codec.plain(0xfc)

const stored: codec.Codec<Stored> = {
  preencode(state, value) {
    byte.preencode(state, VERSIONED)
    byte.preencode(state, VERSION)
    current.preencode(state, value)
  },
  encode(state, value) {
    byte.encode(state, VERSIONED)
    byte.encode(state, VERSION)
    current.encode(state, value)
  },
  decode(state) {
    if (state.buffer?.[state.start] !== VERSIONED) return version1.decode(state)
    byte.decode(state)
    const version = byte.decode(state)
    if (version !== VERSION) codec.malformed(`version ${version} of a record`)
    return current.decode(state)
  },
}

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

/**
 * Without decoding the rest; the epoch follows the version in all versions. 0: there is none, as in
 * the entry with which a leader begins.
 */
export function epochOfRecord(bytes: Uint8Array): number {
  const start = bytes[0] === VERSIONED ? 2 : 0
  try {
    return codec.decodeFrom(recordEpoch, { start, end: bytes.length, buffer: bytes })
  } catch (error) {
    if (!isSwarmdiskError(error)) throw error
    return 0
  }
}
