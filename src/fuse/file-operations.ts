// What files a mount has and what can be done with them, over the volume driver and for every
// transport alike:
//
//     /                                one image file per volume of the newest configuration
//     /<volume>.img                    as long as the volume, used like a block device
//     /.snapshots/                     read-only; one image file per snapshot
//     /.snapshots/<volume>@<name>.img  as long as the volume was then, and always the same
//
// Failures are thrown: FileRefusal, or what the driver threw; errno.ts knows their numbers. What
// changes names is not here at all: transports refuse the operations of REFUSED_OPERATIONS, with
// what refusalOfChange() says.
import { byteCount, byteOffset } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import { FUSE_HANDLES_MAX, NAME_LENGTH_MAX, REQUEST_BYTES_MAX } from '../base/limits.js'
import { assert } from '../base/assert.js'
import type { OpenSnapshot, OpenVolume, VolumeDriver } from '../client/volume-driver.js'
import { FileRefusal } from './errno.js'

export const IMAGE_SUFFIX = '.img'
export const SNAPSHOT_DIRECTORY = '.snapshots'
/** "<volume>@<snapshot>.img" */
export const FILE_NAME_LENGTH_MAX = 2 * NAME_LENGTH_MAX + '@'.length + IMAGE_SUFFIX.length

/** Volumes are made and deleted with commands, so all of these answer "not permitted". */
export const REFUSED_OPERATIONS = [
  'create',
  'mknod',
  'mkdir',
  'unlink',
  'rmdir',
  'rename',
  'link',
  'symlink',
  'chmod',
  'chown',
  'utimens',
] as const

export interface FileAttributes {
  readonly kind: 'file' | 'directory'
  readonly permissions: number
  readonly size: number
  readonly links: number
  /**
   * Milliseconds since 1970: of a snapshot when it was made, else the time of the mount, so that it
   * never changes under a reader.
   */
  readonly time: number
}

export interface Space {
  readonly bytes: number
  readonly files: number
}

/** Of an image file, to be made zero. */
export interface ZeroRange {
  readonly offset: number
  readonly length: number
  /** Else a range that ends behind the file would make it longer. */
  readonly keepSize: boolean
}

interface OpenFile {
  readonly content: Pick<OpenVolume, 'size' | 'read'>
  /** Null: a snapshot, of which nothing can be written or flushed. */
  readonly volume: OpenVolume | null
  readonly writable: boolean
  /** Written through this handle since its last flush. */
  dirty: boolean
}

type Node =
  | { readonly kind: 'root' }
  | { readonly kind: 'snapshots' }
  | { readonly kind: 'image'; readonly name: string }
  | { readonly kind: 'snapshot'; readonly volume: string; readonly name: string }

/** Of a volume, or of a snapshot as people write it: "data@monday". */
export function imageName(volume: string): string {
  return volume + IMAGE_SUFFIX
}

/** Within the mount, without a slash at its beginning. */
export function snapshotPath(snapshot: string): string {
  return `${SNAPSHOT_DIRECTORY}/${imageName(snapshot)}`
}

/** Why none of REFUSED_OPERATIONS is possible with these names. */
export function refusalOfChange(paths: readonly string[]): FileRefusal {
  const snapshots = paths.some(path => path.startsWith(`/${SNAPSHOT_DIRECTORY}/`))
  return new FileRefusal(snapshots ? 'read-only' : 'not-permitted')
}

export class FileOperations {
  readonly #driver: VolumeDriver
  readonly #time: number
  readonly #open = new Map<number, OpenFile>()
  #lastHandle = 0

  constructor(options: { readonly driver: VolumeDriver; readonly clock: Clock }) {
    this.#driver = options.driver
    this.#time = Date.parse(options.clock.date())
  }

  attributes(path: string): FileAttributes {
    const node = this.#find(path)
    const time = this.#time
    if (node.kind === 'root') {
      return { kind: 'directory', permissions: 0o755, size: 0, links: 3, time }
    }
    if (node.kind === 'snapshots') {
      return { kind: 'directory', permissions: 0o555, size: 0, links: 2, time }
    }
    if (node.kind === 'snapshot') {
      const { size, at } = this.#snapshot(node)
      return { kind: 'file', permissions: 0o400, size, links: 1, time: Date.parse(at) }
    }
    const size = this.#size(node.name)
    return { kind: 'file', permissions: 0o600, size, links: 1, time }
  }

  list(path: string): readonly string[] {
    const node = this.#find(path)
    if (node.kind === 'image' || node.kind === 'snapshot') throw new FileRefusal('not-a-directory')
    if (node.kind === 'snapshots') {
      return this.#driver.snapshots().map(({ volume, name }) => imageName(`${volume}@${name}`))
    }
    return [SNAPSHOT_DIRECTORY, ...this.#driver.volumes().map(volume => imageName(volume.name))]
  }

  /**
   * A handle for the operations below, until release(). For writing it is opened only if no other
   * client has the volume, and a snapshot never.
   */
  async open(path: string, access: { readonly write: boolean }): Promise<number> {
    const node = this.#find(path)
    if (node.kind === 'root' || node.kind === 'snapshots') throw new FileRefusal('is-a-directory')
    if (node.kind === 'snapshot' && access.write) throw new FileRefusal('read-only')
    if (this.#open.size >= FUSE_HANDLES_MAX) throw new FileRefusal('too-many-open')
    const volume = node.kind === 'image' ? this.#driver.open(node.name) : null
    const content = node.kind === 'image' ? volume : this.#snapshot(node)
    if (content === null) throw new FileRefusal('no-such-file')
    const handle = this.#freeHandle()
    this.#open.set(handle, { content, volume, writable: access.write, dirty: false })
    if (!access.write || volume === null) return handle
    try {
      await volume.attach()
    } catch (error) {
      this.#open.delete(handle)
      throw error
    }
    return handle
  }

  /** The number of bytes read: less than asked for only at the end of the volume. */
  async read(handle: number, offset: number, into: Uint8Array): Promise<number> {
    assert(into.length <= REQUEST_BYTES_MAX, 'a read fits one driver request')
    const { content } = this.#file(handle)
    const length = Math.max(0, Math.min(into.length, content.size - offset))
    if (length === 0) return 0
    await content.read(byteOffset(offset), first(into, length))
    return length
  }

  /** The number of bytes written: as on a block device, what fits, and nothing beyond the end. */
  async write(handle: number, offset: number, data: Uint8Array): Promise<number> {
    assert(data.length <= REQUEST_BYTES_MAX, 'a write fits one driver request')
    const { file, volume } = this.#writable(handle)
    const length = Math.min(data.length, volume.size - offset)
    if (data.length === 0) return 0
    if (length <= 0) throw new FileRefusal('beyond-end')
    file.dirty = true
    await volume.write(byteOffset(offset), first(data, length))
    file.dirty = true // an fsync that came meanwhile has not covered it
    return length
  }

  /** fallocate: makes a hole, or zeroes, which are the same here. */
  async zero(handle: number, { offset, length, keepSize }: ZeroRange): Promise<void> {
    const { file, volume } = this.#writable(handle)
    if (!keepSize && offset + length > volume.size) throw new FileRefusal('not-permitted')
    const inside = Math.min(length, volume.size - offset)
    if (inside <= 0) return
    file.dirty = true
    await volume.discard(byteOffset(offset), byteCount(inside))
    file.dirty = true
  }

  /**
   * fsync: asks the driver even if this handle wrote nothing, since others may have; but a mount
   * that only reads has nothing to flush.
   */
  async sync(handle: number): Promise<void> {
    const file = this.#file(handle)
    if (file.volume === null || (!file.writable && !file.volume.claimed)) return
    file.dirty = false
    try {
      await file.volume.flush()
    } catch (error) {
      file.dirty = true
      throw error
    }
  }

  /** close(2) of one of perhaps several descriptors: the last chance to report a lost write. */
  async close(handle: number): Promise<void> {
    if (this.#file(handle).dirty) await this.sync(handle)
  }

  /** With the last one for writing, the volume is given back. */
  async release(handle: number): Promise<void> {
    const file = this.#file(handle)
    this.#open.delete(handle)
    if (file.writable) await file.volume?.release()
  }

  /**
   * truncate: a volume becomes larger, for who may write to it, and never smaller. When it resolves
   * attributes() says so, too.
   */
  async resize(path: string, size: number): Promise<void> {
    const node = this.#find(path)
    if (node.kind === 'snapshot') throw new FileRefusal('read-only')
    if (node.kind !== 'image') throw new FileRefusal('is-a-directory')
    const known = this.#size(node.name)
    if (size < known) throw new FileRefusal('not-permitted')
    if (size === known) return
    const volume = this.#driver.open(node.name)
    if (volume === null) throw new FileRefusal('no-such-file')
    await volume.attach()
    try {
      await volume.grow(size)
    } finally {
      await volume.release()
    }
  }

  /** All of it is taken: nobody can make a file here. */
  space(): Space {
    const volumes = this.#driver.volumes()
    return {
      bytes: volumes.reduce((sum, volume) => sum + volume.size, 0),
      files: volumes.length,
    }
  }

  #find(path: string): Node {
    assert(path.startsWith('/'), 'paths are absolute within the mount')
    const [name = '', ...rest] = path.slice(1).split('/')
    if (name === '') return { kind: 'root' }
    if (name === SNAPSHOT_DIRECTORY) return snapshotNode(rest)
    if (rest.length > 0 || !name.endsWith(IMAGE_SUFFIX)) throw new FileRefusal('no-such-file')
    return { kind: 'image', name: name.slice(0, -IMAGE_SUFFIX.length) }
  }

  #size(volume: string): number {
    const size = this.#driver.size(volume)
    if (size === null) throw new FileRefusal('no-such-file')
    return size
  }

  #snapshot({ volume, name }: { readonly volume: string; readonly name: string }): OpenSnapshot {
    const found = this.#driver.openSnapshot(volume, name)
    if (found === null) throw new FileRefusal('no-such-file')
    return found
  }

  #writable(handle: number): { readonly file: OpenFile; readonly volume: OpenVolume } {
    const file = this.#file(handle)
    if (file.volume === null) throw new FileRefusal('read-only')
    if (!file.writable) throw new FileRefusal('bad-handle')
    return { file, volume: file.volume }
  }

  #file(handle: number): OpenFile {
    const file = this.#open.get(handle)
    if (file === undefined) throw new FileRefusal('bad-handle')
    return file
  }

  /** Transports carry 32 bits of a handle, so numbers come round; the limit leaves free ones. */
  #freeHandle(): number {
    do {
      this.#lastHandle = (this.#lastHandle % 0xffff_ffff) + 1
    } while (this.#open.has(this.#lastHandle))
    return this.#lastHandle
  }
}

/** Nearly always all of them, and then there is nothing to cut. */
function first(bytes: Uint8Array, length: number): Uint8Array {
  return length === bytes.length ? bytes : bytes.subarray(0, length)
}

/** Neither name has an "@" in it. */
function snapshotNode([file, ...rest]: readonly string[]): Node {
  if (file === undefined) return { kind: 'snapshots' }
  if (rest.length > 0 || !file.endsWith(IMAGE_SUFFIX)) throw new FileRefusal('no-such-file')
  const [volume = '', name, ...more] = file.slice(0, -IMAGE_SUFFIX.length).split('@')
  if (name === undefined || more.length > 0) throw new FileRefusal('no-such-file')
  return { kind: 'snapshot', volume, name }
}
