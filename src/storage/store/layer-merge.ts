// Two files of one layer become one. Either what only the lower has is copied up, or everything
// that the upper has is copied down, over the lower's. Until one of them is deleted the layer shows
// the same, however much was copied: up, a copy is what was seen through the hole before; down, it
// lies below what is seen. So a crash at any moment costs nothing but copying again, in whichever
// direction.
//
//   up:    copy ──► sync upper ──► ┃ delete lower ┃
//   down:  copy ──► again what was written meanwhile, round after round ──► sync lower
//               ──► ┃ the rest ──► sync lower ──► delete upper ┃          ┃ ┃: all calls wait
//
// A file that stands in a clone's folder as well is not written: where both are such, the target is
// copied first.
//
// Blocks are copied as they are, entry and all: what is corrupt stays so, to be repaired from
// another replica.
import { assert } from '../../base/assert.js'
import {
  BLOCK_BYTES,
  BLOCKS_PER_INDEX_PAGE,
  INDEX_ENTRY_BYTES,
  MERGE_PAGES_AT_ONCE,
  MERGE_PIECE_BLOCKS,
  MERGE_REST_BLOCKS,
  MERGE_ROUNDS_MAX,
} from '../../base/limits.js'
import type { Change } from './block-runs.js'
import { BlockSet, type SlotRange } from './block-set.js'
import type { BlockRun } from './layer-file.js'
import {
  type BlockRange,
  copyEntry,
  INDEX_PAGE_BYTES,
  isPresent,
  spansOf,
  stateOf,
} from './layer-format.js'
import type { LayerStore } from './layer-store.js'

/** What a merge needs of its shard. */
export interface MergeHost {
  /** Keeps out the calls for these blocks, or for all, until `leave` is called. */
  turn(range: BlockRange | 'all'): Promise<{ leave(): void }>
  /** Calls made so far have ended. */
  quiet(): Promise<void>
  /** After so much work; throws when the merge has to stop. */
  pause(bytes: number): Promise<void>
  /** Durably; in a turn over all. */
  remove(file: LayerStore): Promise<void>
}

export interface MergePair {
  readonly upper: LayerStore
  readonly lower: LayerStore
}

interface Piece extends SlotRange {
  readonly page: number
}

export class LayerMerge implements MergePair {
  readonly upper: LayerStore
  readonly lower: LayerStore
  readonly #host: MergeHost
  #direction: 'up' | 'down'
  /** Slots of each page of the upper file that were written and not copied down since. */
  readonly #written = new Map<number, BlockSet>()
  #copied = 0

  constructor({ upper, lower }: MergePair, host: MergeHost) {
    this.upper = upper
    this.lower = lower
    this.#host = host
    this.#direction = directionOf({ upper, lower })
  }

  /** About; more is written meanwhile. */
  get bytesLeft(): number {
    return Math.max(0, this.#source.used - this.#copied)
  }

  /** To be called in the turn of every change of a file, before it. */
  noteChange(file: LayerStore, range: BlockRange): void {
    if (file !== this.upper || this.#direction === 'up') return
    for (const span of spansOf(range)) {
      const slots = this.#written.get(span.page) ?? new BlockSet()
      slots.addRange(span)
      this.#written.set(span.page, slots)
    }
  }

  async run(): Promise<void> {
    await Promise.all([this.upper.look(), this.lower.look()])
    this.#direction = directionOf(this)
    this.#written.clear()
    // Changes that began before this merge was known have not been noted.
    await this.#host.quiet()
    if (this.#direction === 'down') {
      if (await this.#mergeDown()) return
      // Clients write faster than this copies. Up, everything ends: nobody writes below.
      this.#direction = 'up'
      this.#written.clear()
      this.#copied = 0
    }
    await this.#mergeUp()
  }

  // ---- the two ways -----------------------------------------------------------------------------

  async #mergeUp(): Promise<void> {
    await this.#copyAll()
    await this.upper.flush()
    const turn = await this.#host.turn('all')
    try {
      await this.#host.remove(this.lower)
    } finally {
      turn.leave()
    }
  }

  /** False if there is no end to it. */
  async #mergeDown(): Promise<boolean> {
    await this.#copyAll()
    for (let round = 0; round < MERGE_ROUNDS_MAX; round++) {
      await this.#copyWritten('in turns')
      await this.lower.flush()
      if (this.#rest() > MERGE_REST_BLOCKS) continue
      const turn = await this.#host.turn('all')
      try {
        if (this.#rest() > MERGE_REST_BLOCKS) continue
        await this.#copyWritten('in this turn')
        assert(this.#written.size === 0, 'nobody writes in the turn of a merge')
        await this.lower.flush()
        await this.#host.remove(this.upper)
        return true
      } finally {
        turn.leave()
      }
    }
    return false
  }

  async #copyAll(): Promise<void> {
    for (let page = 0; page < this.#source.pageCount; page++) {
      // As it is at this moment: what comes later is noted, and below nothing comes.
      const entries = await this.#source.indexPage(page)
      await this.#host.pause(INDEX_PAGE_BYTES)
      for (const piece of piecesOf(page)) {
        if (!anyPresent(entries, piece)) continue
        await this.#copyInTurn(piece)
      }
    }
  }

  /** Several pages side by side: their regions are logged with one sync. */
  async #copyWritten(how: 'in turns' | 'in this turn'): Promise<void> {
    const pages = [...this.#written.keys()]
    for (let i = 0; i < pages.length; i += MERGE_PAGES_AT_ONCE) {
      const some = pages.slice(i, i + MERGE_PAGES_AT_ONCE)
      const results = await Promise.allSettled(some.map(page => this.#copyWrittenPage(page, how)))
      for (const result of results) if (result.status === 'rejected') throw result.reason
    }
  }

  async #copyWrittenPage(page: number, how: 'in turns' | 'in this turn'): Promise<void> {
    for (const piece of piecesOf(page)) {
      if (!this.#written.get(page)?.intersects(piece)) continue
      await (how === 'in turns' ? this.#copyInTurn(piece) : this.#copy(piece))
    }
  }

  #rest(): number {
    let count = 0
    for (const slots of this.#written.values()) count += slots.count()
    return count
  }

  // ---- copying ----------------------------------------------------------------------------------

  get #source(): LayerStore {
    return this.#direction === 'up' ? this.lower : this.upper
  }

  get #target(): LayerStore {
    return this.#direction === 'up' ? this.upper : this.lower
  }

  async #copyInTurn(piece: Piece): Promise<void> {
    // Not in a turn: what a clone has as well is copied whole before it is written.
    if (this.#target.shared) await this.#target.own(bytes => this.#host.pause(bytes))
    const turn = await this.#host.turn(blocksOf(piece))
    let bytes: number
    try {
      bytes = await this.#copy(piece)
    } finally {
      turn.leave()
    }
    await this.#host.pause(bytes)
  }

  async #copy(piece: Piece): Promise<number> {
    const [from, to] = await Promise.all([
      this.#source.indexPage(piece.page),
      this.#target.indexPage(piece.page),
    ])
    const slots: number[] = []
    for (let slot = piece.first; slot <= piece.last; slot++) {
      const hidden = this.#direction === 'up' && isPresent(to, slot)
      if (isPresent(from, slot) && !hidden) slots.push(slot)
    }
    const change = changeOf(piece.page, slots, { from, to })
    let bytes = 0
    if (change) {
      for (const run of change.runs) {
        await this.#source.readRaw(run)
        bytes += run.bytes.length
      }
      await this.#target.change(change)
    }
    this.#forget(piece)
    this.#copied += bytes
    return bytes
  }

  #forget(piece: Piece): void {
    const slots = this.#written.get(piece.page)
    slots?.removeRange(piece)
    if (slots?.isEmpty()) this.#written.delete(piece.page)
  }
}

/** What takes less space moves; but what a clone has as well would have to be copied first. */
function directionOf({ upper, lower }: MergePair): 'up' | 'down' {
  if (upper.shared !== lower.shared) return lower.shared ? 'up' : 'down'
  return upper.used <= lower.used ? 'down' : 'up'
}

/** Makes the target's entries of these slots those of the source; its runs are to be filled. */
function changeOf(
  page: number,
  slots: readonly number[],
  { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
): Change | null {
  const [first, last] = [slots[0], slots.at(-1)]
  if (first === undefined || last === undefined) return null
  const entries = to.slice()
  const runs: { block: number; blocks: number }[] = []
  for (const slot of slots) {
    copyEntry(entries, from, slot)
    if (stateOf(from, slot) === 'zeroes') continue
    const block = page * BLOCKS_PER_INDEX_PAGE + slot
    const before = runs.at(-1)
    if (before && before.block + before.blocks === block) before.blocks++
    else runs.push({ block, blocks: 1 })
  }
  return {
    ...blocksOf({ page, first, last }),
    entries: entries.slice(first * INDEX_ENTRY_BYTES, (last + 1) * INDEX_ENTRY_BYTES),
    runs: runs.map(({ block, blocks }): BlockRun => {
      return { block, bytes: new Uint8Array(blocks * BLOCK_BYTES) }
    }),
  }
}

function piecesOf(page: number): Piece[] {
  const pieces: Piece[] = []
  for (let first = 0; first < BLOCKS_PER_INDEX_PAGE; first += MERGE_PIECE_BLOCKS) {
    pieces.push({ page, first, last: first + MERGE_PIECE_BLOCKS - 1 })
  }
  return pieces
}

function blocksOf({ page, first, last }: Piece): BlockRange {
  const start = page * BLOCKS_PER_INDEX_PAGE
  return { first: start + first, last: start + last }
}

function anyPresent(entries: Uint8Array, { first, last }: SlotRange): boolean {
  for (let slot = first; slot <= last; slot++) if (isPresent(entries, slot)) return true
  return false
}
