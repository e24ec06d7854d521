// The blocks of one index page of one replica: each is read from the disk, and compared with the
// checksum in its entry; as many as the budget and the time allow, and the rest when they are asked
// for. What is rotten is replaced by a copy of another in-sync replica as when a read meets it
// (block-repair.ts); so is a block that the disk does not give.
import { assert } from '../../base/assert.js'
import { blockIndex, type BlockIndex } from '../../base/brands.js'
import { wait } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import {
  BLOCK_BYTES,
  BLOCKS_PER_INDEX_PAGE,
  REPLICA_RETRY_MIN_MS,
  SCRUB_PIECE_BLOCKS,
  SCRUB_READ_MS,
  SCRUB_REPAIR_MS,
  SCRUB_REPAIRS_AT_ONCE,
  SCRUB_UNREADABLE_MAX,
} from '../../base/limits.js'
import { firstBlockOfPage, slotInPage } from '../../layout/geometry.js'
import type { Flaw, FlawOutcome, FoundFlaw, ScrubReply } from '../../net/scrub/messages.js'
import { repairBlocks, type Repair } from '../replica/block-repair.js'
import type { ReplicaContext } from '../replica/replica-context.js'
import { stateOf } from '../store/layer-format.js'
import { inTime } from './in-time.js'

export interface CheckedPage {
  readonly context: ReplicaContext
  readonly layer: number
  readonly page: number
  /** The blocks of the page before this one were read by an earlier question. */
  readonly first: number
  readonly repair: boolean
  /** The layer may be used: asked in the turn of each use. */
  readonly live: () => boolean
}

interface BadBlock {
  readonly block: BlockIndex
  readonly flaw: Flaw
}

/** Blocks of a page, by their places in it. */
interface Slots {
  readonly first: number
  readonly end: number
}

interface ReadPart {
  readonly bad: readonly BadBlock[]
  /** Places before this one were read. */
  readonly upTo: number
}

/** Null: the layer went meanwhile. Busy: there is no time even for the first blocks. */
export async function checkPage(
  checked: CheckedPage,
  entries: Uint8Array,
): Promise<Pick<ScrubReply, 'flaws' | 'blocks' | 'upTo'> | 'busy' | null> {
  const part = await readPart(checked, entries)
  if (part === null || !checked.live()) return null
  const { bad, upTo } = part
  if (upTo === checked.first) return 'busy'
  const flaws = checked.repair ? await repaired(checked, bad) : reported(checked, bad)
  return { flaws, upTo, blocks: dataBlocks(entries, { first: checked.first, end: upTo }) }
}

/** Null: the layer went meanwhile. */
async function readPart(checked: CheckedPage, entries: Uint8Array): Promise<ReadPart | null> {
  const { clock } = checked.context.host
  const until = clock.now() + SCRUB_READ_MS
  const bad: BadBlock[] = []
  let first = checked.first
  while (first < BLOCKS_PER_INDEX_PAGE && unreadable(bad) < SCRUB_UNREADABLE_MAX) {
    const end = first - (first % SCRUB_PIECE_BLOCKS) + SCRUB_PIECE_BLOCKS
    const piece = { first, end }
    if (hasContent(entries, piece)) {
      const isBegun = first > checked.first
      if (isBegun && clock.now() >= until) break
      const bytes = dataBlocks(entries, piece) * BLOCK_BYTES
      // Who has not begun says so at once: others may be asked meanwhile.
      if (!(await inBudget(checked, bytes, isBegun ? until : clock.now()))) break
      const read = await readPiece(checked, { ...piece, until })
      if (read === null) return null
      bad.push(...read.bad)
      first = read.upTo
    } else first = end
  }
  return { bad, upTo: first }
}

/** Waits until so much may be read; false: that is not before `until`. */
async function inBudget({ context }: CheckedPage, bytes: number, until: number): Promise<boolean> {
  const { clock, recovery } = context.host
  for (;;) {
    const pause = recovery.pauseToScrub(bytes)
    if (pause !== null) {
      if (pause > 0) await wait(clock, pause)
      return true
    }
    if (clock.now() >= until) return false
    await wait(clock, REPLICA_RETRY_MIN_MS)
  }
}

/** Blocks that have content. */
function dataBlocks(entries: Uint8Array, { first, end }: Slots): number {
  let count = 0
  for (let slot = first; slot < end; slot++) if (stateOf(entries, slot) === 'data') count++
  return count
}

/** Something of this piece was written, or is damaged. */
function hasContent(entries: Uint8Array, { first, end }: Slots): boolean {
  for (let slot = first; slot < end; slot++) {
    const state = stateOf(entries, slot)
    if (state === 'data' || state === null) return true
  }
  return false
}

function unreadable(bad: readonly BadBlock[]): number {
  return bad.filter(({ flaw }) => flaw === 'unreadable').length
}

/** Null: the layer went meanwhile. */
async function readPiece(
  checked: CheckedPage,
  { until, ...slots }: Slots & { readonly until: number },
): Promise<ReadPart | null> {
  const whole = await readSlots(checked, slots)
  if (whole === null) return null
  if (whole !== 'unreadable') return { bad: whole, upTo: slots.end }
  // One bad sector fails the read of them all. A disk that is broken is not asked for each.
  const { clock } = checked.context.host
  const bad: BadBlock[] = []
  let slot = slots.first
  do {
    const one = await readSlots(checked, { first: slot, end: slot + 1 })
    if (one === null) return null
    const block = blockIndex(firstBlockOfPage(checked.page) + slot++)
    bad.push(...(one === 'unreadable' ? [{ block, flaw: one } as const] : one))
    if (clock.now() >= until || unreadable(bad) >= SCRUB_UNREADABLE_MAX) break
  } while (slot < slots.end)
  return { bad, upTo: slot }
}

/** Those that are rotten; null: the layer went meanwhile. */
async function readSlots(
  { context, layer, page, live }: CheckedPage,
  { first, end }: Slots,
): Promise<readonly BadBlock[] | 'unreadable' | null> {
  if (!live()) return null
  const into = Buffer.allocUnsafe((end - first) * BLOCK_BYTES)
  try {
    const start = blockIndex(firstBlockOfPage(page) + first)
    const { corrupt } = await context.store.readLayer(layer, start, into)
    return corrupt.map(({ block }) => ({ block, flaw: 'data' as const }))
  } catch (error) {
    if (!isSwarmdiskError(error, 'disk-error')) throw error
    return 'unreadable'
  }
}

function reported({ context }: CheckedPage, bad: readonly BadBlock[]): readonly FoundFlaw[] {
  if (bad.length > 0) {
    context.host.foundCorrupt(
      context.name,
      bad.map(({ block }) => block),
    )
  }
  return bad.map(one => ({ ...one, outcome: 'reported' as const }))
}

async function repaired(
  checked: CheckedPage,
  bad: readonly BadBlock[],
): Promise<readonly FoundFlaw[]> {
  const { clock } = checked.context.host
  const until = clock.now() + SCRUB_REPAIR_MS
  const flaws: FoundFlaw[] = []
  for (let at = 0; at < bad.length; at += SCRUB_REPAIRS_AT_ONCE) {
    const some = bad.slice(at, at + SCRUB_REPAIRS_AT_ONCE)
    const outcome = async (block: BlockIndex): Promise<FlawOutcome> => {
      const limit = { within: until - clock.now(), otherwise: 'not-now' } as const
      if (limit.within <= 0 || !checked.live()) return 'not-now'
      return inTime<FlawOutcome>(clock, limit, repairOne(checked, block))
    }
    const outcomes = await Promise.all(some.map(({ block }) => outcome(block)))
    some.forEach((one, i) => flaws.push({ ...one, outcome: outcomes[i]! }))
  }
  assert(flaws.length === bad.length, 'each has an outcome')
  return flaws
}

async function repairOne(checked: CheckedPage, block: BlockIndex): Promise<FlawOutcome> {
  const { context, layer, live } = checked
  let repair: Repair
  try {
    repair = await repairBlocks(context, [{ block, layer }])
  } catch (error) {
    if (!isSwarmdiskError(error)) throw error
    return 'not-now'
  }
  if (repair !== 'repaired' || !live()) return repair
  // What counts is what the disk gives now.
  const slot = slotInPage(block)
  const again = await readSlots(checked, { first: slot, end: slot + 1 })
  return again?.length === 0 ? 'repaired' : 'not-now'
}
