// Reads records back for `epoch list`: one frame at a time, beginning at the one that may hold the
// first that is asked for. What was replaced is not found.
import type { Disk, DiskFile } from '../../../disk/disk.js'
import type { HistoryRecord } from '../configuration-history.js'
import { decodeRecord, epochOfRecord } from '../history-record.js'
import type { FrameIndex } from './frame-index.js'
import type { Segment } from './recover.js'
import type { FrameReference } from './segment-format.js'
import { indexOf, loadSegment, readFrame } from './segment-file.js'

export interface RecordRange {
  readonly from: number
  /** What is newer need not be committed. */
  readonly last: number
  readonly limit: number
}

/** Oldest first; those that are not kept any more are left out. */
export async function readRecords(
  disk: Disk,
  segments: readonly Segment[],
  range: RecordRange,
): Promise<readonly HistoryRecord[]> {
  const found: HistoryRecord[] = []
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1]?.header
    if (next && next.baseEpoch < range.from) continue
    if (found.length >= range.limit || segment.header.baseEpoch >= range.last) break
    // The next segment begins with what is not in its snapshot, replaced or not.
    const until = next?.baseIndex ?? Infinity
    await readSegment(disk, segment, { range, until, found })
  }
  return found
}

interface Reading {
  readonly range: RecordRange
  /** Index of the last entry of the segment that counts. */
  readonly until: number
  readonly found: HistoryRecord[]
}

async function readSegment(disk: Disk, segment: Segment, reading: Reading): Promise<void> {
  const file = await disk.open(segment.path, 'existing')
  // Retired while we waited.
  if (!file) return
  try {
    segment.index ??= await load(file, segment)
    for (const frame of framesFrom(segment.index, reading.range.from)) {
      if (frame.first > reading.until || reading.found.length >= reading.range.limit) return
      const { entries } = await readFrame(file, frame, segment.path)
      for (const { index, data } of entries) if (index <= reading.until) take(data, reading)
    }
  } finally {
    await file.close()
  }
}

async function load(file: DiskFile, { path, header }: Segment): Promise<FrameIndex> {
  return indexOf(await loadSegment(file, { path, last: false }), header, path)
}

function framesFrom(index: FrameIndex, from: number): readonly FrameReference[] {
  const frames = index.frames()
  const start = frames.findLastIndex(frame => frame.epoch !== 0 && frame.epoch <= from)
  return frames.slice(Math.max(0, start))
}

function take(data: Uint8Array, { range, found }: Reading): void {
  const epoch = epochOfRecord(data)
  if (epoch === 0 || epoch < range.from || epoch > range.last) return
  if (found.length < range.limit) found.push(decodeRecord(data))
}
