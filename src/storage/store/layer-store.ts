// The blocks of one layer file: checksums, and what is durable when. A write goes: region in the
// dirty log → data → index page → answer; nothing of it is synced before a flush. Who calls sees to
// it that overlapping calls do not run at the same time (FileShardStore, which gives them turns).
// Bytes: docs/on-disk-format.md.
import type { BlockIndex } from '../../base/brands.js'
import { BLOCK_BYTES, INDEX_ENTRY_BYTES } from '../../base/limits.js'
import {
  absentRuns,
  dataRuns,
  entriesOf,
  partOf,
  rangeOf,
  verify,
  type Change,
  type NoteBlock,
} from './block-runs.js'
import { Coalesced } from '../../base/coalesced.js'
import type { DirtyLog } from './dirty/dirty-log.js'
import { DirtyRegions, type DirtyRegion } from './dirty/dirty-regions-state.js'
import type { IndexPage, PageUse } from './index-cache.js'
import type { BlockRun, LayerFile } from './layer-file.js'
import {
  EMPTY_PAGE,
  INDEX_PAGE_BYTES,
  isAbsent,
  isEmptyPage,
  onlySpanOf,
  spansOf,
  stateOf,
  type LayerName,
  type Span,
} from './layer-format.js'
import { reclaimPage } from './space/reclaim-page.js'

export interface LayerStoreLimits {
  readonly dirtyRegionsMax: number
  /** With more than these in the log, clean ones leave it at once. */
  readonly dirtyRegionsKept: number
  readonly logAheadRegions: number
  /** Neighbours that hold nothing and are given back together; fewer are not. */
  readonly punchLeastBlocks: number
}

export interface LayerStoreOptions {
  readonly name: LayerName
  readonly file: LayerFile
  readonly dirty: DirtyLog
  readonly limits: LayerStoreLimits
  /** Regions were added to the log: the store may want to flush. */
  readonly logged: () => void
}

/** Changes of a file that began between two flushes. */
interface Changes {
  active: number
  /** Pages in which blocks lost their data. */
  readonly freed: Set<number>
  /** Called when the last one has ended. */
  ended: (() => void) | null
}

export class LayerStore {
  readonly #name: LayerName
  readonly #file: LayerFile
  readonly #dirty: DirtyLog
  readonly #limits: LayerStoreLimits
  readonly #logged: () => void
  /** Those that the next flush covers. */
  #changes: Changes = { active: 0, freed: new Set(), ended: null }
  /** Pages in which blocks have lost their data, durably, and perhaps not their space. */
  readonly #spare = new Set<number>()
  readonly #regions = new DirtyRegions()
  readonly #flushes = new Coalesced(() => this.#flush())
  #gone = false

  constructor(options: LayerStoreOptions) {
    this.#name = options.name
    this.#file = options.file
    this.#dirty = options.dirty
    this.#limits = options.limits
    this.#logged = options.logged
  }

  get number(): number {
    return this.#name.layer
  }

  /** Its file is deleted; calls that were made before pass it over. */
  get gone(): boolean {
    return this.#gone
  }

  get pageCount(): number {
    return this.#file.pageCount
  }

  get used(): number {
    return this.#file.allocated
  }

  get inode(): number {
    return this.#file.inode
  }

  /** Its file may stand in another shard's folder as well. */
  get shared(): boolean {
    return this.#file.shared
  }

  look(): Promise<void> {
    return this.#file.look()
  }

  /**
   * Gives the file another name, in the folder of a clone. Nobody writes meanwhile; what was
   * written is made durable first, so no recovery will ever have to decide what both see.
   */
  async share(name: string): Promise<void> {
    await this.flush()
    this.#checkFile()
    this.forget('clean')
    await this.#file.share(name)
  }

  /** From then on a change copies nothing first; with `pause`, without haste. */
  own(pause: (bytes: number) => Promise<void>): Promise<void> {
    return this.#file.own(pause)
  }

  /**
   * Fills what is stored here, and zeroes what is corrupt. Returns the runs that are absent, parts
   * of the buffer that were left alone.
   */
  async read(run: BlockRun, corrupt: NoteBlock, use?: PageUse): Promise<readonly BlockRun[]> {
    const spans = spansOf(rangeOf(run.block, run.bytes))
    let absent: BlockRun[] = []
    for (const span of spans) {
      const known = use === 'once' ? null : this.#file.pinKnown(span.page)
      const page = known ?? (await this.#file.pin(span.page, use))
      try {
        const part = spans.length === 1 ? run : partOf(run, span)
        // Nobody changes them meanwhile: who would, overlaps, and waits.
        const entries = entriesOf(page.bytes, span)
        for (const data of dataRuns(entries, part)) await this.#file.read(data)
        for (const block of verify(entries, part)) corrupt(block)
        const runs = absentRuns(entries, part)
        absent = spans.length === 1 ? runs : [...absent, ...runs]
      } finally {
        this.#file.unpin(page)
      }
    }
    return absent
  }

  /** The same, in this turn; null: read() has to do all of it, and nothing was named corrupt. */
  readNow(run: BlockRun, corrupt: (block: BlockIndex) => void): readonly BlockRun[] | null {
    const span = onlySpanOf(rangeOf(run.block, run.bytes))
    const page = span && this.#file.use(span.page)
    if (!page) return null
    const entries = entriesOf(page.bytes, span)
    for (const data of dataRuns(entries, run)) if (!this.#file.readNow(data)) return null
    for (const block of verify(entries, run)) corrupt(block)
    return absentRuns(entries, run)
  }

  /** Nothing of this run is stored here, and that is known without asking the disk. */
  lacks({ block, bytes }: BlockRun): boolean {
    return spansOf(rangeOf(block, bytes)).every(span => {
      const page = this.#file.use(span.page)
      return page ? isAbsent(page.bytes, span) : this.isKnownEmpty(span.page)
    })
  }

  /** What is on the disk there, whatever the index says. */
  readRaw(run: BlockRun): Promise<void> {
    return this.#file.read(run)
  }

  isKnownEmpty(page: number): boolean {
    return this.#file.known(page) === null
  }

  /** A copy of the entries of one index page. */
  async indexPage(number: number): Promise<Uint8Array> {
    // A scan over a thin layer reads what it has, and holes once.
    if (number >= this.#file.pageCount || this.isKnownEmpty(number)) return EMPTY_PAGE.slice()
    const page = await this.#file.pin(number, 'once')
    const bytes = page.bytes.slice()
    this.#file.unpin(page)
    return bytes
  }

  /** What was changed by calls that have ended is durable. */
  flush(): Promise<void> {
    return this.#flushes.request()
  }

  /** The file has no name any more. */
  leave(): void {
    this.#gone = true
    this.#dirty.removeLayer(this.#name)
  }

  /** Makes nothing durable. No calls but flushes may be under way. */
  async close(): Promise<void> {
    // Its failure is told to those who asked for it.
    await this.#flushes.running?.catch(() => undefined)
    this.forget('clean')
    await this.#file.close()
  }

  /** Clean regions leave the log: all, or those that were not written since this was last asked. */
  forget(which: 'clean' | 'unused'): void {
    const pages = this.#regions.forget(which)
    this.#dirty.remove(pages.map(page => ({ ...this.#name, page })))
  }

  // ---- writing ----------------------------------------------------------------------------------

  async change(change: Change): Promise<void> {
    this.#checkFile()
    if (this.#file.shared) await this.#file.own()
    const spans = spansOf(change)
    const { regions, flushing } = this.#regions.enter(spans)
    const changes = this.#changes
    changes.active++
    const flush = flushing ? this.#flushes.running : this.#crowdedBy()
    const pages: IndexPage[] = []
    try {
      // Its failure is told to those who asked for it; what it means for us is checked next.
      if (flush) await flush.catch(() => undefined)
      this.#checkFile()
      for (const { page } of spans) {
        pages.push(this.#file.pinKnown(page) ?? (await this.#file.pin(page)))
      }
      while (!this.#touch(spans, regions)) await this.#logThese(spans, { regions, pages })
      for (const run of change.runs) await this.#file.write(run)
      for (const [i, span] of spans.entries()) {
        if (this.#setEntries(pages[i]!, span, change.entries)) changes.freed.add(span.page)
      }
      for (const page of pages) await page.writer.request()
      if (pages.some(page => isEmptyPage(page.bytes))) await this.#file.countPages()
    } finally {
      for (const page of pages) this.#file.unpin(page)
      this.#regions.leave(regions)
      changes.active--
      if (changes.active === 0) changes.ended?.()
    }
  }

  /**
   * change() in this turn, for a write that waits for nothing: most small ones. False: change() has
   * to do it, and does all of it, whatever was done here.
   */
  changeNow(change: Change): boolean {
    this.#checkFile()
    const span = onlySpanOf(change)
    if (!span || this.#file.shared || this.#crowdedBy()) return false
    const page = this.#file.use(span.page)
    if (!page || page.writer.running || !this.#regions.touchNow(span)) return false
    for (const run of change.runs) if (!this.#file.writeNow(run)) return false
    if (this.#setEntries(page, span, change.entries)) this.#changes.freed.add(span.page)
    return this.#file.writePageNow(page)
  }

  /** Whether a block lost its data. */
  #setEntries(page: IndexPage, span: Span, entries: Uint8Array): boolean {
    const from = span.at * INDEX_ENTRY_BYTES
    const next = entries.subarray(from, from + (span.last - span.first + 1) * INDEX_ENTRY_BYTES)
    let grown = isEmptyPage(page.bytes) ? INDEX_PAGE_BYTES : 0
    let freed = false
    for (let slot = span.first; slot <= span.last; slot++) {
      const isData = stateOf(next, slot - span.first) === 'data'
      const wasData = stateOf(page.bytes, slot) === 'data'
      if (isData && !wasData) grown += BLOCK_BYTES
      if (wasData && !isData) freed = true
    }
    this.#file.grow(grown)
    page.bytes.set(next, span.first * INDEX_ENTRY_BYTES)
    this.#file.changed(page)
    return freed
  }

  /**
   * Marks the blocks as touched if their regions are, durably, in the log with valid undo entries;
   * so it is for most writes, which then wait for nothing.
   */
  #touch(spans: readonly Span[], regions: readonly DirtyRegion[]): boolean {
    for (const [i, span] of spans.entries()) {
      const region = regions[i]!
      if (region.logging !== null || region.mustLog(span)) return false
    }
    for (const [i, span] of spans.entries()) regions[i]!.touched.addRange(span)
    return true
  }

  /** Has the regions logged, or waits for another who does. */
  async #logThese(
    spans: readonly Span[],
    using: { readonly regions: readonly DirtyRegion[]; readonly pages: readonly IndexPage[] },
  ): Promise<void> {
    const { regions, pages } = using
    const busy = regions.find(region => region.logging !== null)
    // If it fails we try by ourselves, and report our own failure.
    if (busy) return busy.logging?.catch(() => undefined)
    const due = spans.flatMap((span, i) => {
      const region = regions[i]!
      return region.mustLog(span) ? [{ region, bytes: pages[i]!.bytes }] : []
    })
    await this.#log([...due, ...this.#ahead(due.at(-1)!.region.page)])
  }

  async #log(
    due: readonly { readonly region: DirtyRegion; readonly bytes: Uint8Array }[],
  ): Promise<void> {
    const records = due.map(({ region, bytes }) => {
      return { region: { ...this.#name, page: region.page }, undo: region.takeUndo(bytes) }
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
      const there = this.#regions.find(next)
      const bytes = this.#file.known(next)
      if (bytes === undefined || there?.logging) break
      if (there?.logged && there.stale.isEmpty()) continue
      ahead.push({ region: there ?? this.#regions.add(next), bytes: bytes ?? EMPTY_PAGE })
    }
    return ahead
  }

  // ---- flushing ---------------------------------------------------------------------------------

  async #flush(): Promise<void> {
    // What counted of it is durable in another file, or nobody wants it.
    if (this.#gone) return
    this.#checkFile()
    if (!this.#regions.beginFlush()) return
    const covered = this.#changes
    this.#changes = { active: 0, freed: new Set(), ended: null }
    if (covered.active > 0) await new Promise<void>(resolve => (covered.ended = resolve))
    try {
      await this.#file.sync()
    } catch (error) {
      this.#regions.abortFlush()
      throw error
    }
    for (const page of covered.freed) this.#spare.add(page)
    this.#regions.endFlush()
    if (this.#dirty.size > this.#limits.dirtyRegionsKept) this.forget('clean')
    await this.#file.measure()
  }

  // ---- space -----------------------------------------------------------------------------------

  /** Pages in which there may be something to give back. */
  get spare(): readonly number[] {
    return [...this.#spare]
  }

  /**
   * Gives back the space of this page's blocks that hold nothing, durably: after a crash nobody
   * may find that an older entry counts, whose data is gone. No change of the page may be under
   * way. False: this disk cannot.
   */
  async reclaim(number: number): Promise<boolean> {
    this.#spare.delete(number)
    if (this.#file.shared) return true // nobody writes it; what is spare there is not much
    return reclaimPage(this.#file, {
      page: number,
      touched: () => this.#regions.find(number)?.touched,
      leastBlocks: this.#limits.punchLeastBlocks,
    })
  }

  /** The flush to wait for while the log has all it may have. */
  #crowdedBy(): Promise<void> | null {
    return this.#dirty.size >= this.#limits.dirtyRegionsMax ? this.#flushes.running : null
  }

  #checkFile(): void {
    if (this.#file.failed) throw this.#file.failed
  }
}
