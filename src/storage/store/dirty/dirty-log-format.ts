// The bytes of the dirty-region log: a header, then records, each with its own checksum, the log's
// number and its place in the order. Reading ends at the first record that does not fit: a tail
// that a crash tore off is cut, and nothing behind it can have been synced.
import { crc32 } from 'node:zlib'
import { SwarmdiskError } from '../../../base/errors.js'
import { INDEX_PAGE_BYTES, type LayerName } from '../layer-format.js'

export const DIRTY_LOG_VERSION = 1
export const LOG_HEADER_BYTES = 32
const RECORD_BYTES = 32
const MAGIC = 'SWDDIRTY'

export interface RegionName extends LayerName {
  readonly page: number
}

export type LogRecord =
  | { readonly kind: 'dirty'; readonly region: RegionName; readonly undo: Uint8Array | null }
  | { readonly kind: 'clean'; readonly region: RegionName }

const KIND_PAGE = 1
const KIND_EMPTY = 2
const KIND_CLEAN = 3

export function encodeLogHeader(number: number): Uint8Array {
  const bytes = Buffer.alloc(LOG_HEADER_BYTES)
  bytes.write(MAGIC, 0, 'latin1')
  bytes.writeUInt32LE(DIRTY_LOG_VERSION, 8)
  bytes.writeUInt32LE(number, 12)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28)
  return bytes
}

/** `log` is the log's number, `first` the place of the first of these records in it. */
export function encodeRecords(
  records: readonly LogRecord[],
  place: { readonly log: number; readonly first: number },
): Uint8Array {
  const size = records.reduce((sum, record) => sum + recordBytes(record), 0)
  const bytes = Buffer.alloc(size)
  let at = 0
  records.forEach((record, i) => {
    const end = at + recordBytes(record)
    const { region } = record
    bytes.writeUInt8(kindOf(record), at + 4)
    bytes.writeUInt32LE(region.volume, at + 8)
    bytes.writeUInt32LE(region.shard, at + 12)
    bytes.writeUInt32LE(region.layer, at + 16)
    bytes.writeUInt32LE(region.page, at + 20)
    bytes.writeUInt32LE(place.log, at + 24)
    bytes.writeUInt32LE(place.first + i, at + 28)
    if (record.kind === 'dirty' && record.undo) bytes.set(record.undo, at + RECORD_BYTES)
    bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, end)), at)
    at = end
  })
  return bytes
}

export interface DecodedLog {
  readonly number: number
  readonly records: readonly LogRecord[]
  /** Bytes that were no record: the tail a crash tore off. */
  readonly cut: number
}

export function decodeLog(path: string, file: Uint8Array): DecodedLog {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  const number = checkLogHeader(path, bytes)
  const records: LogRecord[] = []
  let at = LOG_HEADER_BYTES
  for (;;) {
    const record = decodeRecord(bytes.subarray(at), { log: number, first: records.length })
    if (!record) return { number, records, cut: bytes.length - at }
    records.push(record)
    at += recordBytes(record)
  }
}

function checkLogHeader(path: string, bytes: Buffer): number {
  const fits =
    bytes.length >= LOG_HEADER_BYTES &&
    bytes.toString('latin1', 0, 8) === MAGIC &&
    bytes.readUInt32LE(28) === crc32(bytes.subarray(0, 28))
  if (!fits) {
    throw new SwarmdiskError(
      'corrupt',
      `${path} is damaged, so what was last written here is unknown: start this server with an ` +
        'empty data directory, it is filled from the others',
    )
  }
  const version = bytes.readUInt32LE(8)
  if (version !== DIRTY_LOG_VERSION) {
    throw new SwarmdiskError(
      'data-directory',
      `${path} has format ${version}, this release knows ${DIRTY_LOG_VERSION}: use a newer release`,
    )
  }
  return bytes.readUInt32LE(12)
}

function decodeRecord(
  bytes: Buffer,
  place: { readonly log: number; readonly first: number },
): LogRecord | null {
  if (bytes.length < RECORD_BYTES) return null
  const kind = bytes.readUInt8(4)
  const size = kind === KIND_PAGE ? RECORD_BYTES + INDEX_PAGE_BYTES : RECORD_BYTES
  if (kind < KIND_PAGE || kind > KIND_CLEAN || bytes.length < size) return null
  if (bytes.readUInt32LE(0) !== crc32(bytes.subarray(4, size))) return null
  if (bytes.readUInt32LE(24) !== place.log || bytes.readUInt32LE(28) !== place.first) return null
  const region: RegionName = {
    volume: bytes.readUInt32LE(8),
    shard: bytes.readUInt32LE(12),
    layer: bytes.readUInt32LE(16),
    page: bytes.readUInt32LE(20),
  }
  if (kind === KIND_CLEAN) return { kind: 'clean', region }
  return {
    kind: 'dirty',
    region,
    undo: kind === KIND_PAGE ? bytes.subarray(RECORD_BYTES, size) : null,
  }
}

export function recordBytes(record: LogRecord): number {
  return RECORD_BYTES + (record.kind === 'dirty' && record.undo ? INDEX_PAGE_BYTES : 0)
}

function kindOf(record: LogRecord): number {
  if (record.kind === 'clean') return KIND_CLEAN
  return record.undo ? KIND_PAGE : KIND_EMPTY
}
