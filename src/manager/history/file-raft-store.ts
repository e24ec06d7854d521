// The durable half of Raft in the folder `manager` of a data directory: append-only segments, and
// beside them the snapshot with which the newest one begins (src/manager/history/store; bytes in
// docs/on-disk-format-manager.md). Opening converts the history of a release before managers could
// be several. Whoever is told that something is durable finds it after any crash; whoever is told
// nothing finds it whole or not at all.
import { assert } from '../../base/assert.js'
import type { Epoch } from '../../base/brands.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { HISTORY_SEGMENT_BYTES, HISTORY_SEGMENT_RECORDS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Disk } from '../../disk/disk.js'
import type { LogIndex, LogSnapshot, Term } from '../../net/manager-messages.js'
import type { HardState } from '../raft/raft-types.js'
import type { HistoryRecord } from './configuration-history.js'
import type { OpenedRaftStore, RaftBatch, RaftStore } from './raft-store.js'
import { openFormat } from './store/open-format.js'
import { readRecords } from './store/read-records.js'
import { discard, type Recovered } from './store/recover.js'
import { SegmentChain } from './store/segment-chain.js'
import { FOLDER } from './store/segment-file.js'
import { writeMark } from './store/format-mark.js'
import { readSnapshot, snapshotPath, writeSnapshot } from './store/stored-snapshot.js'

export interface FileRaftStoreOptions {
  readonly disk: Disk
  readonly log: Log
}

const BEGINNING = {
  reset: false,
  baseIndex: 0 as LogIndex,
  baseTerm: 0 as Term,
  baseEpoch: 0,
}

export class FileRaftStore implements RaftStore {
  readonly #disk: Disk
  readonly #log: Log
  readonly #chain: SegmentChain
  #hardState: HardState
  #commit: LogIndex
  // Whether the format of this disk is marked; false only before the first write.
  #marked: boolean
  #closed = false
  // What was asked for last; whoever closes us need not know whether it has ended.
  #tail: Promise<void> = Promise.resolve()

  private constructor(options: FileRaftStoreOptions, recovered: Recovered) {
    this.#disk = options.disk
    this.#log = options.log
    this.#chain = new SegmentChain(options.disk, options.log, recovered)
    this.#hardState = recovered.hardState
    this.#commit = recovered.commit
    this.#marked = !this.#chain.empty
  }

  static async open(options: FileRaftStoreOptions): Promise<OpenedRaftStore> {
    const recovered = await openFormat(options.disk, options.log)
    const store = new FileRaftStore(options, recovered)
    await store.#chain.retire()
    const { hardState, snapshot, entries, commit } = recovered
    return { store, start: { hardState, snapshot, entries, commit } }
  }

  persist(batch: RaftBatch): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#chain.broken) throw this.#chain.broken
      const { hardState, snapshot, entries } = batch
      if (!hardState && !snapshot && entries.length === 0) return
      try {
        await this.#write(batch)
      } catch (error) {
        if (isSwarmdiskError(error, 'disk-full')) throw error
        throw this.#chain.break(error)
      }
    })
  }

  get full(): boolean {
    if (this.#chain.empty || this.#commit <= this.#chain.header.baseIndex) return false
    const { entries, bytes } = this.#chain.grown
    return entries >= HISTORY_SEGMENT_RECORDS || bytes >= HISTORY_SEGMENT_BYTES
  }

  compact(snapshot: LogSnapshot): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#chain.broken) throw this.#chain.broken
      const { header, last } = this.#chain
      const { index } = snapshot
      assert(header.baseIndex <= index && index <= last, 'a snapshot of something in the log')
      // With the same one as before it is the log that is made shorter, not what comes before it.
      const write = index > header.baseIndex ? snapshot : null
      const entries = await this.#chain.entriesAfter(index)
      const baseEpoch = await this.#chain.epochAt(index)
      this.#commit = max(this.#commit, index)
      await this.#startFrom(write, async () => {
        const base = { reset: false, baseIndex: index, baseTerm: snapshot.term, baseEpoch }
        const content = { hardState: this.#hardState, commit: this.#commit, entries }
        await this.#chain.start(base, content)
      })
      await this.#chain.retire()
    })
  }

  async snapshot(): Promise<LogSnapshot | null> {
    for (;;) {
      const index = this.#snapshotIndex()
      if (index === 0) return null
      const snapshot = await readSnapshot(this.#disk, index)
      if (snapshot) return snapshot
      assert(index !== this.#snapshotIndex(), 'the snapshot of the newest segment is there')
    }
  }

  records(from: Epoch, last: Epoch, limit: number): Promise<readonly HistoryRecord[]> {
    return readRecords(this.#disk, this.#chain.segments(), { from, last, limit })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    await this.#inOrder(() => {
      this.#closed = true
      return this.#chain.close(this.#commit)
    })
  }

  async #write({ hardState, snapshot, entries, commit }: RaftBatch): Promise<void> {
    await this.#begin()
    const last = entries.at(-1)?.index ?? snapshot?.index ?? this.#chain.last
    // A commit beyond the last entry would say nothing about those that are here.
    const known = commit <= last ? max(this.#commit, commit) : this.#commit
    if (snapshot) {
      await this.#install(snapshot, {
        hardState: hardState ?? this.#hardState,
        commit: max(known, snapshot.index),
        entries,
      })
    } else {
      const [first] = entries
      assert(!first || first.index > this.#commit, 'what is committed is never replaced')
      await this.#chain.append({ hardState, commit: known, entries })
      this.#commit = known
    }
    this.#hardState = hardState ?? this.#hardState
  }

  /** Before the first write of all: the mark of the format comes when there is something. */
  async #begin(): Promise<void> {
    if (this.#marked) return
    if (this.#chain.empty) {
      await this.#disk.makeFolder(FOLDER)
      // Else a power cut could take the folder with all that is in it.
      await this.#disk.syncFolder('')
      const content = { hardState: this.#hardState, commit: this.#commit, entries: [] }
      await this.#chain.start(BEGINNING, content)
    }
    await writeMark(this.#disk)
    this.#marked = true
  }

  /** What is there stays in force until the new segment is, whose first frame is all of the new. */
  async #install(
    snapshot: LogSnapshot,
    content: Pick<RaftBatch, 'entries' | 'commit'> & { readonly hardState: HardState },
  ): Promise<void> {
    const { index, term } = snapshot
    assert(index > this.#commit, 'a snapshot brings what is not known to be committed here')
    await this.#startFrom(snapshot, async () => {
      const base = { reset: true, baseIndex: index, baseTerm: term, baseEpoch: 0 }
      await this.#chain.start(base, content)
    })
    this.#commit = content.commit
    await this.#chain.retire()
  }

  /** Writes the snapshot, starts the segment that begins with it, and drops the one before. */
  async #startFrom(snapshot: LogSnapshot | null, start: () => Promise<void>): Promise<void> {
    const before = this.#snapshotIndex()
    try {
      if (snapshot) await writeSnapshot(this.#disk, snapshot)
      await start()
    } catch (error) {
      // A segment that could not be taken back may need it.
      if (snapshot && !this.#chain.broken) await this.#drop(snapshot.index)
      throw error
    }
    if (before > 0 && before !== this.#snapshotIndex()) await this.#drop(before)
  }

  /** Also what an attempt left, which would take space from a disk that is full. */
  #drop(index: LogIndex): Promise<void> {
    const path = snapshotPath(index)
    return discard(this.#disk, this.#log, [path, `${path}.new`])
  }

  #snapshotIndex(): LogIndex {
    return this.#chain.empty ? (0 as LogIndex) : this.#chain.header.baseIndex
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => {
      assert(!this.#closed, 'the store is open')
      return work()
    })
    this.#tail = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }
}

function max(a: LogIndex, b: LogIndex): LogIndex {
  return a > b ? a : b
}
