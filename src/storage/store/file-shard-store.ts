// A shard's blocks in a layer file: order of overlapping calls, checksums, and what is durable
// when. A write goes: turn (earlier overlapping calls) → region in the dirty log → data → index
// page → answer; nothing of it is synced before a flush. Bytes: docs/on-disk-format.md.
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { assert } from '../../base/assert.js'
import type { BlockIndex, Epoch } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE, INDEX_ENTRY_BYTES } from '../../base/limits.js'
import type { IndexEntry, PageSummaryEntry, ReadResult, ShardStore } from '../shard-store.js'
import { dataRuns, encodeEntries, joined, verify } from './block-runs.js'
import { Coalesced } from './coalesced.js'
import type { DirtyLog } from './dirty-log.js'
import { DirtyRegions, type DirtyRegion } from './dirty-regions-state.js'
import type { IndexPage } from './index-cache.js'
import type { BlockRun, LayerFile } from './layer-file.js'
import {
  decodeEntry,
  INDEX_PAGE_BYTES,
  isEmptyPage,
  isZero,
  spansOf,
  ZEROES_CHECKSUM,
  type BlockRange,
  type LayerName,
  type Span,
} from './layer-format.js'
import { RangeOrder, type Turn } from './range-order.js'

/** 128 bits tell any two pages apart; nobody attacks with them. */
const SUMMARY_BYTES = 16

export interface StoreLimits {
  readonly indexCachePages: number
  readonly dirtyRegionsCheckpoint: number
  readonly dirtyRegionsMax: number
  readonly logAheadRegions: number
  readonly dirtyLogBytes: number
}

export interface FileShardStoreOptions {
  readonly name: LayerName
  readonly file: LayerFile
  readonly dirty: DirtyLog
  readonly limits: StoreLimits
  /** Regions were added to the log: the store may want to flush. */
  readonly logged: () => void
}

interface Change extends BlockRange {
  /** As in the index, 8 bytes for each block. */
  readonly entries: Uint8Array
  /** Of the blocks that are data. */
  readonly runs: readonly BlockRun[]
}

export class FileShardStore implements ShardStore {
  readonly #name: LayerName
  readonly #file: LayerFile
  readonly #dirty: DirtyLog
  readonly #limits: StoreLimits
  readonly #logged: () => void
  readonly #order = new RangeOrder()
  readonly #regions = new DirtyRegions()
  readonly #flushes = new Coalesced(() => this.#flush())
  #closed = false
  #abandoned = false

  constructor(options: FileShardStoreOptions) {
    this.#name = options.name
    this.#file = options.file
    this.#dirty = options.dirty
    this.#limits = options.limits
    this.#logged = options.logged
  }

  async read(block: BlockIndex, into: Uint8Array): Promise<ReadResult> {
    this.#check()
    const range = rangeOf(block, into)
    const turn = this.#order.enter(range, 'read')
    const pages: IndexPage[] = []
    try {
      if (turn.ready) await turn.ready
      const entries: (IndexEntry | null)[] = []
      for (const span of spansOf(range)) {
        const page = await this.#file.pin(span.page)
        pages.push(page)
        for (let slot = span.first; slot <= span.last; slot++) {
          entries.push(decodeEntry(page.bytes, slot))
        }
      }
      for (const run of dataRuns(entries, block, into)) await this.#file.read(run)
      return { corrupt: verify(entries, block, into) }
    } finally {
      for (const page of pages) this.#file.unpin(page)
      turn.leave()
    }
  }

  async write(block: BlockIndex, data: Uint8Array, written: Epoch): Promise<void> {
    const range = rangeOf(block, data)
    const entries: IndexEntry[] = []
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      const bytes = data.subarray(at, at + BLOCK_BYTES)
      entries.push(
        isZero(bytes)
          ? { state: 'zeroes', epoch: written, checksum: ZEROES_CHECKSUM }
          : { state: 'data', epoch: written, checksum: crc32(bytes) },
      )
    }
    const runs = dataRuns(entries, block, data)
    await this.#change({ ...range, entries: encodeEntries(entries), runs })
  }

  async adopt(
    block: BlockIndex,
    entries: readonly IndexEntry[],
    payload: Uint8Array,
  ): Promise<void> {
    assert(entries.length > 0, 'blocks are adopted')
    const runs: { block: number; bytes: Uint8Array }[] = []
    let at = 0
    entries.forEach((entry, i) => {
      if (entry.state !== 'data') return
      const bytes = payload.subarray(at, (at += BLOCK_BYTES))
      if (bytes.length < BLOCK_BYTES || crc32(bytes) !== entry.checksum) {
        throw new SwarmdiskError('corrupt', `block ${block + i} came with a wrong checksum`)
      }
      runs.push({ block: block + i, bytes })
    })
    assert(at === payload.length, 'the payload has the data blocks and nothing else')
    await this.#change({
      first: block,
      last: block + entries.length - 1,
      entries: encodeEntries(entries),
      runs: joined(runs),
    })
  }

  flush(): Promise<void> {
    if (this.#closed) return Promise.reject(closedError(this.#file.path))
    return this.#flushes.request()
  }

  pageCount(): number {
    return this.#file.pageCount
  }

  async summaries(first: number, count: number): Promise<readonly PageSummaryEntry[]> {
    const found: PageSummaryEntry[] = []
    for (let page = first; page < Math.min(first + count, this.#file.pageCount); page++) {
      const bytes = await this.indexPage(page)
      if (isEmptyPage(bytes)) continue
      const hash = createHash('sha256').update(bytes).digest().subarray(0, SUMMARY_BYTES)
      found.push({ page, hash })
    }
    return found
  }

  async indexPage(number: number): Promise<Uint8Array> {
    this.#check()
    if (number >= this.#file.pageCount) return new Uint8Array(INDEX_PAGE_BYTES)
    const first = number * BLOCKS_PER_INDEX_PAGE
    const range = { first, last: first + BLOCKS_PER_INDEX_PAGE - 1 }
    const turn = this.#order.enter(range, 'read')
    try {
      if (turn.ready) await turn.ready
      const page = await this.#file.pin(number, 'once')
      const bytes = page.bytes.slice()
      this.#file.unpin(page)
      return bytes
    } finally {
      turn.leave()
    }
  }

  used(): number {
    return this.#file.allocated
  }

  /** Flushes first. */
  async close(): Promise<void> {
    if (this.#closed) return
    const flushed = this.#flushes.request()
    this.#closed = true
    try {
      await flushed
    } finally {
      await this.#order.allEnded()
      await this.#file.close()
    }
  }

  /** Closes without making anything durable: the files are about to be deleted. */
  async abandon(): Promise<void> {
    this.#closed = true
    this.#abandoned = true
    // A flush in progress still uses the file; its failure is told to those who asked for it.
    await this.#flushes.request().catch(() => undefined)
    await this.#order.allEnded()
    await this.#file.close()
  }

  // ---- writing ----------------------------------------------------------------------------------

  async #change(change: Change): Promise<void> {
    this.#check()
    if (this.#file.failed) throw this.#file.failed
    const spans = spansOf(change)
    const turn = this.#order.enter(change, 'write')
    const { regions, flushing } = this.#regions.enter(spans)
    const crowded = this.#dirty.size >= this.#limits.dirtyRegionsMax
    const flush = flushing || crowded ? this.#flushes.running : null
    const pages: IndexPage[] = []
    try {
      await this.#turn(turn, flush)
      for (const span of spans) pages.push(await this.#file.pin(span.page))
      await this.#logAndTouch(spans, { regions, pages })
      for (const run of change.runs) await this.#file.write(run)
      spans.forEach((span, i) => this.#setEntries(pages[i]!, span, change.entries))
      for (const page of pages) await page.writer.request()
      if (pages.some(page => isEmptyPage(page.bytes))) await this.#file.countPages()
    } finally {
      for (const page of pages) this.#file.unpin(page)
      this.#regions.leave(regions)
      turn.leave()
    }
  }

  async #turn(turn: Turn, flush: Promise<void> | null): Promise<void> {
    if (turn.ready) await turn.ready
    // Its failure is told to those who asked for it; what it means for us is checked below.
    if (flush) await flush.catch(() => undefined)
    if (this.#file.failed) throw this.#file.failed
  }

  #setEntries(page: IndexPage, span: Span, entries: Uint8Array): void {
    const from = span.at * INDEX_ENTRY_BYTES
    const next = entries.subarray(from, from + (span.last - span.first + 1) * INDEX_ENTRY_BYTES)
    let grown = isEmptyPage(page.bytes) ? INDEX_PAGE_BYTES : 0
    for (let slot = span.first; slot <= span.last; slot++) {
      const isData = decodeEntry(next, slot - span.first)?.state === 'data'
      if (isData && decodeEntry(page.bytes, slot)?.state !== 'data') grown += BLOCK_BYTES
    }
    this.#file.grow(grown)
    page.bytes.set(next, span.first * INDEX_ENTRY_BYTES)
    this.#file.changed(page)
  }

  /**
   * Marks the blocks as touched when their regions are, durably, in the log with valid undo
   * entries.
   */
  async #logAndTouch(
    spans: readonly Span[],
    using: { readonly regions: readonly DirtyRegion[]; readonly pages: readonly IndexPage[] },
  ): Promise<void> {
    const { regions, pages } = using
    for (;;) {
      const busy = regions.find(region => region.logging !== null)
      if (busy) {
        // If it failed we try by ourselves, and report our own failure.
        await busy.logging?.catch(() => undefined)
        continue
      }
      const due = spans.flatMap((span, i) => {
        const region = regions[i]!
        return region.mustLog(span) ? [{ region, bytes: pages[i]!.bytes }] : []
      })
      if (due.length === 0) {
        spans.forEach((span, i) => regions[i]!.touched.addRange(span))
        return
      }
      await this.#log([...due, ...this.#ahead(due.at(-1)!.region.page)])
    }
  }

  async #log(
    due: readonly { readonly region: DirtyRegion; readonly bytes: Uint8Array }[],
  ): Promise<void> {
    const records = due.map(({ region, bytes }) => {
      const undo = region.takeUndo(bytes)
      if (isEmptyPage(undo)) region.undo = null
      return { region: { ...this.#name, page: region.page }, undo: region.undo }
    })
    const logging = this.#dirty.add(records)
    for (const { region } of due) region.logging = logging
    try {
      await logging
      for (const { region } of due) region.logged = true
    } finally {
      for (const { region } of due) region.logging = null
    }
    this.#logged()
  }

  /**
   * A writer that comes from the region before will go on to the next ones: they are logged in the
   * same sync, as far as their pages are known without reading.
   */
  #ahead(page: number): { region: DirtyRegion; bytes: Uint8Array }[] {
    if (!this.#regions.find(page - 1)?.logged) return []
    const ahead: { region: DirtyRegion; bytes: Uint8Array }[] = []
    for (let next = page + 1; next < page + this.#limits.logAheadRegions; next++) {
      const bytes = this.#file.known(next)
      if (bytes === undefined || this.#regions.find(next)) break
      ahead.push({ region: this.#regions.add(next), bytes: bytes ?? EMPTY_PAGE })
    }
    return ahead
  }

  // ---- flushing ---------------------------------------------------------------------------------

  async #flush(): Promise<void> {
    if (this.#abandoned) throw closedError(this.#file.path)
    if (this.#file.failed) throw this.#file.failed
    if (!this.#regions.beginFlush()) return
    await this.#order.writesEnded()
    try {
      await this.#file.sync()
    } catch (error) {
      this.#regions.abortFlush()
      throw error
    }
    const clean = this.#regions.endFlush()
    this.#dirty.remove(clean.map(page => ({ ...this.#name, page })))
    await this.#file.measure()
  }

  #check(): void {
    if (this.#closed) throw closedError(this.#file.path)
  }
}

const EMPTY_PAGE = new Uint8Array(INDEX_PAGE_BYTES)

function closedError(path: string): SwarmdiskError {
  return new SwarmdiskError('aborted', `${path} was closed`)
}

function rangeOf(block: number, bytes: Uint8Array): BlockRange {
  const count = bytes.length / BLOCK_BYTES
  assert(Number.isInteger(count) && count > 0, 'whole blocks are read and written')
  return { first: block, last: block + count - 1 }
}
