// The append-only log of the configuration history on one disk, in segments: `log-<first epoch>`.
// A record counts when append() resolves: it is synced by then. Opening cuts a frame that a crash
// has torn, and refuses, with a sentence, what can only be damage. Segments behind a snapshot are
// kept for reading, up to a limit. What the records mean is the business of the history above.
import { assert } from '../../../base/assert.js'
import type { ClusterId, Epoch } from '../../../base/brands.js'
import { SwarmdiskError, isSwarmdiskError } from '../../../base/errors.js'
import {
  HISTORY_BYTES_KEPT,
  HISTORY_RECORDS_KEPT,
  HISTORY_SEGMENT_BYTES,
  HISTORY_SEGMENT_RECORDS,
} from '../../../base/limits.js'
import type { Log } from '../../../base/log.js'
import type { Disk, DiskFile } from '../../../disk/disk.js'
import type { HistoryRecord } from '../configuration-history.js'
import {
  encodeFrame,
  encodeSegmentHeader,
  frameAt,
  recordsOfFrame,
  SEGMENT_HEADER_BYTES,
  type FrameReference,
} from './frames.js'
import { decodeRecord } from '../history-record.js'
import { damagedSegment, loadSegment, segmentName, segmentsIn } from './segments.js'

export interface HistoryLogOptions {
  readonly disk: Disk
  readonly log: Log
  readonly folder: string
  /** The epoch of the snapshot; 0 if there is none. Only newer records are returned by open(). */
  readonly snapshot: number
}

interface Segment {
  readonly path: string
  readonly firstEpoch: number
  /** Null: not looked at yet, since a snapshot is newer. */
  frames: FrameReference[] | null
  bytes: number
}

export class HistoryLog {
  readonly #disk: Disk
  readonly #log: Log
  readonly #folder: string
  readonly #segments: Segment[] = []
  // Of the last segment; null: the next record starts a new one.
  #file: DiskFile | null = null
  #nextEpoch: number
  // Set when nobody can know what is on the disk; every later append fails with it.
  #broken: SwarmdiskError | null = null

  private constructor(options: HistoryLogOptions) {
    this.#disk = options.disk
    this.#log = options.log
    this.#folder = options.folder
    this.#nextEpoch = options.snapshot + 1
  }

  static async open(
    options: HistoryLogOptions,
  ): Promise<{ readonly history: HistoryLog; readonly records: readonly HistoryRecord[] }> {
    await options.disk.makeFolder(options.folder)
    // Else a power cut could take the folder with all that is in it.
    await options.disk.syncFolder('')
    const history = new HistoryLog(options)
    const records = await history.#recover(options.snapshot)
    await history.#retire(options.snapshot)
    return { history, records }
  }

  /** Makes the records durable, all or none. They continue what is there. */
  async append(cluster: ClusterId, records: readonly Uint8Array[]): Promise<void> {
    if (this.#broken) throw this.#broken
    const first = this.#nextEpoch
    const last = this.#file ? this.#segments.at(-1) : undefined
    const segment = last ?? (await this.#startSegment(cluster))
    const frames = segment.frames
    assert(frames, 'the last segment has been read')
    const frame = encodeFrame(first, records)
    await this.#write(segment, frame)
    const { bytes: position } = segment
    frames.push({ position, bytes: frame.length, firstEpoch: first, count: records.length })
    segment.bytes += frame.length
    this.#nextEpoch += records.length
  }

  /** The last segment has reached its size: write a snapshot, then call rotate(). */
  get full(): boolean {
    const segment = this.#segments.at(-1)
    if (!segment) return false
    const records = this.#nextEpoch - segment.firstEpoch
    return records >= HISTORY_SEGMENT_RECORDS || segment.bytes >= HISTORY_SEGMENT_BYTES
  }

  /** Starts a new segment and drops the oldest ones. The snapshot holds every record so far. */
  async rotate(cluster: ClusterId): Promise<void> {
    const before = this.#file
    await this.#startSegment(cluster)
    await before?.close()
    await this.#retire(this.#nextEpoch - 1)
  }

  /** Records that are still kept, oldest first, at most `limit`. */
  async read(from: Epoch, limit: number): Promise<readonly HistoryRecord[]> {
    const found: HistoryRecord[] = []
    for (const [i, segment] of [...this.#segments].entries()) {
      const next = this.#segments[i + 1]?.firstEpoch ?? this.#nextEpoch
      if (next <= from || found.length >= limit) continue
      found.push(...(await this.#readSegment(segment, from, limit - found.length)))
    }
    return found
  }

  /** A mark behind the last record shows later damage to it for what it is. */
  async close(): Promise<void> {
    const segment = this.#segments.at(-1)
    if (segment && this.#file && !this.#broken) {
      await this.#write(segment, encodeFrame(this.#nextEpoch, []))
    }
    await this.#file?.close()
    this.#file = null
  }

  async #recover(snapshot: number): Promise<readonly HistoryRecord[]> {
    const names = segmentsIn(await this.#disk.list(this.#folder))
    const records: HistoryRecord[] = []
    for (const [i, { name, firstEpoch }] of names.entries()) {
      const path = `${this.#folder}/${name}`
      const last = i === names.length - 1
      const next = names[i + 1]?.firstEpoch
      if (next !== undefined && next <= snapshot + 1) {
        const bytes = await this.#sizeOf(path)
        this.#segments.push({ path, firstEpoch, frames: null, bytes })
      } else {
        records.push(...(await this.#recoverSegment({ path, firstEpoch, last, snapshot })))
      }
    }
    return records
  }

  async #recoverSegment(given: {
    readonly path: string
    readonly firstEpoch: number
    readonly last: boolean
    readonly snapshot: number
  }): Promise<readonly HistoryRecord[]> {
    const { path, firstEpoch, last, snapshot } = given
    const file = await this.#openExisting(path)
    const loaded = await loadSegment(file, { path, firstEpoch, last })
    if (loaded.records.length === 0 && last) {
      // Made, but nothing was committed to it: as if it had never been started.
      await file.close()
      await this.#disk.remove(path)
      await this.#disk.syncFolder(this.#folder)
      return []
    }
    if (loaded.torn > 0) {
      this.#log.warn('cut a change that was being written when the manager stopped', {
        file: path,
        bytes: loaded.torn,
      })
      await file.truncate(loaded.end)
      await file.sync()
    }
    const newer = loaded.records.filter((_, i) => firstEpoch + i > snapshot)
    const start = firstEpoch + loaded.records.length - newer.length
    if (newer.length > 0 && start !== this.#nextEpoch) {
      throw damagedSegment(path, `epochs ${this.#nextEpoch} to ${start - 1} are missing`)
    }
    this.#nextEpoch += newer.length
    this.#segments.push({ path, firstEpoch, frames: [...loaded.frames], bytes: loaded.end })
    // If a snapshot knows of later epochs than this segment, the next one starts another segment.
    const continues = firstEpoch + loaded.records.length === this.#nextEpoch
    if (last && continues) this.#file = file
    else await file.close()
    return newer.map(decodeRecord)
  }

  async #startSegment(cluster: ClusterId): Promise<Segment> {
    const firstEpoch = this.#nextEpoch
    const path = `${this.#folder}/${segmentName(firstEpoch)}`
    // Of a start that failed; it must not shine through.
    await this.#disk.remove(path)
    const file = await this.#disk.open(path, 'create')
    assert(file, 'a created file is there')
    try {
      await file.write(encodeSegmentHeader({ firstEpoch, cluster }), 0)
      await file.sync()
      await this.#disk.syncFolder(this.#folder)
    } catch (error) {
      await this.#abandon(file, path)
      throw error
    }
    const segment = { path, firstEpoch, frames: [], bytes: SEGMENT_HEADER_BYTES }
    this.#segments.push(segment)
    this.#file = file
    return segment
  }

  // Later records go to the segment before; an empty one with a lower number must not stay behind.
  async #abandon(file: DiskFile, path: string): Promise<void> {
    try {
      await file.close()
      await this.#disk.remove(path)
      await this.#disk.syncFolder(this.#folder)
    } catch (error) {
      throw this.#breakBy(error)
    }
  }

  async #write(segment: Segment, frame: Uint8Array): Promise<void> {
    const file = this.#file
    assert(file, 'the last segment is open')
    try {
      await file.write(frame, segment.bytes)
    } catch (error) {
      await this.#undo(segment, error)
      throw error
    }
    try {
      await file.sync()
    } catch (error) {
      // After a failed sync the page cache may pretend; only a restart finds out what is there.
      throw this.#breakBy(error)
    }
  }

  async #undo(segment: Segment, cause: unknown): Promise<void> {
    try {
      await this.#file?.truncate(segment.bytes)
      await this.#file?.sync()
    } catch {
      // The first failure says more than this one.
      throw this.#breakBy(cause)
    }
  }

  #breakBy(cause: unknown): SwarmdiskError {
    if (!isSwarmdiskError(cause)) throw cause
    const message =
      `the configuration history could not be written (${cause.message}); ` +
      'no change is possible until the disk is repaired and the manager started again'
    this.#broken = new SwarmdiskError('disk-error', message, { cause })
    return this.#broken
  }

  async #retire(snapshot: number): Promise<void> {
    let bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
    for (;;) {
      const [oldest, next] = this.#segments
      if (!oldest || !next || next.firstEpoch > snapshot + 1) return
      const left = this.#nextEpoch - next.firstEpoch
      if (left < HISTORY_RECORDS_KEPT && bytes <= HISTORY_BYTES_KEPT) return
      await this.#disk.remove(oldest.path)
      await this.#disk.syncFolder(this.#folder)
      bytes -= oldest.bytes
      this.#segments.shift()
    }
  }

  async #readSegment(
    segment: Segment,
    from: number,
    limit: number,
  ): Promise<readonly HistoryRecord[]> {
    const file = await this.#disk.open(segment.path, 'existing')
    // Retired while we waited.
    if (!file) return []
    try {
      if (!segment.frames) {
        const { path, firstEpoch } = segment
        segment.frames = [...(await loadSegment(file, { path, firstEpoch, last: false })).frames]
      }
      const found: HistoryRecord[] = []
      for (const frame of segment.frames) {
        if (found.length >= limit) break
        if (frame.firstEpoch + frame.count <= from) continue
        const records = await readFrame(file, frame, segment.path)
        found.push(...records.filter(record => record.epoch >= from))
      }
      return found.slice(0, limit)
    } finally {
      await file.close()
    }
  }

  async #sizeOf(path: string): Promise<number> {
    const file = await this.#openExisting(path)
    try {
      return await file.size()
    } finally {
      await file.close()
    }
  }

  async #openExisting(path: string): Promise<DiskFile> {
    const file = await this.#disk.open(path, 'existing')
    if (!file) throw damagedSegment(path, 'it has just vanished')
    return file
  }
}

async function readFrame(
  file: DiskFile,
  frame: FrameReference,
  path: string,
): Promise<readonly HistoryRecord[]> {
  const bytes = new Uint8Array(frame.bytes)
  await file.read(bytes, frame.position)
  const found = frameAt(bytes, 0)
  const records = found && recordsOfFrame(bytes, found)
  if (!records) throw damagedSegment(path, `the frame at ${frame.position} does not match`)
  return records.map(decodeRecord)
}
