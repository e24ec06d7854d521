// Which regions (one index page each) of a shard are dirty, and what of them the log knows. Pure.
// A region that has become clean stays in the log for a while: who writes and flushes in turns
// comes back to it, and then needs no sync of the log, unless it writes the same block again.
//
//   write is called ──► called ──(flush begins)──► flushing ──(flush ends)──► stale
//        └─ begins ───► touched ────────────────────────────────┘
//
// The log's undo page of a region is right for a block as long as the block was not made durable
// after the page was logged. So a write into `flushing` waits for that flush (were it to go on,
// nobody could tell after a crash whether the undo entry still counts), and a write into `stale`
// has the region logged again, with a page that keeps the old undo entries of `touched` blocks.
import { assert } from '../../../base/assert.js'
import { INDEX_ENTRY_BYTES } from '../../../base/limits.js'
import { BlockSet } from '../block-set.js'
import { isEmptyPage, type Span } from '../layer-format.js'

export class DirtyRegion {
  readonly page: number
  /** The log holds `undo`, durably. */
  logged = false
  /** Being logged: everything that writes into the region waits for it. */
  logging: Promise<void> | null = null
  /** The page as the log has it; null for a page without entries. */
  undo: Uint8Array | null = null
  /** Calls that have not ended. */
  active = 0
  /** Written, or logged ahead, since unused regions were last looked for. */
  recent = true
  /** Written, or to be written, by calls that no flush has covered yet. */
  readonly called = new BlockSet()
  /** Covered by the flush in progress. */
  readonly flushing = new BlockSet()
  /** Writing began, and no flush has made it durable yet: their undo entries count. */
  readonly touched = new BlockSet()
  /** Became durable after `undo` was logged: their undo entries are too old. */
  readonly stale = new BlockSet()

  constructor(page: number) {
    this.page = page
  }

  mustLog(span: Span): boolean {
    return !this.logged || this.stale.intersects(span)
  }

  /**
   * What to log now, given the page as it is; null for a page without entries. From here on it is
   * the undo page.
   */
  takeUndo(page: Uint8Array): Uint8Array | null {
    const undo = page.slice()
    for (let slot = 0; slot * INDEX_ENTRY_BYTES < undo.length; slot++) {
      if (!this.touched.has(slot)) continue
      const at = slot * INDEX_ENTRY_BYTES
      if (this.undo) undo.set(this.undo.subarray(at, at + INDEX_ENTRY_BYTES), at)
      else undo.fill(0, at, at + INDEX_ENTRY_BYTES)
    }
    this.undo = isEmptyPage(undo) ? null : undo
    this.logged = false
    this.stale.clear()
    return this.undo
  }
}

export class DirtyRegions {
  readonly #regions = new Map<number, DirtyRegion>()
  /** Those with blocks in `called`, and those with blocks in `flushing`. */
  readonly #called = new Set<DirtyRegion>()
  #flushing: readonly DirtyRegion[] = []

  find(page: number): DirtyRegion | undefined {
    return this.#regions.get(page)
  }

  /** A region that is logged before anyone asks for it. */
  add(page: number): DirtyRegion {
    assert(!this.#regions.has(page), 'a region is added once')
    const region = new DirtyRegion(page)
    this.#regions.set(page, region)
    return region
  }

  /** A write is called. `flushing`: it has to wait for the flush in progress. */
  enter(spans: readonly Span[]): { regions: DirtyRegion[]; flushing: boolean } {
    let flushing = false
    const regions = spans.map(span => {
      const region = this.#regions.get(span.page) ?? this.add(span.page)
      if (region.flushing.intersects(span)) flushing = true
      this.#noteCall(region, span)
      region.active++
      return region
    })
    return { regions, flushing }
  }

  /** A write is called, and begins in the same turn; false: it has to wait, nothing was noted. */
  touchNow(span: Span): boolean {
    const region = this.#regions.get(span.page)
    if (!region || region.logging || region.mustLog(span)) return false
    if (region.flushing.intersects(span)) return false
    this.#noteCall(region, span)
    region.touched.addRange(span)
    return true
  }

  #noteCall(region: DirtyRegion, span: Span): void {
    region.called.addRange(span)
    region.recent = true
    this.#called.add(region)
  }

  leave(regions: readonly DirtyRegion[]): void {
    for (const region of regions) region.active--
  }

  /** Takes over all that was called so far; false if there is nothing. */
  beginFlush(): boolean {
    assert(this.#flushing.length === 0, 'one flush at a time')
    this.#flushing = [...this.#called]
    this.#called.clear()
    for (const region of this.#flushing) {
      region.flushing.addAll(region.called)
      region.called.clear()
    }
    return this.#flushing.length > 0
  }

  /** What the flush covered is durable. */
  endFlush(): void {
    for (const region of this.#flushing) {
      region.touched.removeAll(region.flushing)
      region.stale.addAll(region.flushing)
      region.flushing.clear()
    }
    this.#flushing = []
  }

  /** Nothing became durable. */
  abortFlush(): void {
    for (const region of this.#flushing) {
      region.called.addAll(region.flushing)
      region.flushing.clear()
      this.#called.add(region)
    }
    this.#flushing = []
  }

  /**
   * Clean regions leave: all, or those that nobody has written since this was last asked. Returns
   * their pages.
   */
  forget(which: 'clean' | 'unused'): number[] {
    const left: number[] = []
    for (const region of this.#regions.values()) {
      const used = which === 'unused' && region.recent
      if (which === 'unused') region.recent = false
      if (used || region.active > 0 || region.logging) continue
      if (!region.called.isEmpty() || !region.flushing.isEmpty()) continue
      assert(region.touched.isEmpty(), 'what was touched was called')
      this.#regions.delete(region.page)
      left.push(region.page)
    }
    return left
  }
}
