// The arithmetic of a scrub: replicas answer about index pages at their own pace, each passing over
// what is empty; here is decided which page comes next, who has to be asked again, and which blocks
// are not the same. Pure.
import { blockIndex } from '../../base/brands.js'
import { BLOCKS_PER_INDEX_PAGE, FETCH_BLOCKS_MAX, INDEX_ENTRY_BYTES } from '../../base/limits.js'
import type { BlockSpan } from '../../layout/geometry.js'

/** What a replica said: nothing has an entry before `page`; and that page has one, if `found`. */
export interface Position {
  readonly page: number
  readonly found: boolean
}

export type NextStep<Who> =
  /** Nobody has anything before this page. */
  | { readonly kind: 'go'; readonly page: number }
  /** Somebody has something in this page, and these have not looked at it. */
  | { readonly kind: 'ask'; readonly page: number; readonly who: readonly Who[] }
  /** These have something in this page; to all others it is empty. */
  | { readonly kind: 'compare'; readonly page: number; readonly holders: readonly Who[] }

export function nextStep<Who>(positions: ReadonlyMap<Who, Position>): NextStep<Who> {
  const page = Math.min(...[...positions.values()].map(position => position.page))
  const there = [...positions].filter(([, position]) => position.page === page)
  const holders = there.filter(([, { found }]) => found).map(([who]) => who)
  const blind = there.filter(([, { found }]) => !found).map(([who]) => who)
  if (holders.length === 0) return { kind: 'go', page }
  return blind.length > 0 ? { kind: 'ask', page, who: blind } : { kind: 'compare', page, holders }
}

/** Where these index pages are not all the same; a page of no bytes has no entry. */
export function differingSlots(pages: readonly Uint8Array[]): readonly number[] {
  const [first, ...others] = pages.map(whole)
  if (!first || others.every(page => page.equals(first))) return []
  const slots: number[] = []
  for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
    const [start, end] = [slot * INDEX_ENTRY_BYTES, (slot + 1) * INDEX_ENTRY_BYTES]
    if (others.some(page => page.compare(first, start, end, start, end) !== 0)) slots.push(slot)
  }
  return slots
}

const EMPTY = Buffer.alloc(BLOCKS_PER_INDEX_PAGE * INDEX_ENTRY_BYTES)

function whole(page: Uint8Array): Buffer {
  return page.length === 0 ? EMPTY : Buffer.from(page.buffer, page.byteOffset, page.length)
}

/** Neighbours together, as far as one question may go. In ascending order. */
export function spansOfBlocks(blocks: Iterable<number>): readonly BlockSpan[] {
  const spans: BlockSpan[] = []
  for (const block of [...blocks].sort((a, b) => a - b)) {
    const last = spans.at(-1)
    const joins = last && last.block + last.blocks === block && last.blocks < FETCH_BLOCKS_MAX
    if (joins) spans[spans.length - 1] = { ...last, blocks: last.blocks + 1 }
    else spans.push({ block: blockIndex(block), blocks: 1 })
  }
  return spans
}
