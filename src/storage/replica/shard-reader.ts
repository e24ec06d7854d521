// Reads of clients, at any in-sync replica (design §5): not over a write whose fate is open, and
// checked once more after the data was read, just before the answer, so that any pause in between
// is harmless. Without a lease the other replicas are asked instead (read-confirmation.ts). What is
// corrupt is repaired first, or never shown.
import { isSwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, REPAIRS_PER_READ_MAX } from '../../base/limits.js'
import { hasLayer, headOf } from '../../layout/layers.js'
import { blockRange, bytesOfBlocks, offsetOfBlock } from '../../layout/geometry.js'
import { HEAD, type DataStatus } from '../../net/messages.js'
import { repairBlocks, type Repair } from './block-repair.js'
import type { ReadConfirmation } from './read-confirmation.js'
import type { ClientCall, ReplicaContext } from './replica-context.js'

type ReadCall = Extract<ClientCall, { readonly kind: 'read' }>

export async function serveRead(
  context: ReplicaContext,
  confirmation: ReadConfirmation,
  call: ReadCall,
): Promise<void> {
  const { state, store, host } = context
  const { offset, length } = call.request
  const span = blockRange({ offset, length })
  const layer = call.request.layer === HEAD ? headOf(store.layers).id : call.request.layer
  if (!hasLayer(store.layers, layer)) return call.finish('out-of-range')
  const isHead = layer === headOf(store.layers).id
  if (isHead && state.undecided(span)) return context.park(call)
  const allocation = state.epoch
  // Not cleared first: the store fills every byte of it, or fails, and then nothing is answered.
  const whole = Buffer.allocUnsafe(bytesOfBlocks(span.blocks))
  try {
    const reading = store.read(span.block, whole, layer)
    const { corrupt } = reading instanceof Promise ? await reading : reading
    if (corrupt.length > 0) {
      if (call.repairs++ >= REPAIRS_PER_READ_MAX) return call.finish('corrupt')
      const repair = await repairBlocks(context, corrupt)
      if (repair === 'repaired') host.dispatch(call)
      else call.finish(withoutCopy(repair))
      return
    }
  } catch (error) {
    host.log.error('a read of the disk failed', { ...context.name, error: String(error) })
    return call.finish(statusOf(error))
  }
  const vouched = host.leaseValid() || (await confirmation.confirmed()) || host.leaseValid()
  // The shard may have got a new allocation while the disk was busy, or the others (I4).
  if (state.epoch !== allocation) return host.dispatch(call)
  if (!vouched || !state.serving || host.fenced(context.name)) return call.finish('not-serving')
  const start = offset - offsetOfBlock(span.block)
  const isWhole = length === whole.length
  call.finish('ok', isWhole ? whole : whole.subarray(start, start + length))
}

/** Bugs go on to the top of the process. */
export function statusOf(error: unknown): DataStatus {
  if (isSwarmdiskError(error, 'disk-full')) return 'disk-full'
  if (isSwarmdiskError(error, 'corrupt')) return 'corrupt'
  if (isSwarmdiskError(error)) return 'disk-error'
  throw error
}

/** What a client hears: another replica may do better, and a retry may; or nobody can. */
function withoutCopy(repair: Exclude<Repair, 'repaired'>): DataStatus {
  return repair === 'not-now' ? 'not-serving' : 'corrupt'
}

/** Whole blocks of our own, repaired if need be; or the status to answer with instead. */
export async function readOwn(
  context: ReplicaContext,
  block: Parameters<ReplicaContext['store']['read']>[0],
  blocks: number,
): Promise<Uint8Array | DataStatus> {
  const whole = new Uint8Array(blocks * BLOCK_BYTES)
  for (let attempt = 0; attempt <= REPAIRS_PER_READ_MAX; attempt++) {
    const { corrupt } = await context.store.read(block, whole)
    if (corrupt.length === 0) return whole
    const repair = await repairBlocks(context, corrupt)
    if (repair !== 'repaired') return withoutCopy(repair)
  }
  return 'corrupt'
}
