// The segments on the disk, and the newest one, which grows. Each segment begins with everything
// that is not in its snapshot (the hard state, and entries beyond the snapshot once more), so the
// newest one alone is the state, and of an older one those entries count that are in the snapshot
// with which the next begins: they are committed and never replaced.
import { assert } from '../../../base/assert.js'
import { isSwarmdiskError, SwarmdiskError } from '../../../base/errors.js'
import { HISTORY_BYTES_KEPT, HISTORY_RECORDS_KEPT } from '../../../base/limits.js'
import type { Log } from '../../../base/log.js'
import type { Disk, DiskFile } from '../../../disk/disk.js'
import { writeReplacing } from '../../../disk/durable-file.js'
import type { LogEntry, LogIndex } from '../../../net/manager-messages.js'
import { epochOfRecord } from '../history-record.js'
import type { FrameContent } from './frame-content.js'
import { FrameIndex } from './frame-index.js'
import type { Growth, Recovered, Segment } from './recover.js'
import { encodeFrame, frameAt, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-format.js'
import { encodeSegment, FOLDER, openExisting, readFrame, segmentPath } from './segment-file.js'

export class SegmentChain {
  readonly #disk: Disk
  readonly #log: Log
  // Oldest first.
  readonly #segments: Segment[]
  // Of the newest segment; null if there is none.
  #file: DiskFile | null
  #grown: Growth
  // Whether damage to the last frame would be told from a write that a crash has torn.
  #sealed: boolean
  // Files of segments before a reset that could not be removed yet.
  readonly #void: string[]
  // Set when nobody can know what is on the disk.
  #broken: SwarmdiskError | null = null

  constructor(disk: Disk, log: Log, { segments, voided, file, grown, sealed }: Recovered) {
    this.#disk = disk
    this.#log = log
    this.#segments = [...segments]
    this.#void = [...voided]
    this.#file = file
    this.#grown = { ...grown }
    this.#sealed = sealed
  }

  /** Oldest first, as they are now. */
  segments(): readonly Segment[] {
    return [...this.#segments]
  }

  get empty(): boolean {
    return this.#segments.length === 0
  }

  /** Of the newest segment. */
  get header(): SegmentHeader {
    return this.#newest().header
  }

  /** Of the newest entry, or of the snapshot if there is none behind it. */
  get last(): LogIndex {
    return this.#indexOfNewest().last
  }

  get grown(): Readonly<Growth> {
    return this.#grown
  }

  get broken(): SwarmdiskError | null {
    return this.#broken
  }

  /** Nothing can be written any more until somebody opens the files again. */
  break(cause: unknown): SwarmdiskError {
    if (!isSwarmdiskError(cause)) throw cause
    const message =
      `the configuration history could not be written (${cause.message}); ` +
      'no change is possible until the disk is repaired and the manager started again'
    this.#broken ??= new SwarmdiskError('disk-error', message, { cause })
    return this.#broken
  }

  /** One write, one sync. If the disk is full, it is as if nothing had been tried. */
  async append(content: FrameContent): Promise<void> {
    const index = this.#indexOfNewest()
    const segment = this.#newest()
    const [first] = content.entries
    assert(!first || index.accepts(first.index), 'entries continue the log, or replace its end')
    const frame = encodeFrame(content)
    await this.#write(segment, frame)
    const reference = frameAt(frame, 0)
    assert(reference, 'what was encoded decodes')
    index.add({ ...reference, position: segment.bytes })
    segment.bytes += frame.byteLength
    this.#grown.entries += content.entries.length
    this.#grown.bytes += frame.byteLength
    this.#sealed = false
  }

  /** Starts a segment whose first frame is this; whole and durable, or not there at all. */
  async start(base: Omit<SegmentHeader, 'number'>, content: FrameContent): Promise<void> {
    const [first] = content.entries
    assert(!first || first.index === base.baseIndex + 1, 'entries continue the snapshot')
    const number = (this.#segments.at(-1)?.header.number ?? 0) + 1
    const header: SegmentHeader = { ...base, number }
    const path = segmentPath(number)
    const bytes = encodeSegment(header, [content])
    const file = await this.#create(path, bytes)
    const before = this.#file
    const index = new FrameIndex(header.baseIndex)
    const frame = frameAt(bytes, SEGMENT_HEADER_BYTES)
    assert(frame, 'what was encoded decodes')
    index.add(frame)
    if (header.reset) this.#void.push(...this.#segments.splice(0).map(({ path: old }) => old))
    this.#segments.push({ path, header, bytes: bytes.byteLength, index })
    this.#file = file
    this.#grown = { entries: 0, bytes: 0 }
    this.#sealed = true
    await this.#letGo(before)
  }

  /** Removes the oldest segments while the others hold enough records, or too many bytes. */
  async retire(): Promise<void> {
    try {
      while (this.#void[0] !== undefined) {
        await this.#remove(this.#void[0])
        this.#void.shift()
      }
      // One at a time: a gap between segments is a sign of damage.
      for (;;) {
        const [oldest, next] = this.#segments
        if (!oldest || !next || !this.#enoughFrom(next)) return
        await this.#remove(oldest.path)
        this.#segments.shift()
      }
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#log.warn('an old part of the history could not be removed', { error: error.message })
    }
  }

  /** Those of the newest segment behind this index. */
  async entriesAfter(index: LogIndex): Promise<readonly LogEntry[]> {
    const found: LogEntry[] = []
    for (const frame of this.#indexOfNewest().frames()) {
      if (frame.first + frame.count - 1 <= index) continue
      const { entries } = await readFrame(this.#open(), frame, this.#newest().path)
      for (const entry of entries) if (entry.index > index) found.push(entry)
    }
    return found
  }

  /** Of the newest record up to this index; 0 if there is none or it is not known. */
  async epochAt(index: LogIndex): Promise<number> {
    const segment = this.#newest()
    for (const frame of this.#indexOfNewest().frames().reverse()) {
      if (frame.first > index || frame.epoch === 0) continue
      const { entries } = await readFrame(this.#open(), frame, segment.path)
      const record = entries.findLast(entry => entry.index <= index && entry.data.byteLength > 0)
      if (record) return epochOfRecord(record.data)
    }
    return segment.header.baseEpoch
  }

  /** Behind a last frame without entries, later damage to others shows for what it is. */
  async close(commit: LogIndex): Promise<void> {
    try {
      if (!this.#sealed && !this.#broken) {
        await this.append({ hardState: null, commit, entries: [] })
      }
    } catch (error) {
      // Nobody waits for it, least of all one who stops the manager because the disk is full.
      if (!isSwarmdiskError(error)) throw error
      this.#log.warn('the history has no mark of a clean stop', { error: error.message })
    }
    const file = this.#file
    this.#file = null
    await this.#letGo(file)
  }

  /** Everything in it is durable. */
  async #letGo(file: DiskFile | null): Promise<void> {
    try {
      await file?.close()
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#log.warn('a file of the history could not be closed', { error: error.message })
    }
  }

  async #write(segment: Segment, frame: Uint8Array): Promise<void> {
    const file = this.#open()
    try {
      await file.write(frame, segment.bytes)
    } catch (error) {
      if (!isSwarmdiskError(error, 'disk-full')) throw this.break(error)
      await this.#undo(segment, error)
      throw error
    }
    try {
      await file.sync()
    } catch (error) {
      // After a failed sync the page cache may pretend; only a restart finds out what is there.
      throw this.break(error)
    }
  }

  async #undo(segment: Segment, cause: unknown): Promise<void> {
    try {
      const file = this.#open()
      await file.truncate(segment.bytes)
      await file.sync()
    } catch {
      // The first failure says more than this one.
      throw this.break(cause)
    }
  }

  async #create(path: string, bytes: Uint8Array): Promise<DiskFile> {
    try {
      await writeReplacing(this.#disk, path, bytes)
      return await openExisting(this.#disk, path)
    } catch (error) {
      await this.#abandon(path)
      throw error
    }
  }

  // What is written next goes to the segment before, which a newer one must not hide.
  async #abandon(path: string): Promise<void> {
    try {
      await this.#disk.remove(path)
      await this.#disk.remove(`${path}.new`)
      await this.#disk.syncFolder(FOLDER)
    } catch (error) {
      throw this.break(error)
    }
  }

  async #remove(path: string): Promise<void> {
    await this.#disk.remove(path)
    await this.#disk.syncFolder(FOLDER)
  }

  #enoughFrom(segment: Segment): boolean {
    const records = this.header.baseEpoch - segment.header.baseEpoch
    const bytes = this.#segments.reduce((sum, one) => sum + one.bytes, 0)
    return records >= HISTORY_RECORDS_KEPT || bytes > HISTORY_BYTES_KEPT
  }

  #newest(): Segment {
    const segment = this.#segments.at(-1)
    assert(segment, 'there is a segment')
    return segment
  }

  #indexOfNewest(): FrameIndex {
    const { index } = this.#newest()
    assert(index, 'the newest segment has been read')
    return index
  }

  #open(): DiskFile {
    assert(this.#file, 'the newest segment is open')
    return this.#file
  }
}
