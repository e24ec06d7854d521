// What the kernel is told. Answers without content are made in one small piece of memory, because
// they are sent before the next one is made; content is put behind its header where it already is.
// Pure.
import { assert } from '../../base/assert.js'
import {
  BLOCK_BYTES,
  FUSE_ATTRIBUTE_SECONDS,
  FUSE_BACKGROUND_MAX,
  FUSE_CONGESTION_THRESHOLD,
  REQUEST_BYTES_MAX,
} from '../../base/limits.js'
import type { FileAttributes, Space } from '../file-operations.js'
import { ANSWER_HEADER_BYTES, ENTRY_TYPE, INIT_FLAG, MAJOR, MINOR, OPEN_FLAG } from './protocol.js'
import type { InitOperation, RequestHeader } from './request-codec.js'

const ATTRIBUTES_BYTES = 88
const SMALL_ANSWER_BYTES = 160
const DIRECTORY_ENTRY_BYTES = 24
const S_IFREG = 0o100_000
const S_IFDIR = 0o040_000

const WANTED_FLAGS =
  INIT_FLAG.asyncRead |
  INIT_FLAG.bigWrites |
  INIT_FLAG.asyncDirectIo |
  INIT_FLAG.parallelDirectoryOperations |
  INIT_FLAG.handleKillPrivileges |
  INIT_FLAG.maxPages

export interface NodeAttributes {
  readonly node: number
  readonly attributes: FileAttributes
  readonly owner: Owner
}

export interface Owner {
  readonly uid: number
  readonly gid: number
}

export interface DirectoryEntry {
  readonly node: number
  readonly name: string
  readonly kind: FileAttributes['kind']
}

/** Completes an answer whose content stands in `buffer` behind the place of the header. */
export function seal(buffer: Buffer, header: RequestHeader, contentBytes: number): Buffer {
  return sealed(buffer, header, { error: 0, contentBytes })
}

function sealed(
  buffer: Buffer,
  { uniqueLow, uniqueHigh }: RequestHeader,
  { error, contentBytes }: { readonly error: number; readonly contentBytes: number },
): Buffer {
  const length = ANSWER_HEADER_BYTES + contentBytes
  buffer.writeUInt32LE(length, 0)
  buffer.writeInt32LE(error, 4)
  buffer.writeUInt32LE(uniqueLow, 8)
  buffer.writeUInt32LE(uniqueHigh, 12)
  return buffer.subarray(0, length)
}

/** Each answer is valid until the next one is made. */
export class Answers {
  readonly #buffer = Buffer.alloc(SMALL_ANSWER_BYTES)

  /** `errno` is negative, or 0 for success without content. */
  status(header: RequestHeader, errno: number): Buffer {
    assert(errno <= 0, 'FUSE wants negative numbers')
    return sealed(this.#buffer, header, { error: errno, contentBytes: 0 })
  }

  /** An older kernel is spoken to in its own version. */
  init(header: RequestHeader, asked: InitOperation): Buffer {
    const content = this.#content(64)
    content.writeUInt32LE(MAJOR, 0)
    content.writeUInt32LE(Math.min(asked.minor, MINOR), 4)
    content.writeUInt32LE(Math.min(asked.readAhead, REQUEST_BYTES_MAX), 8)
    content.writeUInt32LE((asked.flags & WANTED_FLAGS) >>> 0, 12)
    content.writeUInt16LE(FUSE_BACKGROUND_MAX, 16)
    content.writeUInt16LE(FUSE_CONGESTION_THRESHOLD, 18)
    content.writeUInt32LE(REQUEST_BYTES_MAX, 20)
    content.writeUInt32LE(1, 24) // times are exact to a nanosecond
    content.writeUInt16LE(REQUEST_BYTES_MAX / BLOCK_BYTES, 28)
    return seal(this.#buffer, header, content.length)
  }

  /** A kernel that speaks a newer major version asks once more, in ours. */
  version(header: RequestHeader): Buffer {
    const content = this.#content(24)
    content.writeUInt32LE(MAJOR, 0)
    content.writeUInt32LE(MINOR, 4)
    return seal(this.#buffer, header, content.length)
  }

  entry(header: RequestHeader, found: NodeAttributes): Buffer {
    const content = this.#content(40 + ATTRIBUTES_BYTES)
    write64(content, 0, found.node)
    write64(content, 16, FUSE_ATTRIBUTE_SECONDS) // the name
    write64(content, 24, FUSE_ATTRIBUTE_SECONDS) // the attributes
    writeAttributes(content.subarray(40), found)
    return seal(this.#buffer, header, content.length)
  }

  attributes(header: RequestHeader, found: NodeAttributes): Buffer {
    const content = this.#content(16 + ATTRIBUTES_BYTES)
    write64(content, 0, FUSE_ATTRIBUTE_SECONDS)
    writeAttributes(content.subarray(16), found)
    return seal(this.#buffer, header, content.length)
  }

  /**
   * An image file. No page cache: every read asks the driver, so that another client's writes are
   * seen at once; a write has left the kernel when it returns; and no dirty page waits for a
   * process that needs memory to write it. Writes of one file go on beside each other, since none
   * makes it longer.
   */
  opened(header: RequestHeader, handle: number): Buffer {
    return this.#opened(header, handle, OPEN_FLAG.directIo | OPEN_FLAG.parallelDirectWrites)
  }

  openedDirectory(header: RequestHeader, handle: number): Buffer {
    return this.#opened(header, handle, 0)
  }

  written(header: RequestHeader, bytes: number): Buffer {
    const content = this.#content(8)
    content.writeUInt32LE(bytes, 0)
    return seal(this.#buffer, header, content.length)
  }

  space(header: RequestHeader, space: Space, nameLengthMax: number): Buffer {
    const content = this.#content(80)
    write64(content, 0, Math.ceil(space.bytes / BLOCK_BYTES))
    write64(content, 24, space.files)
    content.writeUInt32LE(BLOCK_BYTES, 40)
    content.writeUInt32LE(nameLengthMax, 44)
    content.writeUInt32LE(BLOCK_BYTES, 48)
    return seal(this.#buffer, header, content.length)
  }

  #opened(header: RequestHeader, handle: number, flags: number): Buffer {
    const content = this.#content(16)
    write64(content, 0, handle)
    content.writeUInt32LE(flags, 8)
    return seal(this.#buffer, header, content.length)
  }

  #content(bytes: number): Buffer {
    return this.#buffer.subarray(ANSWER_HEADER_BYTES, ANSWER_HEADER_BYTES + bytes).fill(0)
  }
}

/**
 * Puts as many entries from number `first` on into `content` as fit, and says how many bytes they
 * take. The kernel goes on at the number that an entry carries.
 */
export function packDirectory(
  content: Buffer,
  entries: readonly DirectoryEntry[],
  first: number,
): number {
  let used = 0
  for (let i = first; i < entries.length; i++) {
    const entry = entries[i]
    assert(entry, 'within the list')
    const name = Buffer.from(entry.name)
    const bytes = Math.ceil((DIRECTORY_ENTRY_BYTES + name.length) / 8) * 8
    if (used + bytes > content.length) break
    const at = content.subarray(used, used + bytes).fill(0)
    write64(at, 0, entry.node)
    write64(at, 8, i + 1)
    at.writeUInt32LE(name.length, 16)
    at.writeUInt32LE(ENTRY_TYPE[entry.kind], 20)
    name.copy(at, DIRECTORY_ENTRY_BYTES)
    used += bytes
  }
  return used
}

function writeAttributes(at: Buffer, { node, attributes, owner }: NodeAttributes): void {
  const { kind, permissions, size, links, time } = attributes
  const seconds = Math.floor(time / 1000)
  const nanoseconds = (time - seconds * 1000) * 1e6
  write64(at, 0, node)
  write64(at, 8, size)
  write64(at, 16, Math.ceil(size / 512))
  for (let i = 0; i < 3; i++) {
    write64(at, 24 + 8 * i, seconds)
    at.writeUInt32LE(nanoseconds, 48 + 4 * i)
  }
  at.writeUInt32LE((kind === 'file' ? S_IFREG : S_IFDIR) | permissions, 60)
  at.writeUInt32LE(links, 64)
  at.writeUInt32LE(owner.uid, 68)
  at.writeUInt32LE(owner.gid, 72)
  at.writeUInt32LE(BLOCK_BYTES, 80)
}

function write64(bytes: Buffer, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a number of ours is exact')
  bytes.writeUInt32LE(value % 2 ** 32, at)
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}
