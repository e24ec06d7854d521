// The only way to write a metadata file: a new file beside the old one, fsync, rename, fsync of
// the folder. Whoever reads finds the old content or the new one, whole, whatever happened in
// between; anything else is reported as corrupt. Two writes of one path must not overlap: the
// owner of the file orders them. Bytes: docs/on-disk-format.md.
import { crc32 } from 'node:zlib'
import { assert } from '../base/assert.js'
import { SwarmdiskError } from '../base/errors.js'
import { DURABLE_FILE_BYTES_MAX } from '../base/limits.js'
import type { Disk } from './disk.js'

export interface DurableFormat {
  /** Eight ASCII characters that say what the file is. */
  readonly magic: string
  /** The newest version that this release reads, and the one it writes; starts at 1. */
  readonly version: number
}

export interface DurableContent {
  /** At most the version of the format asked for. */
  readonly version: number
  readonly payload: Uint8Array
}

const HEADER_BYTES = 32
const CHECKED_BYTES = 24

export async function writeDurableFile(
  disk: Disk,
  path: string,
  content: { readonly format: DurableFormat; readonly payload: Uint8Array },
): Promise<void> {
  await writeReplacing(disk, path, encode(content.format, content.payload))
}

/** The steps of a durable replacement, for files that bring their own format. */
export async function writeReplacing(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`
  // What a crash left of an earlier attempt must not shine through.
  await disk.remove(temporary)
  const file = await disk.open(temporary, 'create')
  assert(file, 'creating gives a file')
  try {
    await file.write(bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
  await disk.syncFolder(folderOf(path))
}

/** Null if there is no such file. What was read is durable, whoever wrote it. */
export async function readDurableFile(
  disk: Disk,
  path: string,
  format: DurableFormat,
): Promise<DurableContent | null> {
  const bytes = await readWhole(disk, path, DURABLE_FILE_BYTES_MAX + HEADER_BYTES)
  if (!bytes) return null
  const content = decode(path, format, bytes)
  // An earlier process may have been killed after the rename and before the folder's sync: nobody
  // may act on content that a power cut takes back.
  await disk.syncFolder(folderOf(path))
  return content
}

export async function readWhole(
  disk: Disk,
  path: string,
  limit: number,
): Promise<Uint8Array | null> {
  const file = await disk.open(path, 'existing')
  if (!file) return null
  try {
    const size = await file.size()
    if (size > limit) throw corrupt(path, `it is larger than ${limit} bytes`)
    const bytes = new Uint8Array(size)
    if ((await file.read(bytes, 0)) !== size) throw corrupt(path, 'it ends too early')
    return bytes
  } finally {
    await file.close()
  }
}

export function folderOf(path: string): string {
  const end = path.lastIndexOf('/')
  return end < 0 ? '' : path.slice(0, end)
}

function encode(format: DurableFormat, payload: Uint8Array): Uint8Array {
  assert(/^[!-~]{8}$/.test(format.magic), 'a magic has eight ASCII characters')
  assert(format.version >= 1, 'versions start at 1')
  assert(payload.length <= DURABLE_FILE_BYTES_MAX, 'the payload is within its limit')
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.write(format.magic, 0, 'latin1')
  bytes.writeUInt32LE(format.version, 8)
  bytes.writeBigUInt64LE(BigInt(payload.length), 16)
  bytes.set(payload, HEADER_BYTES)
  bytes.writeUInt32LE(checksum(bytes), CHECKED_BYTES)
  return bytes
}

function decode(path: string, format: DurableFormat, bytes: Uint8Array): DurableContent {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.length < HEADER_BYTES) throw corrupt(path, 'it is too short')
  if (view.toString('latin1', 0, 8) !== format.magic) {
    throw corrupt(path, `it does not begin with ${format.magic}`)
  }
  const version = view.readUInt32LE(8)
  if (version > format.version) {
    throw new SwarmdiskError(
      'data-directory',
      `${path} has format ${version}, this release knows ${format.version}: use a newer release`,
    )
  }
  if (view.readBigUInt64LE(16) !== BigInt(view.length - HEADER_BYTES)) {
    throw corrupt(path, 'its length is wrong')
  }
  if (view.readUInt32LE(CHECKED_BYTES) !== checksum(view)) {
    throw corrupt(path, 'its checksum is wrong')
  }
  if (version < 1) throw corrupt(path, 'its version is 0')
  return { version, payload: bytes.subarray(HEADER_BYTES) }
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, CHECKED_BYTES)))
}

function corrupt(path: string, why: string): SwarmdiskError {
  return new SwarmdiskError('corrupt', `${path} is damaged: ${why}; restore it from a backup`)
}
