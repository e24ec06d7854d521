// The bytes of a segment of the replicated log, format version 2: header, frames, and how a torn
// end is told from damage (docs/on-disk-format-manager.md). A frame is what was written and synced
// together. A segment gets its name only with its first frame, and each frame is synced before the
// next, so a crash tears at most the last frame of the last segment, and never its first one.
// Pure: bytes in, values out. Little endian throughout.
import { crc32 } from 'node:zlib'
import { assert } from '../../../base/assert.js'
import type { CodecState } from '../../../net/codecs/codec.js'
import type { LogIndex, Term } from '../../../net/manager-messages.js'
import { epochOfRecord } from '../history-record.js'
import { decodePayload, payload, type FrameContent } from './frame-content.js'

export const SEGMENT_VERSION = 2
export const SEGMENT_HEADER_BYTES = 48
export const FRAME_HEADER_BYTES = 32

const SEGMENT_MAGIC = Buffer.from('SDHISTRY', 'latin1')
const FRAME_MAGIC = Buffer.from('SDFR', 'latin1')
const CHECKED_OF_SEGMENT_HEADER = 44
const CHECKED_OF_FRAME_HEADER = 28
const FLAG_RESET = 1

export interface SegmentHeader {
  /** Counts the segments of this disk, from 1. */
  readonly number: number
  /** This segment begins anew: what older ones hold is void. */
  readonly reset: boolean
  /** What comes before the entries of this segment; 0 and 0 at the beginning of the log. */
  readonly baseIndex: LogIndex
  readonly baseTerm: Term
  /** Of the newest record up to the base; 0 if there is none or it is not known. */
  readonly baseEpoch: number
}

/** Where one frame lies in its segment, and which entries it brings. */
export interface FrameReference {
  readonly position: number
  readonly bytes: number
  /** 0 if it has no entries. */
  readonly first: LogIndex
  readonly count: number
  /** Of its first record; 0 if it has none. */
  readonly epoch: number
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  SEGMENT_MAGIC.copy(bytes, 0)
  bytes.writeUInt32LE(SEGMENT_VERSION, 8)
  bytes.writeUInt32LE(header.number, 12)
  bytes.writeBigUInt64LE(BigInt(header.baseIndex), 16)
  bytes.writeBigUInt64LE(BigInt(header.baseTerm), 24)
  bytes.writeUInt32LE(header.baseEpoch, 32)
  bytes.writeUInt32LE(header.reset ? FLAG_RESET : 0, 36)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKED_OF_SEGMENT_HEADER)), 44)
  return bytes
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
  if (version < SEGMENT_VERSION) return { kind: 'invalid' }
  const header = {
    number: bytes.readUInt32LE(12),
    reset: (bytes.readUInt32LE(36) & FLAG_RESET) !== 0,
    baseIndex: Number(bytes.readBigUInt64LE(16)) as LogIndex,
    baseTerm: Number(bytes.readBigUInt64LE(24)) as Term,
    baseEpoch: bytes.readUInt32LE(32),
  }
  return { kind: 'header', header }
}

export function encodeFrame(content: FrameContent): Uint8Array {
  const { entries } = content
  const first = entries[0]?.index ?? 0
  assert(
    entries.every(({ index }, i) => index === first + i),
    'entries follow each other',
  )
  const state: CodecState = { start: 0, end: FRAME_HEADER_BYTES, buffer: null }
  payload.preencode(state, content)
  const bytes = Buffer.alloc(state.end)
  state.buffer = bytes
  state.start = FRAME_HEADER_BYTES
  payload.encode(state, content)
  assert(state.start === state.end, 'a payload is as long as announced')
  const firstRecord = entries.find(({ data }) => data.byteLength > 0)
  FRAME_MAGIC.copy(bytes, 0)
  bytes.writeUInt32LE(bytes.byteLength - FRAME_HEADER_BYTES, 4)
  bytes.writeBigUInt64LE(BigInt(first), 8)
  bytes.writeUInt32LE(entries.length, 16)
  bytes.writeUInt32LE(firstRecord ? epochOfRecord(firstRecord.data) : 0, 20)
  bytes.writeUInt32LE(crc32(bytes.subarray(FRAME_HEADER_BYTES)), 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKED_OF_FRAME_HEADER)), 28)
  return bytes
}

/** The frame at this position if it is whole and its checksums match. */
export function frameAt(segment: Uint8Array, position: number): FrameReference | null {
  const bytes = asBuffer(segment)
  if (position + FRAME_HEADER_BYTES > bytes.byteLength) return null
  const header = bytes.subarray(position, position + FRAME_HEADER_BYTES)
  if (!header.subarray(0, 4).equals(FRAME_MAGIC)) return null
  if (header.readUInt32LE(28) !== crc32(header.subarray(0, CHECKED_OF_FRAME_HEADER))) return null
  const start = position + FRAME_HEADER_BYTES
  const end = start + header.readUInt32LE(4)
  if (end > bytes.byteLength) return null
  if (crc32(bytes.subarray(start, end)) !== header.readUInt32LE(24)) return null
  return {
    position,
    bytes: end - position,
    first: Number(header.readBigUInt64LE(8)) as LogIndex,
    count: header.readUInt32LE(16),
    epoch: header.readUInt32LE(20),
  }
}

/** What a frame holds that `frameAt` has found good; null if header and payload disagree. */
export function contentOf(segment: Uint8Array, frame: FrameReference): FrameContent | null {
  const start = frame.position + FRAME_HEADER_BYTES
  const bytes = segment.subarray(start, frame.position + frame.bytes)
  const content = decodePayload(bytes, frame.first)
  return content?.entries.length === frame.count ? content : null
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
