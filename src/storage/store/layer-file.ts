// One layer of one shard on the disk: index pages through the cache, runs of blocks, sync. It
// knows nothing of order or of dirty regions; who calls sees to it that nothing overlaps.
import type { ClusterId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES } from '../../base/limits.js'
import type { Disk } from '../../disk/disk.js'
import { folderOf, writeReplacing } from '../../disk/durable-file.js'
import { IndexPage, type IndexCache, type PageUse } from './index-cache.js'
import {
  blockOffset,
  checkHeader,
  contiguousBlocks,
  encodeHeader,
  INDEX_PAGE_BYTES,
  isEmptyPage,
  LAYER_HEADER_BYTES,
  pageOffset,
  pagesOfSize,
  type LayerName,
} from './layer-format.js'
import { copyLayer } from './sharing/copy-layer.js'
import { SharableFile } from './sharing/sharable-file.js'

export interface LayerFileOptions {
  readonly disk: Disk
  readonly cache: IndexCache
  readonly cluster: ClusterId | null
  readonly name: LayerName
}

export interface BlockRun {
  readonly block: number
  readonly bytes: Uint8Array
}

export class LayerFile {
  readonly path: string
  readonly #file: SharableFile
  readonly #header: Uint8Array
  readonly #cache: IndexCache
  readonly #id: number
  readonly #dirty = new Set<IndexPage>()
  /** Pages from here on have never been written. */
  #limit: number
  #pageCount = 0
  /** Pages that were read and had no entry, and have got none since. */
  readonly #absent = new PageSet()
  /** Counts changes of entries. */
  #changes = 0
  #allocated = 0
  /** From the start: an earlier process may have been killed before it synced what it wrote. */
  #unsynced = true
  /** A sync failed: what the disk holds is unknown, and asking again would only look better. */
  #failed: SwarmdiskError | null = null
  /** Somebody waits for the copy that is being made. */
  #hurry = false
  #copying: Promise<void> | null = null

  private constructor(
    { name, cluster, cache }: LayerFileOptions,
    file: SharableFile,
    size: number,
  ) {
    this.path = file.path
    this.#file = file
    this.#header = encodeHeader(name, cluster)
    this.#cache = cache
    this.#id = cache.newFile()
    this.#limit = pagesOfSize(size)
  }

  static path({ volume, shard, layer }: LayerName): string {
    return `data/${volume}/${shard}/layer-${layer}`
  }

  /** A new layer, durable; its folder exists. */
  static async create(options: LayerFileOptions): Promise<void> {
    const header = encodeHeader(options.name, options.cluster)
    await writeReplacing(options.disk, LayerFile.path(options.name), header)
  }

  /** Null if there is none. */
  static async open(options: LayerFileOptions): Promise<LayerFile | null> {
    const { disk, cluster, name } = options
    const path = LayerFile.path(name)
    const file = await SharableFile.open(disk, path)
    if (!file) return null
    try {
      const header = new Uint8Array(LAYER_HEADER_BYTES)
      const length = await file.read(header, 0)
      checkHeader(header.subarray(0, length), { path, name, cluster })
      const layer = new LayerFile(options, file, await file.size())
      layer.#pageCount = layer.#limit
      await layer.countPages()
      await layer.measure()
      return layer
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get folder(): string {
    return folderOf(this.path)
  }

  get failed(): SwarmdiskError | null {
    return this.#failed
  }

  /** One past the last page with an entry. */
  get pageCount(): number {
    return this.#pageCount
  }

  /** Bytes of disk, as of the last flush and with what was added since. */
  get allocated(): number {
    return this.#allocated
  }

  grow(bytes: number): void {
    this.#allocated += bytes
  }

  async measure(): Promise<void> {
    this.#allocated = await this.#file.allocated()
  }

  // ---- other names -----------------------------------------------------------------------------

  get inode(): number {
    return this.#file.inode
  }

  /** It may have other names. */
  get shared(): boolean {
    return this.#file.shared
  }

  /** The others may have gone. */
  async look(): Promise<void> {
    if (this.#file.shared) await this.#file.look()
  }

  /** Another name; everything is durable, and nobody writes meanwhile. */
  share(name: string): Promise<void> {
    return this.#file.share(name)
  }

  /**
   * It may be written when this resolves, by a copy if need be. With a `pause` slowly, until
   * somebody asks who has none.
   */
  async own(pause?: (bytes: number) => Promise<void>): Promise<void> {
    if (!pause) this.#hurry = true
    // The failure of another's may be that it was not wanted any more.
    while (this.#copying) await this.#copying.catch(() => undefined)
    if (!this.#file.shared) return
    this.#hurry = !pause
    const goOn = async (bytes: number): Promise<void> => {
      if (pause && !this.#hurry) await pause(bytes)
    }
    const header = this.#header
    const copying = this.#file.own(to => copyLayer(this, { to, header, pause: goOn }))
    this.#copying = copying
    try {
      await copying
    } finally {
      this.#copying = null
    }
    await this.measure()
  }

  // ---- index pages -----------------------------------------------------------------------------

  /** `once`: for a scan, which must not push other pages out of the cache. */
  pin(page: number, use: PageUse = 'again'): Promise<IndexPage> {
    return this.#cache.pin(this.#id, { page, use, load: () => this.#load(page) })
  }

  /** The same in this turn, if the page is in memory; undefined: pin() waits for the disk. */
  pinKnown(page: number): IndexPage | undefined {
    return this.#cache.pinKnown(this.#id, page)
  }

  /** The page if it is in memory, for a look within this turn. */
  use(page: number): IndexPage | undefined {
    return this.#cache.use(this.#id, page)
  }

  unpin(page: IndexPage): void {
    this.#cache.unpin(this.#id, page)
  }

  /** The page if that costs nothing: in memory, or without any entry (null); else undefined. */
  known(page: number): Uint8Array | null | undefined {
    const found = this.#cache.peek(this.#id, page)
    if (found) return found.bytes
    return page >= this.#limit || this.#absent.has(page) ? null : undefined
  }

  /** To be called in the turn in which the entries change. */
  changed(page: IndexPage): void {
    page.dirty = true
    this.#absent.delete(page.number)
    this.#changes++
    this.#dirty.add(page)
    this.#pageCount = Math.max(this.#pageCount, page.number + 1)
  }

  /** Entries may have become absent: looks for the last page that has any. */
  async countPages(): Promise<void> {
    const changes = this.#changes
    let count = this.#pageCount
    for (; count > 0; count--) {
      const page = await this.pin(count - 1, 'once')
      const empty = isEmptyPage(page.bytes)
      this.unpin(page)
      if (!empty) break
    }
    // Pages changed meanwhile may be among those that were empty; too high a count does no harm.
    if (changes === this.#changes) this.#pageCount = count
  }

  // ---- blocks ----------------------------------------------------------------------------------

  async write(run: BlockRun): Promise<void> {
    if (this.#failed) throw this.#failed
    for (const { block, bytes } of piecesOf(run)) {
      this.#unsynced = true
      await this.#file.write(bytes, blockOffset(block))
    }
  }

  /** As write(), in this turn; false: a part may have been written, write() does it all. */
  writeNow(run: BlockRun): boolean {
    if (this.#failed) throw this.#failed
    const count = run.bytes.length / BLOCK_BYTES
    if (contiguousBlocks(run.block, count) < count) return false
    this.#unsynced = true
    return this.#file.writeNow(run.bytes, blockOffset(run.block))
  }

  /** What the file does not have reads as zeroes. */
  async read(run: BlockRun): Promise<void> {
    for (const { block, bytes } of piecesOf(run)) {
      const length = await this.#file.read(bytes, blockOffset(block))
      if (length < bytes.length) bytes.fill(0, length)
    }
  }

  /** As read(), in this turn; false: read() has to do it. */
  readNow({ block, bytes }: BlockRun): boolean {
    const count = bytes.length / BLOCK_BYTES
    if (contiguousBlocks(block, count) < count) return false
    const length = this.#file.readNow(bytes, blockOffset(block))
    if (length === null) return false
    if (length < bytes.length) bytes.fill(0, length)
    return true
  }

  /** The space of blocks within one index page, which hold nothing; false: this disk cannot. */
  async punch({
    block,
    count,
  }: {
    readonly block: number
    readonly count: number
  }): Promise<boolean> {
    if (this.#failed) throw this.#failed
    this.#unsynced = true
    return this.#file.punch(blockOffset(block), count * BLOCK_BYTES)
  }

  // ---- durability ------------------------------------------------------------------------------

  /** All that was written is durable; index pages whose write had failed are written first. */
  async sync(): Promise<void> {
    if (this.#failed) throw this.#failed
    for (const page of [...this.#dirty]) await page.writer.request()
    if (!this.#unsynced) return
    this.#unsynced = false
    try {
      await this.#file.sync()
    } catch (error) {
      this.#failed = new SwarmdiskError(
        'disk-error',
        `${this.path} could not be synced, so it is not used until this server restarts`,
        { cause: error },
      )
      throw this.#failed
    }
  }

  async close(): Promise<void> {
    this.#cache.forget(this.#id)
    await this.#file.close()
  }

  async #load(number: number): Promise<IndexPage> {
    const bytes = new Uint8Array(INDEX_PAGE_BYTES)
    if (number < this.#limit) {
      const length = await this.#file.read(bytes, pageOffset(number))
      bytes.fill(0, length)
      if (isEmptyPage(bytes)) this.#absent.add(number)
    }
    return new IndexPage(number, { bytes, write: page => this.#writePage(page) })
  }

  /** In this turn, so without a copy; false: its writer has to do it. */
  writePageNow(page: IndexPage): boolean {
    if (page.writer.running) return false
    this.#unsynced = true
    if (!this.#file.writeNow(page.bytes, pageOffset(page.number))) return false
    page.dirty = false
    this.#dirty.delete(page)
    this.#hasPage(page.number)
    return true
  }

  async #writePage(page: IndexPage): Promise<void> {
    page.dirty = false
    this.#dirty.delete(page)
    this.#unsynced = true
    page.pins++
    try {
      // A copy: entries may change while the write is under way, and then it is written again.
      await this.#file.write(page.bytes.slice(), pageOffset(page.number))
    } catch (error) {
      page.dirty = true
      this.#dirty.add(page)
      throw error
    } finally {
      page.pins--
    }
    this.#hasPage(page.number)
  }

  #hasPage(number: number): void {
    this.#limit = Math.max(this.#limit, number + 1)
  }
}

/** Those parts that lie next to each other in the file: nearly always it is the run itself. */
function piecesOf(run: BlockRun): readonly BlockRun[] {
  const total = run.bytes.length / BLOCK_BYTES
  if (contiguousBlocks(run.block, total) === total) return [run]
  const pieces: BlockRun[] = []
  for (let done = 0; done < total;) {
    const block = run.block + done
    const count = contiguousBlocks(block, total - done)
    const bytes = run.bytes.subarray(done * BLOCK_BYTES, (done + count) * BLOCK_BYTES)
    pieces.push({ block, bytes })
    done += count
  }
  return pieces
}

/** A bit for each 2 MiB of blocks: of a shard of 8 TiB half a MiB. */
class PageSet {
  #words = new Uint32Array(0)

  has(page: number): boolean {
    return (((this.#words[page >>> 5] ?? 0) >>> (page & 31)) & 1) === 1
  }

  add(page: number): void {
    const word = page >>> 5
    if (word >= this.#words.length) {
      const longer = new Uint32Array(2 * word + 1)
      longer.set(this.#words)
      this.#words = longer
    }
    this.#words[word]! |= 1 << (page & 31)
  }

  delete(page: number): void {
    const word = page >>> 5
    if (word < this.#words.length) this.#words[word]! &= ~(1 << (page & 31))
  }
}
