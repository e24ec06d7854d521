// Which blocks some layers hold, at any in-sync replica, from their indexes alone: what a client
// needs to find the changes between two snapshots. It is answered by the rules of reads
// (shard-reader.ts), and in part where there is much to say: the client asks on from there.
import { blockIndex } from '../../base/brands.js'
import { BLOCKS_PER_INDEX_PAGE, HELD_PAGES_MAX, HELD_RANGES_MAX } from '../../base/limits.js'
import { firstBlockOfPage, indexPageOf, slotInPage } from '../../layout/geometry.js'
import { headOf } from '../../layout/layers.js'
import { encode } from '../../net/codecs/codec.js'
import { heldAnswer } from '../../net/codecs/messages.js'
import type { HeldAnswer, HeldRequest } from '../../net/messages.js'
import { HeldRanges } from '../../snapshot/held-ranges.js'
import { isPresent, stateOf } from '../store/layer-format.js'
import type { ReadConfirmation } from './read-confirmation.js'
import type { ClientCall, ReplicaContext } from './replica-context.js'
import { statusOf } from './shard-reader.js'

type HeldCall = Extract<ClientCall, { readonly kind: 'held-blocks' }>

export async function serveHeld(
  context: ReplicaContext,
  confirmation: ReadConfirmation,
  call: HeldCall,
): Promise<void> {
  const { state, store, host } = context
  const known = new Set(store.layers.map(({ id }) => id))
  if (!call.request.layers.every(id => known.has(id))) return call.finish('out-of-range')
  const allocation = state.epoch
  let answer: HeldAnswer | null
  try {
    answer = await lookUp(context, call.request)
  } catch (error) {
    host.log.error('a read of an index failed', { ...context.name, error: String(error) })
    return call.finish(statusOf(error))
  }
  const vouched = host.leaseValid() || (await confirmation.confirmed()) || host.leaseValid()
  // Layers change only with the allocation, too.
  if (state.epoch !== allocation) return host.dispatch(call)
  if (!vouched || !state.serving || host.fenced(context.name)) return call.finish('not-serving')
  if (answer === null) return context.park(call)
  call.finish('ok', encode(heldAnswer, answer))
}

/** Null: of the very first page nothing can be said before a write to it is decided. */
async function lookUp(context: ReplicaContext, request: HeldRequest): Promise<HeldAnswer | null> {
  const { state, store } = context
  const allocation = state.epoch
  const isHead = request.layers.includes(headOf(store.layers).id)
  const end = request.block + request.blocks
  const found = new HeldRanges()
  let pagesRead = 0
  let at: number = request.block
  while (at < end && state.epoch === allocation) {
    const page = indexPageOf(blockIndex(at))
    const holders = request.layers.filter(layer => page < store.pageCount(layer))
    // Nothing is behind the last page of the longest of them.
    if (holders.length === 0) {
      at = end
      break
    }
    const crowded = found.count + BLOCKS_PER_INDEX_PAGE > HELD_RANGES_MAX
    if (at > request.block && (crowded || pagesRead + holders.length > HELD_PAGES_MAX)) break
    const until = Math.min(end, firstBlockOfPage(page + 1))
    if (isHead && state.undecided({ block: blockIndex(at), blocks: until - at })) {
      if (at === request.block) return null
      break
    }
    const pages = await Promise.all(holders.map(layer => store.indexPage(layer, page)))
    pagesRead += pages.length
    for (let block = at; block < until; block++) {
      const slot = slotInPage(blockIndex(block))
      const holder = pages.find(bytes => isPresent(bytes, slot))
      // A damaged entry hides what is below, as data does: a read will say what it is.
      if (holder) found.add(block, stateOf(holder, slot) === 'zeroes')
    }
    at = until
  }
  return { end: blockIndex(at), ranges: found.list }
}
