// What a primary does with the other replicas beyond sending writes: gathers their lists before it
// serves, reads what is to be settled, makes a counted replica durable, and flushes. All of it
// belongs to one allocation and is given up when a new one comes.
import type { Epoch, PeerId } from '../../base/brands.js'
import { wait } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import {
  REPLICA_REQUEST_MS,
  REPLICA_RETRY_MAX_MS,
  REPLICA_RETRY_MIN_MS,
} from '../../base/limits.js'
import type { DataStatus } from '../../net/messages.js'
import { LOST } from '../../net/peers.js'
import type { BlockSpan } from '../replication/block-spans.js'
import type { ClientCall, ReplicaContext } from './replica-context.js'
import type { ReplicaEffect } from '../replication/replica-events.js'
import { readOwn, statusOf } from './shard-reader.js'

type Duty = Extract<ReplicaEffect, { readonly kind: 'gather' | 'read-own' | 'confirm' }>

export class PrimaryDuties {
  readonly #context: ReplicaContext
  readonly #flushes = new Set<ClientCall>()
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
    for (const { block, blocks } of spans) {
      const payload = await this.#readUntilGood(epoch, { block, blocks })
      if (!payload || this.#over(epoch)) return
      this.#context.step({ kind: 'own-content', allocation: epoch, block, payload })
    }
    this.#context.step({ kind: 'own-content-end', allocation: epoch })
  }

  async #readUntilGood(epoch: Epoch, span: BlockSpan): Promise<Uint8Array | null> {
    const { host, name } = this.#context
    for (let pause = REPLICA_RETRY_MIN_MS; !this.#over(epoch);) {
      let problem = `block ${span.block} or one after it is corrupt, and no other copy is good`
      try {
        const payload = await readOwn(this.#context, span.block, span.blocks)
        this.#problem = ''
        if (payload) return payload
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
    const { store, state } = this.#context
    const { epoch } = state
    const others = state.required().map(peer => this.#sync(epoch, peer))
    Promise.all([store.flush(), ...others]).then(
      () => this.#flushed(call, this.#over(epoch) ? 'stale-epoch' : 'ok'),
      (error: unknown) => this.#flushed(call, statusOf(error)),
    )
  }

  #flushed(call: ClientCall, status: DataStatus): void {
    if (this.#flushes.delete(call)) call.finish(status)
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
