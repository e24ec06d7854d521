// Reads an exported snapshot as its bytes come in, and says in one sentence what is wrong with it.
// What comes out of it is whole and was not damaged; that it is all of it is known after finish().
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, EXPORT_RECORD_BYTES_MAX, VOLUME_BYTES_MAX } from '../../base/limits.js'
import { nameProblem, sizeProblem } from '../../layout/names.js'
import { identityProblem } from '../../snapshot/identity.js'
import {
  counted,
  DIGEST_BYTES,
  EXPORT_HEADER_BYTES_MAX,
  EXPORT_MAGIC,
  EXPORT_START_BYTES,
  EXPORT_VERSION,
  NO_COUNTS,
  RECORDS,
  type ExportHeader,
} from './export-format.js'

export type ExportItem =
  | ({ readonly kind: 'header' } & ExportHeader)
  | { readonly kind: 'data'; readonly offset: number; readonly content: Uint8Array }
  | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number }

/** What the next bytes are, as soon as `bytes` of them are there. */
interface Expected {
  readonly bytes: number
  /** Null: more is to be read before there is an item. */
  readonly read: (bytes: Buffer) => ExportItem | null
}

export class ExportDecoder {
  readonly #digest = createHash('sha256')
  #parts: Uint8Array[] = []
  #held = 0
  /** In the stream, of what is read next. */
  #position = 0
  #size = 0
  #end = 0
  #counts = NO_COUNTS
  #next: Expected | null = { bytes: EXPORT_START_BYTES, read: bytes => this.#start(bytes) }

  /** What is complete with these bytes, which belong to the decoder from now on. */
  push(bytes: Uint8Array): readonly ExportItem[] {
    if (bytes.length === 0) return []
    this.#parts.push(bytes)
    this.#held += bytes.length
    const items: ExportItem[] = []
    while (this.#next && this.#held >= this.#next.bytes) {
      const { bytes: count, read } = this.#next
      const item = read(this.#take(count))
      if (item) items.push(item)
    }
    if (!this.#next && this.#held > 0) {
      throw this.#damaged('something follows its end')
    }
    return items
  }

  /** No more bytes come: throws if the end was not among them. */
  finish(): void {
    if (!this.#next) return
    throw new SwarmdiskError(
      'corrupt',
      `The stream ends after ${this.#position + this.#held} bytes, before its end: it was cut ` +
        'off on its way; export it again.',
    )
  }

  #take(count: number): Buffer {
    const [first] = this.#parts
    const one = first !== undefined && this.#parts.length === 1 ? first : Buffer.concat(this.#parts)
    const whole = Buffer.from(one.buffer, one.byteOffset, one.length)
    this.#parts = whole.length > count ? [whole.subarray(count)] : []
    this.#held -= count
    this.#position += count
    return whole.subarray(0, count)
  }

  #start(start: Buffer): null {
    if (start.toString('latin1', 0, 8) !== EXPORT_MAGIC) {
      throw new SwarmdiskError(
        'bad-input',
        'This is no exported snapshot: give what "swarmdisk snapshot export" has written.',
      )
    }
    const version = start.readUInt32LE(8)
    if (version !== EXPORT_VERSION) {
      throw new SwarmdiskError(
        'bad-input',
        `The stream has format ${version}, this release knows ${EXPORT_VERSION}: use the release ` +
          'that made it, or a newer one.',
      )
    }
    const length = start.readUInt32LE(12)
    if (length <= EXPORT_START_BYTES || length > EXPORT_HEADER_BYTES_MAX) {
      throw this.#damaged('its header has an impossible length')
    }
    const bytes = length - EXPORT_START_BYTES
    this.#next = { bytes, read: rest => this.#header(Buffer.concat([start, rest])) }
    return null
  }

  #header(bytes: Buffer): ExportItem {
    const content = this.#checked(bytes)
    if (content.length < 28) throw this.#damaged('its header is too short')
    if (content.readUInt32LE(16) !== BLOCK_BYTES) throw this.#damaged('its block size is not ours')
    const size = Number(content.readBigUInt64LE(20))
    let at = 28
    const text = (): string => {
      const length = at + 2 <= content.length ? content.readUInt16LE(at) : Infinity
      if (at + 2 + length > content.length) throw this.#damaged('a text of its header is too long')
      at += 2 + length
      return content.toString('utf8', at - length, at)
    }
    const [identity, name, from] = [text(), text(), text()]
    if (at !== content.length) throw this.#damaged('its header has more than belongs there')
    const problem =
      sizeProblem(size) ??
      nameProblem('snapshot name', name) ??
      identityProblem(identity) ??
      (from === '' ? null : identityProblem(from))
    if (problem !== null) throw this.#damaged(`its header says what cannot be (${problem})`)
    this.#digest.update(bytes)
    this.#size = size
    this.#expectRecord()
    return { kind: 'header', size, identity, name, from: from === '' ? null : from }
  }

  #expectRecord(): void {
    this.#next = { bytes: 1, read: kind => this.#record(kind) }
  }

  #record(kind: Buffer): null {
    const found = Object.entries(RECORDS).find(([, record]) => record.kind === kind[0])
    if (!found) throw this.#damaged('a record of no known kind')
    const [name, { bytes }] = found
    const whole = (rest: Buffer): Buffer => Buffer.concat([kind, rest])
    const read = {
      data: (rest: Buffer) => this.#data(whole(rest)),
      zeroes: (rest: Buffer) => this.#zeroes(whole(rest)),
      end: (rest: Buffer) => this.#trailer(whole(rest)),
    }[name as keyof typeof RECORDS]
    // The checksum stands behind these fields; of data, before the content.
    this.#next = { bytes: bytes - 1 + 4, read }
    return null
  }

  #data(head: Buffer): null {
    const offset = Number(head.readBigUInt64LE(1))
    const length = head.readUInt32LE(9)
    if (length > EXPORT_RECORD_BYTES_MAX) throw this.#damaged('a record is longer than any')
    if (length === 0) throw this.#damaged('a record of nothing')
    const read = (content: Buffer): ExportItem => {
      const checksum = crc32(content, crc32(head.subarray(0, RECORDS.data.bytes)))
      if (head.readUInt32LE(RECORDS.data.bytes) !== checksum) {
        throw this.#damaged('a checksum does not match')
      }
      this.#digest.update(head).update(content)
      this.#inOrder('data', offset, length)
      return { kind: 'data', offset, content }
    }
    this.#next = { bytes: length, read }
    return null
  }

  #zeroes(bytes: Buffer): ExportItem {
    const content = this.#checked(bytes)
    const offset = Number(content.readBigUInt64LE(1))
    const length = Number(content.readBigUInt64LE(9))
    this.#digest.update(bytes)
    this.#inOrder('zeroes', offset, length)
    return { kind: 'zeroes', offset, length }
  }

  #trailer(bytes: Buffer): null {
    const content = this.#checked(bytes)
    const { dataRecords, dataBytes, zeroesRecords, zeroesBytes } = this.#counts
    const wanted = [dataRecords, dataBytes, zeroesRecords, zeroesBytes]
    if (!wanted.every((count, i) => content.readBigUInt64LE(1 + 8 * i) === BigInt(count))) {
      throw this.#damaged('records are missing')
    }
    const digest = this.#digest.update(bytes).digest()
    const read = (given: Buffer): null => {
      if (!digest.equals(given)) throw this.#damaged('the checksum of the whole does not match')
      this.#next = null
      return null
    }
    this.#next = { bytes: DIGEST_BYTES, read }
    return null
  }

  #inOrder(kind: 'data' | 'zeroes', offset: number, length: number): void {
    const whole = offset % BLOCK_BYTES === 0 && length % BLOCK_BYTES === 0
    if (!whole || length === 0 || length > VOLUME_BYTES_MAX || offset + length > this.#size) {
      throw this.#damaged('a record lies outside of the volume')
    }
    if (offset < this.#end) throw this.#damaged('records are out of order')
    this.#end = offset + length
    this.#counts = counted(this.#counts, kind, length)
    this.#expectRecord()
  }

  /** Without the checksum at its end. */
  #checked(bytes: Buffer): Buffer {
    const content = bytes.subarray(0, -4)
    if (crc32(content) === bytes.readUInt32LE(content.length)) return content
    throw this.#damaged('a checksum does not match')
  }

  #damaged(what: string): SwarmdiskError {
    return new SwarmdiskError(
      'corrupt',
      `The stream is damaged before byte ${this.#position}, ${what}: export it again.`,
    )
  }
}
