// Reading whole segments of a history of format version 1: names, frames, and what is wrong with
// them.
import { SwarmdiskError } from '../../../base/errors.js'
import type { DiskFile } from '../../../disk/disk.js'
import {
  decodeSegmentHeader,
  recordsOfFrame,
  scanFrames,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  type FrameReference,
} from './frames.js'

const NAME = /^log-(\d{10})$/

export interface SegmentPlace {
  readonly path: string
  readonly firstEpoch: number
  /** Only the last segment may end in a torn frame, or in a torn header. */
  readonly last: boolean
}

export interface LoadedSegment {
  /** Still encoded; the first has the segment's first epoch. */
  readonly records: readonly Uint8Array[]
  /** Bytes behind the last good frame that a crash has left. */
  readonly torn: number
}

export function segmentsIn(
  names: readonly string[],
): readonly { readonly name: string; readonly firstEpoch: number }[] {
  return names
    .flatMap(name => {
      const digits = NAME.exec(name)?.[1]
      return digits === undefined ? [] : [{ name, firstEpoch: Number(digits) }]
    })
    .sort((a, b) => a.firstEpoch - b.firstEpoch)
}

export function damagedSegment(path: string, why: string): SwarmdiskError {
  const message =
    `the configuration history is damaged (${path}: ${why}); ` +
    'restore the data directory of the manager from a copy made while it was stopped'
  return new SwarmdiskError('corrupt', message)
}

export async function loadSegment(file: DiskFile, place: SegmentPlace): Promise<LoadedSegment> {
  const bytes = new Uint8Array(await file.size())
  await file.read(bytes, 0)
  const result = decodeSegmentHeader(bytes)
  if (result.kind === 'newer') throw newer(place.path, result.version)
  if (result.kind === 'invalid') {
    // The header is synced before the first frame: so short a file never held a record.
    if (place.last && bytes.byteLength <= SEGMENT_HEADER_BYTES) {
      return { records: [], torn: bytes.byteLength }
    }
    throw damagedSegment(place.path, 'its header is not what was written')
  }
  if (result.header.firstEpoch !== place.firstEpoch) {
    throw damagedSegment(place.path, 'its name and its header disagree')
  }
  const { frames, end, tail } = scanFrames(bytes)
  if (tail === 'damaged' || (tail === 'torn' && !place.last)) {
    throw damagedSegment(place.path, `the frame at ${end} does not match its checksum`)
  }
  return { records: collect(bytes, frames, place), torn: bytes.byteLength - end }
}

function collect(
  bytes: Uint8Array,
  frames: readonly FrameReference[],
  place: SegmentPlace,
): readonly Uint8Array[] {
  const records: Uint8Array[] = []
  for (const frame of frames) {
    const found = recordsOfFrame(bytes, frame)
    if (!found || frame.firstEpoch !== place.firstEpoch + records.length) {
      throw damagedSegment(place.path, `the frame at ${frame.position} is out of order`)
    }
    for (const record of found) records.push(record)
  }
  return records
}

function newer(path: string, version: number): SwarmdiskError {
  const message =
    `${path} has version ${version} of the history format and this release reads up to ` +
    `${SEGMENT_VERSION}; use the newer release`
  return new SwarmdiskError('data-directory', message)
}
