// Gets good copies of blocks whose checksum does not match from other in-sync replicas (I8). A
// write that arrives meanwhile is newer than the copy and wins.
import type { PeerId } from '../../base/brands.js'
import { wait } from '../../base/clock.js'
import {
  BLOCK_BYTES,
  INDEX_ENTRY_BYTES,
  PARK_MS,
  REPLICA_REQUEST_MS,
  REPLICA_RETRY_MIN_MS,
} from '../../base/limits.js'
import type { BlocksReply } from '../../net/messages.js'
import { LOST } from '../../net/peers.js'
import { hasLayer, headOf } from '../../layout/layers.js'
import type { CopiedEntries, CorruptBlock, IndexEntry } from '../shard-store.js'
import { decodeEntry } from '../store/layer-format.js'
import { spanBetween, type BlockSpan } from '../replication/block-spans.js'
import type { ReplicaContext } from './replica-context.js'

/**
 * - `repaired`: replaced by a good copy, or by a write.
 * - `not-now`: a replica that may have a good copy could not be asked: try again.
 * - `no-copy`: every in-sync replica was asked, and none has a good one.
 */
export type Repair = 'repaired' | 'not-now' | 'no-copy'

/** What became of the worst of them. */
export async function repairBlocks(
  context: ReplicaContext,
  blocks: readonly CorruptBlock[],
): Promise<Repair> {
  context.host.foundCorrupt(
    context.name,
    blocks.map(({ block }) => block),
  )
  const repairs = await Promise.all(blocks.map(block => repairBlock(context, block)))
  if (repairs.includes('no-copy')) return 'no-copy'
  return repairs.includes('not-now') ? 'not-now' : 'repaired'
}

async function repairBlock(
  context: ReplicaContext,
  { block, layer }: CorruptBlock,
): Promise<Repair> {
  const span = spanBetween(block, block + 1)
  // What is frozen has no open writes, and none of the head's touches it.
  const isHead = layer === headOf(context.store.layers).id
  if (isHead && !(await decided(context, span))) return 'not-now'
  const guard = context.guards.open(span)
  let unheard = false
  try {
    for (const peer of context.state.inSyncOthers()) {
      const copy = await fetchBlocks(context, peer, { ...span, layer })
      if (isHead && guard.touched(block)) return 'repaired'
      if (copy === null) unheard = true
      if (copy === null || copy === 'corrupt') continue
      if (!hasLayer(context.store.layers, layer)) return 'not-now'
      await context.store.adopt(layer, span.block, copy)
      context.host.log.warn('corrupt block repaired from another replica', {
        volume: context.name.volume,
        shard: context.name.shard,
        block,
        peer,
      })
      return 'repaired'
    }
    return unheard ? 'not-now' : 'no-copy'
  } finally {
    guard.close()
  }
}

/**
 * Waits, for a while, until no write of these blocks is open here: another replica may not have it
 * yet, and its copy would undo what we have acknowledged. Every write that we have and know to be
 * committed, every in-sync replica has.
 */
async function decided(context: ReplicaContext, span: BlockSpan): Promise<boolean> {
  const { state, host } = context
  const until = host.clock.now() + PARK_MS
  while (state.undecided(span)) {
    if (host.clock.now() >= until) return false
    await wait(host.clock, REPLICA_RETRY_MIN_MS)
  }
  return true
}

export interface LayerSpan extends BlockSpan {
  readonly layer: number
}

/** Null: not now. */
export async function fetchBlocks(
  context: ReplicaContext,
  from: PeerId,
  { layer, block, blocks }: LayerSpan,
): Promise<CopiedEntries | 'corrupt' | null> {
  const here = context.here()
  const request = { ...here, layer, block, blocks }
  const deadline = REPLICA_REQUEST_MS
  const reply = await context.host.peers.request(from, 'blocks', request, { deadline })
  if (reply === LOST || reply.status === 'refused') return null
  // However it ends, the bytes have been moved.
  if (reply.status === 'ok') {
    const { recovery } = context.host
    recovery.count(reply.entries.byteLength + reply.payload.byteLength)
    if (reply.busy) recovery.sourceIsBusy()
  }
  // What was asked under an allocation that is over may be older than what was settled since.
  if (context.state.epoch !== here.allocation) return null
  return reply.status === 'corrupt' ? 'corrupt' : parse(reply, blocks)
}

/** Null for what no swarmdisk sends. */
function parse(reply: BlocksReply, blocks: number): CopiedEntries | null {
  if (reply.entries.byteLength !== blocks * INDEX_ENTRY_BYTES) return null
  const entries: IndexEntry[] = []
  for (let slot = 0; slot < blocks; slot++) {
    const entry = decodeEntry(reply.entries, slot)
    if (!entry) return null
    entries.push(entry)
  }
  const withData = entries.filter(entry => entry.state === 'data').length
  if (reply.payload.byteLength !== withData * BLOCK_BYTES) return null
  return { entries, payload: reply.payload }
}
