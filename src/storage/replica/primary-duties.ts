// What a primary does with the other replicas beyond sending writes: gathers their lists before it
// serves, reads what is to be settled, makes a counted replica durable, and flushes. All of it
// belongs to one allocation and is given up when a new one comes.
import type { Epoch, PeerId } from '../../base/brands.js'
import { wait } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import {
  BLOCK_BYTES,
  REPLICA_REQUEST_MS,
  REPLICA_RETRY_MAX_MS,
  REPLICA_RETRY_MIN_MS,
} from '../../base/limits.js'
import type { DataStatus } from '../../net/messages.js'
import { LOST } from '../../net/peers.js'
import { endOf, spanBetween, type BlockSpan } from '../replication/block-spans.js'
import { bytesOfBlocks } from '../../layout/geometry.js'
import { hasLayer, headOf } from '../../layout/layers.js'
import type { CorruptBlock } from '../shard-store.js'
import type { ClientCall, ReplicaContext } from './replica-context.js'
import type { ReplicaEffect } from '../replication/replica-events.js'
import { fetchBlocks, repairBlocks } from './block-repair.js'
import { statusOf } from './shard-reader.js'

interface Content {
  readonly payload: Uint8Array
  /** The replica it is of; null for our own. */
  readonly of: PeerId | null
}

type Duty = Extract<ReplicaEffect, { readonly kind: 'gather' | 'read-own' | 'confirm' }>

export class PrimaryDuties {
  readonly #context: ReplicaContext
  readonly #flushes = new Set<ClientCall>()
  /** FLUSHes under way, each with the replicas that are still to be made durable. */
  readonly #syncs = new Map<number, Set<PeerId>>()
  #nextSync = 1
  #problem = ''
  #stopped = false

  constructor(context: ReplicaContext) {
    this.#context = context
  }

  get problem(): string {
    return this.#problem
  }

  perform(effect: Duty): void {
    const { epoch } = this.#context.state
    if (effect.kind === 'gather') void this.#gather(epoch, effect.from)
    else if (effect.kind === 'read-own') void this.#readOwn(epoch, effect.spans)
    else void this.#confirm(epoch, effect.server)
  }

  /** A FLUSH under an allocation that is over proves nothing: the client asks again. */
  newAllocation(): void {
    this.#endFlushes('stale-epoch')
    this.#syncs.clear()
    this.#problem = ''
  }

  stop(): void {
    this.#stopped = true
    this.#endFlushes('not-serving')
  }

  #endFlushes(status: DataStatus): void {
    for (const call of this.#flushes) call.finish(status)
    this.#flushes.clear()
  }

  #over(epoch: Epoch): boolean {
    return this.#stopped || this.#context.state.epoch !== epoch
  }

  async #gather(epoch: Epoch, from: PeerId): Promise<void> {
    const { host, state } = this.#context
    const deadline = REPLICA_REQUEST_MS
    for (let pause = REPLICA_RETRY_MIN_MS; !this.#over(epoch);) {
      const request = { ...this.#context.here(), primary: host.self }
      const reply = await host.peers.request(from, 'gather', request, { deadline })
      if (this.#over(epoch) || !state.missing().has(from)) return
      if (reply !== LOST && reply.ok) {
        return this.#context.step({ kind: 'gathered', allocation: epoch, from, reply })
      }
      await wait(host.clock, pause)
      pause = Math.min(pause * 2, REPLICA_RETRY_MAX_MS)
    }
  }

  /** Nothing is written here meanwhile: clients wait until this is settled. */
  async #readOwn(epoch: Epoch, spans: readonly BlockSpan[]): Promise<void> {
    // What was taken over but not stored yet, because the disk refused it, is part of our content.
    await this.#context.applier.quiet(null)
    for (const span of spans) {
      const whole = await this.#readWhole(span)
      if (this.#over(epoch)) return
      const { block } = span
      if (whole instanceof Uint8Array)
        this.#context.step({ kind: 'own-content', allocation: epoch, block, payload: whole })
      else if (!(await this.#readBlocks(epoch, span))) return
    }
    this.#context.step({ kind: 'own-content-end', allocation: epoch })
  }

  /** Or what is bad of it; empty if it cannot be read at all. */
  async #readWhole({ block, blocks }: BlockSpan): Promise<Uint8Array | readonly CorruptBlock[]> {
    const payload = new Uint8Array(bytesOfBlocks(blocks))
    try {
      const { corrupt } = await this.#context.store.read(block, payload)
      return corrupt.length === 0 ? payload : corrupt
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      return [] // what is wrong is told block by block
    }
  }

  /** One by one, those that are bad here from another replica. False: the allocation is over. */
  async #readBlocks(epoch: Epoch, span: BlockSpan): Promise<boolean> {
    for (let at: number = span.block; at < endOf(span); at++) {
      const one = spanBetween(at, at + 1)
      const found = await this.#readUntilGood(epoch, one)
      if (!found || this.#over(epoch)) return false
      this.#context.step({
        ...{ kind: 'own-content', allocation: epoch, block: one.block, payload: found.payload },
        ...(found.of === null ? {} : { of: found.of }),
      })
    }
    return true
  }

  async #readUntilGood(epoch: Epoch, span: BlockSpan): Promise<Content | null> {
    const { host, name } = this.#context
    for (let pause = REPLICA_RETRY_MIN_MS; !this.#over(epoch);) {
      let problem = `block ${span.block} or one after it is corrupt, and no other copy is good`
      try {
        const whole = await this.#readWhole(span)
        const isWhole = whole instanceof Uint8Array
        const found = isWhole ? { payload: whole, of: null } : await this.#substitute(span, whole)
        if (found) this.#problem = ''
        if (found) return found
      } catch (error) {
        if (!isSwarmdiskError(error)) throw error
        problem = error.message
      }
      if (this.#problem === '') host.log.error('settling waits', { ...name, problem })
      this.#problem = problem
      await wait(host.clock, pause)
      pause = Math.min(pause * 2, REPLICA_RETRY_MAX_MS)
    }
    return null
  }

  /** In a frozen layer nothing is open: a bad block there is repaired like any other. */
  async #substitute(span: BlockSpan, corrupt: readonly CorruptBlock[]): Promise<Content | null> {
    const { store } = this.#context
    const head = headOf(store.layers).id
    const frozen = corrupt.filter(({ layer }) => layer !== head)
    if (frozen.length === 0) return this.#borrow(span)
    if ((await repairBlocks(this.#context, frozen)) !== 'repaired') return null
    const again = await this.#readWhole(span)
    return again instanceof Uint8Array ? { payload: again, of: null } : null
  }

  /**
   * Nobody has answered whether a write that is settled has happened, so the content of any in-sync
   * replica will do, with the requests that this replica has executed.
   */
  async #borrow(span: BlockSpan): Promise<Content | null> {
    this.#context.host.foundCorrupt(this.#context.name, [span.block])
    for (const of of this.#context.state.inSyncOthers()) {
      const { id, parent } = headOf(this.#context.store.layers)
      const copy = await fetchBlocks(this.#context, of, { ...span, layer: id })
      if (copy === null || copy === 'corrupt') continue
      if (copy.entries[0]?.state === 'data') return { payload: copy.payload, of }
      const payload = new Uint8Array(BLOCK_BYTES)
      const below = copy.entries[0]?.state === 'absent' && parent !== 0
      if (!below) return { payload, of }
      if (!hasLayer(this.#context.store.layers, parent)) return null
      const { corrupt } = await this.#context.store.read(span.block, payload, parent)
      if (corrupt.length === 0) return { payload, of }
      await repairBlocks(this.#context, corrupt)
    }
    return null
  }

  /** Counted, then durable, then proposed. Where it fails, it says again that it is level. */
  async #confirm(epoch: Epoch, server: PeerId): Promise<void> {
    const { host, state } = this.#context
    const reply = await host.peers.request(server, 'sync', this.#context.here())
    if (this.#over(epoch) || !state.isRequired(server)) return
    if (reply === LOST) return // the broken path has uncounted it, or does so now
    if (!reply.ok) return this.#context.step({ kind: 'path', peer: server, up: false })
    this.#context.step({ kind: 'proposed', allocation: epoch, server })
    if (state.proposed().includes(server)) host.propose({ ...this.#context.here(), server })
  }

  // ---- FLUSH ----------------------------------------------------------------------------------

  flush(call: ClientCall): void {
    this.#flushes.add(call)
    void this.makeDurable().then(status => {
      if (this.#flushes.delete(call)) call.finish(status)
    })
  }

  /** All that is ordered, on every required replica: 'ok' if that was done in this allocation. */
  makeDurable(): Promise<DataStatus> {
    const { store, state, host } = this.#context
    const { epoch } = state
    const others = state.required()
    const sync = this.#nextSync++
    const left = new Set([host.self, ...others])
    this.#syncs.set(sync, left)
    const own = store.flush().then(
      () => left.delete(host.self),
      (error: unknown) => {
        if (!this.#over(epoch)) this.#context.storeFailing(error)
        throw error
      },
    )
    const work = [own, ...others.map(peer => this.#sync(epoch, peer).then(() => left.delete(peer)))]
    return Promise.all(work)
      .then(() => (this.#over(epoch) ? 'stale-epoch' : 'ok'), statusOf)
      .finally(() => this.#syncs.delete(sync))
  }

  /** Replicas that a FLUSH waits for, with the oldest one that does. */
  waiting(): ReadonlyMap<PeerId, string> {
    const waits = new Map<PeerId, string>()
    for (const [sync, left] of this.#syncs) {
      for (const peer of left) if (!waits.has(peer)) waits.set(peer, `flush ${sync}`)
    }
    return waits
  }

  /** Resolves when this replica is durable, is not needed any more, or the allocation is over. */
  async #sync(epoch: Epoch, peer: PeerId): Promise<void> {
    const { host, state } = this.#context
    for (let pause = REPLICA_RETRY_MIN_MS; !this.#over(epoch) && state.isRequired(peer);) {
      const reply = await host.peers.request(peer, 'sync', this.#context.here())
      if (reply !== LOST && reply.ok) return
      await wait(host.clock, pause)
      pause = Math.min(pause * 2, REPLICA_RETRY_MAX_MS)
    }
  }
}
