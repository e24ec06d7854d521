// The bytes of the history log of format version 1, for reading: segment header, frames, records
// (docs/on-disk-format-manager.md). A frame is what was written and synced together. A crash tears
// at most the last frame of the last segment, since each was synced before the next.
// Pure: bytes in, values out. Little endian throughout.
import { crc32 } from 'node:zlib'

export const SEGMENT_VERSION = 1
export const SEGMENT_HEADER_BYTES = 48
const FRAME_HEADER_BYTES = 24

const SEGMENT_MAGIC = Buffer.from('SDHISTRY', 'latin1')
const FRAME_MAGIC = Buffer.from('SDFR', 'latin1')
const CHECKED_OF_SEGMENT_HEADER = 44
const CHECKED_OF_FRAME_HEADER = 20

interface SegmentHeader {
  readonly firstEpoch: number
  /** 32 hexadecimal digits. */
  readonly cluster: string
}

/** Where one frame lies in its segment. `count` 0: the mark of a clean stop. */
export interface FrameReference {
  readonly position: number
  readonly bytes: number
  readonly firstEpoch: number
  readonly count: number
}

export type SegmentHeaderResult =
  | { readonly kind: 'header'; readonly header: SegmentHeader }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'invalid' }

export function decodeSegmentHeader(file: Uint8Array): SegmentHeaderResult {
  if (file.byteLength < SEGMENT_HEADER_BYTES) return { kind: 'invalid' }
  const bytes = asBuffer(file)
  if (!bytes.subarray(0, 8).equals(SEGMENT_MAGIC)) return { kind: 'invalid' }
  const checksum = crc32(bytes.subarray(0, CHECKED_OF_SEGMENT_HEADER))
  if (bytes.readUInt32LE(44) !== checksum) return { kind: 'invalid' }
  const version = bytes.readUInt32LE(8)
  if (version > SEGMENT_VERSION) return { kind: 'newer', version }
  const header = { firstEpoch: bytes.readUInt32LE(12), cluster: bytes.toString('hex', 16, 32) }
  return { kind: 'header', header }
}

/** The frame at this position if it is whole and its checksums match. */
function frameAt(segment: Uint8Array, position: number): FrameReference | null {
  const bytes = asBuffer(segment)
  if (position + FRAME_HEADER_BYTES > bytes.byteLength) return null
  const header = bytes.subarray(position, position + FRAME_HEADER_BYTES)
  if (!header.subarray(0, 4).equals(FRAME_MAGIC)) return null
  if (header.readUInt32LE(20) !== crc32(header.subarray(0, CHECKED_OF_FRAME_HEADER))) return null
  const payloadBytes = header.readUInt32LE(4)
  const start = position + FRAME_HEADER_BYTES
  if (start + payloadBytes > bytes.byteLength) return null
  const checksum = crc32(bytes.subarray(start, start + payloadBytes))
  if (checksum !== header.readUInt32LE(16)) return null
  return {
    position,
    bytes: FRAME_HEADER_BYTES + payloadBytes,
    firstEpoch: header.readUInt32LE(8),
    count: header.readUInt32LE(12),
  }
}

/** The records of a frame that `frameAt` has found good; null if they do not add up. */
export function recordsOfFrame(
  segment: Uint8Array,
  frame: FrameReference,
): readonly Uint8Array[] | null {
  const bytes = asBuffer(segment)
  const end = frame.position + frame.bytes
  const records: Uint8Array[] = []
  let position = frame.position + FRAME_HEADER_BYTES
  while (position < end) {
    if (position + 4 > end) return null
    const length = bytes.readUInt32LE(position)
    if (position + 4 + length > end) return null
    records.push(bytes.subarray(position + 4, position + 4 + length))
    position += 4 + length
  }
  return records.length === frame.count ? records : null
}

export interface Scan {
  readonly frames: readonly FrameReference[]
  /** One past the last good frame. */
  readonly end: number
  /** What lies behind `end`: nothing, a frame torn by a crash, or damage before good frames. */
  readonly tail: 'none' | 'torn' | 'damaged'
}

/** Finds the frames of a whole segment, the header included in `segment`. */
export function scanFrames(segment: Uint8Array): Scan {
  const frames: FrameReference[] = []
  let end = SEGMENT_HEADER_BYTES
  for (;;) {
    const frame = frameAt(segment, end)
    if (!frame) break
    frames.push(frame)
    end += frame.bytes
  }
  if (end >= segment.byteLength) return { frames, end, tail: 'none' }
  return { frames, end, tail: hasFrameAfter(segment, end) ? 'damaged' : 'torn' }
}

// A frame is written only when the one before is durable. So where a good frame follows, what is
// before it was durable once and has been damaged since; else it is the write the crash tore.
function hasFrameAfter(segment: Uint8Array, position: number): boolean {
  const bytes = asBuffer(segment)
  let candidate = bytes.indexOf(FRAME_MAGIC, position + 1)
  while (candidate >= 0) {
    if (frameAt(segment, candidate)) return true
    candidate = bytes.indexOf(FRAME_MAGIC, candidate + 1)
  }
  return false
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
