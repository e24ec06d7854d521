// A shard's blocks in its layer files: order of overlapping calls, which file is read and written,
// and files that come and go with the layers. A call finds its files when it is made; those that
// were merged into others until its turn came are passed over.
import { createHash } from 'node:crypto'
import { assert } from '../../base/assert.js'
import type { BlockIndex, Epoch } from '../../base/brands.js'
import { Coalesced } from '../../base/coalesced.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import { BLOCKS_PER_INDEX_PAGE, INDEX_ENTRY_BYTES } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { hasLayer, type LayerRecord } from '../../layout/layers.js'
import type {
  CopiedEntries,
  MergeProgress,
  PageSummaryEntry,
  ReadResult,
  ShardStore,
} from '../shard-store.js'
import { copiedBlocks, rangeOf, writtenBlocks, type Change } from './block-runs.js'
import { readChain, readChainNow, type Chain } from './chain-reader.js'
import type { PageUse } from './index-cache.js'
import type { BlockRun } from './layer-file.js'
import {
  INDEX_PAGE_BYTES,
  isEmptyPage,
  isPresent,
  overlay,
  type BlockRange,
} from './layer-format.js'
import type { LayerStore } from './layer-store.js'
import { LayerTable } from './layer-table.js'
import { ShardMerges, type Merges } from './merges.js'
import { RangeOrder, type Turn } from './range-order.js'
import { ShardReclaiming, type Reclaiming } from './space/reclaiming.js'

/** 128 bits tell any two pages apart; nobody attacks with them. */
const SUMMARY_BYTES = 16

/** The files of one shard. */
export interface ShardFolder {
  readonly path: string
  create(layer: number): Promise<LayerStore>
  unlink(layer: number): Promise<void>
  /** Names that came and went are durable. */
  sync(): Promise<void>
}

export interface FileShardStoreOptions {
  readonly folder: ShardFolder
  /** Those that are there. */
  readonly files: readonly LayerStore[]
  readonly layers: readonly LayerRecord[]
  readonly log: Log
  readonly merges: Merges
  readonly reclaiming: Reclaiming
}

/** The path of a file's new name. */
export type NameOf = (number: number) => string

/** More than any shard has. */
const ALL_BLOCKS = { first: 0, last: Number.MAX_SAFE_INTEGER }

export class FileShardStore implements ShardStore {
  readonly #folder: ShardFolder
  readonly #log: Log
  readonly #table: LayerTable<LayerStore>
  readonly #order = new RangeOrder()
  readonly #flushes = new Coalesced(() => this.#flush())
  readonly #merges: ShardMerges
  readonly #reclaiming: ShardReclaiming
  /** Deletions of files under way. */
  readonly #deleting = new Set<Promise<void>>()
  #preparing: Promise<void> = Promise.resolve()
  #closed = false
  #abandoned = false
  /** Nobody knows which names the folder has after a crash: what is written could be lost. */
  #broken: SwarmdiskError | null = null

  constructor(options: FileShardStoreOptions) {
    this.#folder = options.folder
    this.#log = options.log
    this.#table = new LayerTable(options.layers)
    for (const file of options.files) this.#table.add(file)
    this.#merges = new ShardMerges(options.merges, {
      path: this.#folder.path,
      holds: file => this.#table.holds(file),
      unmerged: () => this.#table.unmerged(),
      turn: range => this.#mergeTurn(range === 'all' ? ALL_BLOCKS : range),
      quiet: () => this.#order.writesEnded(),
      remove: file => this.#removeMerged(file),
    })
    this.#reclaiming = new ShardReclaiming(options.reclaiming, {
      files: () => this.#table.files(),
      turn: range => this.#mergeTurn(range),
    })
  }

  // ---- layers -----------------------------------------------------------------------------------

  get layers(): readonly LayerRecord[] {
    return this.#table.layers
  }

  prepareLayers(layers: readonly LayerRecord[]): Promise<void> {
    const prepare = async (): Promise<void> => {
      for (const layer of this.#table.missing(layers)) {
        this.#check()
        this.#table.add(await this.#folder.create(layer))
      }
    }
    const prepared = this.#preparing.then(prepare)
    this.#preparing = prepared.catch(() => undefined)
    return prepared
  }

  setLayers(layers: readonly LayerRecord[]): void {
    this.#check()
    assert(this.#table.missing(layers).length === 0, 'layers are prepared before they are set')
    this.#table.setLayers(layers)
    const abandoned = this.#table.abandoned()
    for (const file of abandoned) this.#table.remove(file)
    if (abandoned.length > 0) {
      const deleting = this.#delete(abandoned).finally(() => this.#deleting.delete(deleting))
      this.#deleting.add(deleting)
    }
    this.#merges.start()
  }

  /** Gives the files of these numbers other names, when they are quiet and durable. */
  async share(isWanted: (number: number) => boolean, nameOf: NameOf): Promise<readonly number[]> {
    this.#check()
    const turn = await this.#mergeTurn(ALL_BLOCKS)
    try {
      if (this.#broken) throw this.#broken
      const files = this.#table.files().filter(({ number }) => isWanted(number))
      for (const file of files) await file.share(nameOf(file.number))
      return files.map(({ number }) => number)
    } finally {
      turn.leave()
    }
  }

  /** Of the disk, and of which file it is. */
  files(): readonly Pick<LayerStore, 'inode' | 'shared' | 'used'>[] {
    return this.#table.files()
  }

  merging(): MergeProgress | null {
    return this.#merges.progress()
  }

  // ---- blocks -----------------------------------------------------------------------------------

  read(
    block: BlockIndex,
    into: Uint8Array,
    layer = this.#table.head,
  ): ReadResult | Promise<ReadResult> {
    return this.#read(this.#table.chain(layer), { block, bytes: into })
  }

  async readLayer(layer: number, block: BlockIndex, into: Uint8Array): Promise<ReadResult> {
    this.#check()
    return this.#readInTurn(this.#table.own(layer), { block, bytes: into }, 'once')
  }

  write(block: BlockIndex, data: Uint8Array, written: Epoch): Promise<void> | null {
    const files = this.#table.group(this.#table.head)
    const change = writtenBlocks(block, data, written)
    return this.#changeNow(files, change) ? null : this.#change(files, change)
  }

  async adopt(layer: number, block: BlockIndex, copy: CopiedEntries): Promise<void> {
    await this.#change(this.#table.group(layer), copiedBlocks(block, copy))
  }

  flush(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError())
    return this.#flushes.request()
  }

  /** Regions that are clean and were not written since the last call leave the dirty log. */
  forgetUnused(): void {
    for (const file of this.#table.files()) file.forget('unused')
  }

  // ---- entries ----------------------------------------------------------------------------------

  pageCount(layer: number): number {
    return Math.max(...this.#table.group(layer).map(file => file.pageCount))
  }

  async summaries(
    layer: number,
    { first, count }: { readonly first: number; readonly count: number },
  ): Promise<readonly PageSummaryEntry[]> {
    const found: PageSummaryEntry[] = []
    for (let page = first; page < first + count; page++) {
      if (!hasLayer(this.layers, layer) || page >= this.pageCount(layer)) break
      const bytes = await this.indexPage(layer, page)
      if (isEmptyPage(bytes)) continue
      const hash = createHash('sha256').update(bytes).digest().subarray(0, SUMMARY_BYTES)
      found.push({ page, hash })
    }
    return found
  }

  async indexPage(layer: number, page: number): Promise<Uint8Array> {
    this.#check()
    const files = this.#table.group(layer)
    const first = page * BLOCKS_PER_INDEX_PAGE
    const turn = this.#order.enter({ first, last: first + BLOCKS_PER_INDEX_PAGE - 1 }, 'read')
    try {
      if (turn.ready) await turn.ready
      let bytes: Uint8Array | null = null
      for (const file of files) {
        if (file.gone) continue
        const lower = await file.indexPage(page)
        if (bytes) overlay(bytes, lower)
        else bytes = lower
      }
      return bytes ?? new Uint8Array(INDEX_PAGE_BYTES)
    } finally {
      turn.leave()
    }
  }

  isKnownEmpty(layer: number, page: number): boolean {
    return this.#table.group(layer).every(file => file.isKnownEmpty(page))
  }

  used(): number {
    return this.#table.files().reduce((sum, file) => sum + file.used, 0)
  }

  /** Flushes first. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([this.#merges.stop(), this.#reclaiming.stop()])
    try {
      await this.#flushes.request()
    } finally {
      await this.#closeFiles()
    }
  }

  /** Closes without making anything durable: the files are about to be deleted. */
  async abandon(): Promise<void> {
    this.#closed = true
    this.#abandoned = true
    await Promise.all([this.#merges.stop(), this.#reclaiming.stop()])
    // A flush in progress still uses the files; its failure is told to those who asked for it.
    await this.#flushes.request().catch(() => undefined)
    await this.#closeFiles()
  }

  // ---- inside -----------------------------------------------------------------------------------

  #read(chain: Chain, whole: BlockRun): ReadResult | Promise<ReadResult> {
    this.#check()
    const range = rangeOf(whole.block, whole.bytes)
    const found = this.#order.isFree(range, 'read') ? readChainNow(chain, whole) : null
    return found ?? this.#readInTurn(chain, whole)
  }

  async #readInTurn(chain: Chain, whole: BlockRun, use: PageUse = 'again'): Promise<ReadResult> {
    const turn = this.#order.enter(rangeOf(whole.block, whole.bytes), 'read')
    try {
      if (turn.ready) await turn.ready
      return await readChain(chain, whole, use)
    } finally {
      turn.leave()
    }
  }

  /** False: it has to wait for something, and #change() has to do all of it. */
  #changeNow(files: readonly LayerStore[], change: Change): boolean {
    this.#check()
    if (this.#broken) throw this.#broken
    const [file] = files
    if (!file || files.length > 1 || file.gone) return false
    if (!this.#order.isFree(change, 'write')) return false
    this.#merges.noteChange(file, change)
    return file.changeNow(change)
  }

  async #change(files: readonly LayerStore[], change: Change): Promise<void> {
    this.#check()
    const turn = this.#order.enter(change, 'write')
    try {
      if (turn.ready) await turn.ready
      if (this.#broken) throw this.#broken
      const [newest, ...older] = files.filter(file => !file.gone)
      assert(newest, 'one file of a layer stays')
      if (older.length > 0) await this.#clear(older, change)
      this.#merges.noteChange(newest, change)
      await newest.change(change)
    } finally {
      turn.leave()
    }
  }

  /**
   * Blocks that become absent must not be seen in older files: these lose them first, the oldest
   * before all, and durably, or a crash could show what had long been overwritten.
   */
  async #clear(older: readonly LayerStore[], { first, last, entries }: Change): Promise<void> {
    for (const file of older.toReversed()) {
      let cleared = false
      for (let block = first; block <= last; block++) {
        const slot = block % BLOCKS_PER_INDEX_PAGE
        if (isPresent(entries, block - first)) continue
        const page = await file.indexPage(Math.floor(block / BLOCKS_PER_INDEX_PAGE))
        if (!isPresent(page, slot)) continue
        const absent = new Uint8Array(INDEX_ENTRY_BYTES)
        await file.change({ first: block, last: block, entries: absent, runs: [] })
        cleared = true
      }
      if (cleared) await file.flush()
    }
  }

  async #flush(): Promise<void> {
    if (this.#abandoned) throw this.#closedError()
    await this.#order.writesEnded()
    if (this.#broken) throw this.#broken
    await Promise.all(this.#table.files().map(file => file.flush()))
    this.#reclaiming.start()
  }

  // ---- files that go ----------------------------------------------------------------------------

  async #mergeTurn(range: BlockRange): Promise<Turn> {
    const turn = this.#order.enter(range, 'write')
    if (turn.ready) await turn.ready
    return turn
  }

  /** All that it had is durable in the file that it was merged with. */
  async #removeMerged(file: LayerStore): Promise<void> {
    await this.#folder.unlink(file.number)
    try {
      await this.#folder.sync()
    } catch (error) {
      const message = `${this.#folder.path} could not be synced: restart this server`
      this.#broken = new SwarmdiskError('disk-error', message, { cause: error })
      throw this.#broken
    }
    file.leave()
    // It may have gone meanwhile, with its layer.
    if (this.#table.holds(file)) this.#table.remove(file)
    // Zeroes that have moved down leave space behind, and perhaps nobody flushes any more.
    this.#reclaiming.start()
  }

  /** Of layers that are gone. Reads of them that were called before end first. */
  async #delete(files: readonly LayerStore[]): Promise<void> {
    await this.#order.allEnded()
    await this.#merges.released()
    const left = files.filter(file => !file.gone)
    try {
      for (const file of left) await this.#folder.unlink(file.number)
      await this.#folder.sync()
      for (const file of left) file.leave()
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      // Found again, and deleted, when the shard is opened the next time.
      this.#log.warn('files of layers that are gone could not be deleted', {
        folder: this.#folder.path,
        error: error.message,
      })
    } finally {
      for (const file of left) await file.close()
    }
  }

  async #closeFiles(): Promise<void> {
    await this.#preparing
    await Promise.all(this.#deleting)
    await this.#order.allEnded()
    for (const file of this.#table.files()) await file.close()
  }

  #check(): void {
    if (this.#closed) throw this.#closedError()
  }

  #closedError(): SwarmdiskError {
    return new SwarmdiskError('aborted', `${this.#folder.path} was closed`)
  }
}
