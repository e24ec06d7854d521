// The durable half of Raft on one manager's disk: hard state, log and snapshots (contract; the
// implementation is FileRaftStore in file-raft-store.ts). Calls are made one after the other.
import type { Epoch } from '../../base/brands.js'
import type { LogEntry, LogIndex, LogSnapshot } from '../../net/manager-messages.js'
import type { HardState, RaftStart } from '../raft/raft-types.js'
import type { HistoryRecord } from './configuration-history.js'

export interface RaftBatch {
  readonly hardState: HardState | null
  /** Replaces everything there is, before `entries`. */
  readonly snapshot: LogSnapshot | null
  /** The first may replace an entry that is there, and with it all that follow. */
  readonly entries: readonly LogEntry[]
  /** Committed as far as is known: written along with the rest, never worth a write by itself. */
  readonly commit: LogIndex
}

export interface OpenedRaftStore {
  readonly store: RaftStore
  /** Hard state of term 0, no snapshot and no entries: a manager that has no history yet. */
  readonly start: Omit<RaftStart, 'self' | 'snapshot'> & { readonly snapshot: LogSnapshot | null }
}

export interface RaftStore {
  /**
   * Durable when it resolves. Rejects with 'disk-full' when it is as if nothing had been tried: the
   * same batch may be tried again. Any other SwarmdiskError is the last word: nobody knows what is
   * on the disk, and every later persist() or compact() rejects, too. Reading goes on.
   */
  persist(batch: RaftBatch): Promise<void>
  /** Time for a snapshot: what follows the last one is long, and some of it is committed. */
  readonly full: boolean
  /**
   * Keeps this snapshot, of something applied, and drops old snapshots and entries beyond what
   * `epoch list` shows. Entries behind the snapshot stay readable up to that limit. When it
   * rejects, the log is as it was and goes on, if persist() does.
   */
  compact(snapshot: LogSnapshot): Promise<void>
  /** The newest snapshot, for a follower that is too far behind; null if there is none. */
  snapshot(): Promise<LogSnapshot | null>
  /** Records that are still kept, from this epoch up to `last`, oldest first. */
  records(from: Epoch, last: Epoch, limit: number): Promise<readonly HistoryRecord[]>
  close(): Promise<void>
}
