// A layer file that may have several names: the same file stands in the folders of a shard and of
// its clones (docs/on-disk-format.md). While it does, nobody writes it. Who wants to, looks whether
// it is the only one left, and else goes on with a copy of its own under its own name.
//
// Several of these may have the same file open, each with what it has read of it in its own cache.
// That is safe: a name goes (here, or with its whole shard) only when nobody reads through it any
// more. So whoever is left alone with a file changes what nobody else is looking at, and what the
// others remember is of a file that is gone for them, or of the copy, which is equal.
import { assert } from '../../../base/assert.js'
import { SwarmdiskError } from '../../../base/errors.js'
import type { Disk, DiskFile } from '../../../disk/disk.js'
import { folderOf } from '../../../disk/durable-file.js'

export class SharableFile {
  readonly path: string
  readonly #disk: Disk
  #file: DiskFile
  #inode: number
  /** It may have other names: this is looked at before it is written. */
  #shared: boolean
  #reads = 0
  #readsEnded: (() => void) | null = null
  /** The name is being given to the copy: reads wait. */
  #moving: Promise<void> | null = null
  /** Looking at the names and changing them happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #broken: SwarmdiskError | null = null

  private constructor(
    { path, disk }: { readonly path: string; readonly disk: Disk },
    file: DiskFile,
    found: { readonly inode: number; readonly names: number },
  ) {
    this.path = path
    this.#disk = disk
    this.#file = file
    this.#inode = found.inode
    this.#shared = found.names > 1
  }

  /** Null if there is none. */
  static async open(disk: Disk, path: string): Promise<SharableFile | null> {
    const file = await disk.open(path, 'existing')
    if (!file) return null
    try {
      return new SharableFile({ path, disk }, file, await file.links())
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get inode(): number {
    return this.#inode
  }

  get shared(): boolean {
    return this.#shared
  }

  // ---- content ----------------------------------------------------------------------------------

  async read(into: Uint8Array, position: number): Promise<number> {
    while (this.#moving) await this.#moving
    this.#reads++
    try {
      return await this.#file.read(into, position)
    } finally {
      this.#reads--
      if (this.#reads === 0) this.#readsEnded?.()
    }
  }

  /** As DiskFile.readNow(). */
  readNow(into: Uint8Array, position: number): number | null {
    return this.#moving ? null : this.#file.readNow(into, position)
  }

  /** After own(), in the same turn of the shard. */
  write(data: Uint8Array, position: number): Promise<void> {
    assert(!this.#shared, 'a file with several names is not written')
    return this.#file.write(data, position)
  }

  /** As write() and DiskFile.writeNow(). */
  writeNow(data: Uint8Array, position: number): boolean {
    assert(!this.#shared, 'a file with several names is not written')
    return this.#file.writeNow(data, position)
  }

  /** As write(). */
  punch(position: number, length: number): Promise<boolean> {
    assert(!this.#shared, 'a file with several names is not written')
    return this.#file.punch(position, length)
  }

  sync(): Promise<void> {
    return this.#file.sync()
  }

  size(): Promise<number> {
    return this.#file.size()
  }

  allocated(): Promise<number> {
    return this.#file.allocated()
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  // ---- names ------------------------------------------------------------------------------------

  /** The others may have gone. */
  look(): Promise<void> {
    return this.#exclusively(() => this.#look())
  }

  /** Another name; everything is durable, and nobody writes meanwhile. */
  share(name: string): Promise<void> {
    return this.#exclusively(async () => {
      this.#shared = true
      await this.#disk.link(this.path, name)
    })
  }

  /**
   * The file has this name alone when it resolves. `copy` writes what is here into a new file; it
   * needs no turn, since nobody writes here meanwhile. Not twice at the same time.
   */
  async own(copy: (to: DiskFile) => Promise<void>): Promise<void> {
    await this.look()
    if (!this.#shared) return
    const path = `${this.path}.new`
    await this.#disk.remove(path)
    const next = await this.#disk.open(path, 'create')
    assert(next, 'creating gives a file')
    try {
      await copy(next)
      await next.sync()
      await this.#exclusively(() => this.#replaceBy(next))
    } catch (error) {
      if (this.#file === next) throw error
      await next.close()
      // It counts for nothing, but takes space; the next attempt removes it as well.
      await this.#disk.remove(path).catch(() => undefined)
      throw error
    }
  }

  async #look(): Promise<void> {
    if (this.#broken) throw this.#broken
    const { names } = await this.#file.links()
    this.#shared = names > 1
  }

  async #replaceBy(next: DiskFile): Promise<void> {
    const { inode } = await next.links()
    const old = this.#file
    let moved!: () => void
    this.#moving = new Promise(resolve => {
      moved = resolve
    })
    try {
      // From the rename on somebody else may be the only one left, and write what is read here.
      if (this.#reads > 0) await new Promise<void>(resolve => (this.#readsEnded = resolve))
      await this.#disk.rename(`${this.path}.new`, this.path)
      this.#file = next
      this.#inode = inode
    } finally {
      this.#readsEnded = null
      this.#moving = null
      moved()
    }
    try {
      await this.#disk.syncFolder(folderOf(this.path))
    } catch (error) {
      // After a crash it may be the old file again: what is written to the new one could be lost.
      const message = `the folder of ${this.path} could not be synced: restart this server`
      this.#broken = new SwarmdiskError('disk-error', message, { cause: error })
      throw this.#broken
    }
    this.#shared = false
    await old.close()
  }

  #exclusively(action: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(action, action)
    this.#turn = turn
    return turn
  }
}
