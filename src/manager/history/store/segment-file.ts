// Segments of the replicated log as files: names, reading them, and what is wrong with them.
import { assert } from '../../../base/assert.js'
import { SwarmdiskError } from '../../../base/errors.js'
import type { Disk, DiskFile } from '../../../disk/disk.js'
import type { FrameContent } from './frame-content.js'
import { FrameIndex } from './frame-index.js'
import {
  contentOf,
  decodeSegmentHeader,
  encodeFrame,
  encodeSegmentHeader,
  frameAt,
  scanFrames,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  type FrameReference,
  type SegmentHeader,
} from './segment-format.js'

/** Of the data directory; everything that the history keeps is in it. */
export const FOLDER = 'manager'

const NAME = /^entries-(\d{10})$/

export function segmentPath(number: number): string {
  return `${FOLDER}/entries-${String(number).padStart(10, '0')}`
}

/** In ascending order. */
export function segmentNumbers(names: readonly string[]): readonly number[] {
  return names
    .flatMap(name => {
      const digits = NAME.exec(name)?.[1]
      return digits === undefined ? [] : [Number(digits)]
    })
    .sort((a, b) => a - b)
}

export function damaged(path: string, why: string): SwarmdiskError {
  const message =
    `the configuration history is damaged (${path}: ${why}); ` +
    'restore the data directory of the manager from a copy made while it was stopped'
  return new SwarmdiskError('corrupt', message)
}

export interface LoadedSegment {
  readonly bytes: Uint8Array
  /** All of them, in order; the first is whole in every segment. */
  readonly frames: readonly FrameReference[]
  /** One past the last good frame; behind it is what a crash has left. */
  readonly end: number
}

/** A whole segment with its first frame, as a file begins. */
export function encodeSegment(header: SegmentHeader, frames: readonly FrameContent[]): Uint8Array {
  return Buffer.concat([encodeSegmentHeader(header), ...frames.map(encodeFrame)])
}

export async function openExisting(disk: Disk, path: string): Promise<DiskFile> {
  const file = await disk.open(path, 'existing')
  if (!file) throw damaged(path, 'it has just vanished')
  return file
}

/** Reads the header alone. */
export async function readHeader(
  disk: Disk,
  number: number,
): Promise<{ readonly header: SegmentHeader; readonly bytes: number }> {
  const path = segmentPath(number)
  const file = await openExisting(disk, path)
  try {
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
    const length = await file.read(bytes, 0)
    const header = checkedHeader(path, bytes.subarray(0, length))
    if (header.number !== number) throw damaged(path, 'its name and its header disagree')
    return { header, bytes: await file.size() }
  } finally {
    await file.close()
  }
}

/** `last`: only the last segment may end in a torn frame. */
export async function loadSegment(
  file: DiskFile,
  { path, last }: { readonly path: string; readonly last: boolean },
): Promise<LoadedSegment> {
  const bytes = new Uint8Array(await file.size())
  await file.read(bytes, 0)
  checkedHeader(path, bytes)
  const { frames, end, tail } = scanFrames(bytes)
  if (tail === 'damaged' || (tail === 'torn' && (!last || frames.length === 0))) {
    throw damaged(path, `the frame at ${end} does not match its checksum`)
  }
  if (frames.length === 0) throw damaged(path, 'it has no frame')
  return { bytes, frames, end }
}

/** The entries of a segment that were not replaced within it. */
export function indexOf(
  segment: LoadedSegment,
  { baseIndex }: SegmentHeader,
  path: string,
): FrameIndex {
  const index = new FrameIndex(baseIndex)
  for (const frame of segment.frames) {
    if (frame.count > 0 && !index.accepts(frame.first)) {
      throw damaged(path, `the frame at ${frame.position} is out of order`)
    }
    index.add(frame)
  }
  return index
}

export function contentIn(bytes: Uint8Array, frame: FrameReference, path: string): FrameContent {
  const content = contentOf(bytes, frame)
  if (!content) throw damaged(path, `the frame at ${frame.position} cannot be read`)
  return content
}

/** One frame of a segment, without those entries that were replaced. */
export async function readFrame(
  file: DiskFile,
  frame: FrameReference,
  path: string,
): Promise<FrameContent> {
  const bytes = new Uint8Array(frame.bytes)
  await file.read(bytes, frame.position)
  const found = frameAt(bytes, 0)
  if (!found) throw damaged(path, `the frame at ${frame.position} does not match its checksum`)
  const content = contentIn(bytes, found, path)
  assert(found.first === frame.first && found.count >= frame.count, 'the frame that was indexed')
  return { ...content, entries: content.entries.slice(0, frame.count) }
}

function checkedHeader(path: string, bytes: Uint8Array): SegmentHeader {
  const result = decodeSegmentHeader(bytes)
  if (result.kind === 'newer') throw newer(path, result.version)
  if (result.kind === 'invalid') throw damaged(path, 'its header is not what was written')
  return result.header
}

function newer(path: string, version: number): SwarmdiskError {
  const message =
    `${path} has version ${version} of the history format and this release reads up to ` +
    `${SEGMENT_VERSION}; use the newer release`
  return new SwarmdiskError('data-directory', message)
}
