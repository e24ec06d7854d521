// What one frame of the replicated log holds: what a manager must not forget, if it has changed,
// how far it knows the log to be committed, and entries.
import { isSwarmdiskError } from '../../../base/errors.js'
import { HISTORY_RECORD_BYTES_MAX, MANAGERS_MAX } from '../../../base/limits.js'
import * as codec from '../../../net/codecs/codec.js'
import { peerField } from '../../../net/codecs/fields.js'
import type { LogEntry, LogIndex, Term } from '../../../net/manager-messages.js'
import type { HardState } from '../../raft/raft-types.js'

export interface FrameContent {
  /** Null: as the frame before says. */
  readonly hardState: HardState | null
  readonly commit: LogIndex
  /** The first may have the index of one that is there: it and all after it are replaced. */
  readonly entries: readonly LogEntry[]
}

/** Indexes follow each other; the first stands in the header of the frame. */
type Stored = Omit<LogEntry, 'index'>
type StoredContent = Omit<FrameContent, 'entries'> & { readonly entries: readonly Stored[] }

export const termField = codec.integer((n: number) => n as Term, Number.MAX_SAFE_INTEGER)
export const indexField = codec.integer((n: number) => n as LogIndex, Number.MAX_SAFE_INTEGER)
export const membersField = codec.list(peerField, MANAGERS_MAX, 32)

/** As many as the header of a frame can count. */
const ENTRIES_LIMIT = 2 ** 32

export const payload: codec.Codec<StoredContent> = codec.record<StoredContent>({
  hardState: codec.nullable(
    codec.record<HardState>({ term: termField, vote: codec.nullable(peerField) }),
  ),
  commit: indexField,
  entries: codec.list(
    codec.record<Stored>({
      term: termField,
      members: codec.nullable(membersField),
      data: codec.bytes(HISTORY_RECORD_BYTES_MAX),
    }),
    ENTRIES_LIMIT,
    3,
  ),
})

/** Null if the bytes are not what an encoder of this version wrote. */
export function decodePayload(bytes: Uint8Array, first: LogIndex): FrameContent | null {
  try {
    const { entries, ...rest } = codec.decode(payload, bytes)
    return {
      ...rest,
      entries: entries.map((entry, i) => ({ index: (first + i) as LogIndex, ...entry })),
    }
  } catch (error) {
    if (!isSwarmdiskError(error)) throw error
    return null
  }
}
