// The bytes of an exported snapshot, and how they are made; docs/export-format.md draws them. Every
// record has a checksum of its own, so that nothing damaged is written anywhere, and the end one
// over the whole stream, so that nothing is missing or was moved.
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { assert } from '../../base/assert.js'
import { BLOCK_BYTES, EXPORT_RECORD_BYTES_MAX } from '../../base/limits.js'
import { IDENTITY_LENGTH_MAX } from '../../snapshot/identity.js'

export const EXPORT_MAGIC = 'SWDEXPRT'
export const EXPORT_VERSION = 1
/** Magic, version and length: by these a reader knows how long the rest of the header is. */
export const EXPORT_START_BYTES = 16
export const EXPORT_HEADER_BYTES_MAX = 1_024
export const DIGEST_BYTES = 32
const CRC_BYTES = 4

/** The first byte of a record, and the length of what is before its checksum. */
export const RECORDS = {
  data: { kind: 1, bytes: 13 },
  zeroes: { kind: 2, bytes: 17 },
  end: { kind: 3, bytes: 33 },
} as const

export interface ExportHeader {
  /** Bytes of the volume. */
  readonly size: number
  /** Of the snapshot that the stream leads to. */
  readonly identity: string
  readonly name: string
  /** The identity of the snapshot that it starts from; null: a volume of holes. */
  readonly from: string | null
}

export interface ExportCounts {
  readonly dataRecords: number
  readonly dataBytes: number
  readonly zeroesRecords: number
  readonly zeroesBytes: number
}

export const NO_COUNTS: ExportCounts = {
  ...{ dataRecords: 0, dataBytes: 0 },
  ...{ zeroesRecords: 0, zeroesBytes: 0 },
}

export function counted(
  counts: ExportCounts,
  kind: 'data' | 'zeroes',
  bytes: number,
): ExportCounts {
  return kind === 'data'
    ? { ...counts, dataRecords: counts.dataRecords + 1, dataBytes: counts.dataBytes + bytes }
    : {
        ...counts,
        zeroesRecords: counts.zeroesRecords + 1,
        zeroesBytes: counts.zeroesBytes + bytes,
      }
}

/** Makes the stream piece by piece, in ascending order. */
export class ExportEncoder {
  readonly #digest = createHash('sha256')
  #counts = NO_COUNTS
  /** Nothing may come before it any more. */
  #at = 0
  #bytes = 0

  get counts(): ExportCounts {
    return this.#counts
  }

  /** Of all pieces made so far. */
  get bytes(): number {
    return this.#bytes
  }

  header({ size, identity, name, from }: ExportHeader): Uint8Array {
    assert(identity.length <= IDENTITY_LENGTH_MAX, 'an identity fits its field')
    const texts = [identity, name, from ?? ''].flatMap(text => {
      const bytes = Buffer.from(text, 'utf8')
      const length = Buffer.alloc(2)
      length.writeUInt16LE(bytes.length)
      return [length, bytes]
    })
    const start = Buffer.alloc(EXPORT_START_BYTES + 12)
    const rest = Buffer.concat(texts)
    start.write(EXPORT_MAGIC, 0, 'latin1')
    start.writeUInt32LE(EXPORT_VERSION, 8)
    start.writeUInt32LE(start.length + rest.length + CRC_BYTES, 12)
    start.writeUInt32LE(BLOCK_BYTES, 16)
    start.writeBigUInt64LE(BigInt(size), 20)
    return this.#piece(withChecksum(Buffer.concat([start, rest])))
  }

  data(offset: number, content: Uint8Array): readonly Uint8Array[] {
    assert(content.length <= EXPORT_RECORD_BYTES_MAX, 'a record has at most so much')
    this.#advance('data', offset, content.length)
    const head = Buffer.alloc(RECORDS.data.bytes)
    head.writeUInt8(RECORDS.data.kind)
    head.writeBigUInt64LE(BigInt(offset), 1)
    head.writeUInt32LE(content.length, 9)
    const checksum = Buffer.alloc(CRC_BYTES)
    checksum.writeUInt32LE(crc32(content, crc32(head)))
    return [this.#piece(Buffer.concat([head, checksum])), this.#piece(content)]
  }

  zeroes(offset: number, length: number): Uint8Array {
    this.#advance('zeroes', offset, length)
    const bytes = Buffer.alloc(RECORDS.zeroes.bytes)
    bytes.writeUInt8(RECORDS.zeroes.kind)
    bytes.writeBigUInt64LE(BigInt(offset), 1)
    bytes.writeBigUInt64LE(BigInt(length), 9)
    return this.#piece(withChecksum(bytes))
  }

  end(): Uint8Array {
    const { dataRecords, dataBytes, zeroesRecords, zeroesBytes } = this.#counts
    const bytes = Buffer.alloc(RECORDS.end.bytes)
    bytes.writeUInt8(RECORDS.end.kind)
    ;[dataRecords, dataBytes, zeroesRecords, zeroesBytes].forEach((count, i) => {
      bytes.writeBigUInt64LE(BigInt(count), 1 + 8 * i)
    })
    const before = this.#piece(withChecksum(bytes))
    this.#bytes += DIGEST_BYTES
    return Buffer.concat([before, this.#digest.digest()])
  }

  #advance(kind: 'data' | 'zeroes', offset: number, length: number): void {
    const whole = offset % BLOCK_BYTES === 0 && length % BLOCK_BYTES === 0
    assert(whole && length > 0 && offset >= this.#at, 'whole blocks, in ascending order')
    this.#at = offset + length
    this.#counts = counted(this.#counts, kind, length)
  }

  #piece(bytes: Uint8Array): Uint8Array {
    this.#digest.update(bytes)
    this.#bytes += bytes.length
    return bytes
  }
}

function withChecksum(bytes: Uint8Array): Uint8Array {
  const checksum = Buffer.alloc(CRC_BYTES)
  checksum.writeUInt32LE(crc32(bytes))
  return Buffer.concat([bytes, checksum])
}
