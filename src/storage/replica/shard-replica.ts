// One shard's replica: the shell around the pure core. Turns messages and the ends of I/O into
// events, and performs the effects. What clients ask has been judged by the epoch table before it
// comes here; what other replicas ask must name the present allocation.
import { assert, exhaustive } from '../../base/assert.js'
import { isSwarmdiskError } from '../../base/errors.js'
import {
  byteCount,
  type ByteCount,
  type Epoch,
  type Generation,
  type PeerId,
} from '../../base/brands.js'
import { PARK_MS, PARKED_PER_SHARD_MAX } from '../../base/limits.js'
import type { SuspensionCause } from '../../layout/change.js'
import type { ShardAllocation } from '../../layout/configuration.js'
import { equal } from '../../layout/equal.js'
import type { LayerRecord } from '../../layout/layers.js'
import { blockRange, blocksOfBytes, withinOneExtent } from '../../layout/geometry.js'
import type * as m from '../../net/messages.js'
import { Parking } from '../parking.js'
import { ScrubSource } from '../scrub/scrub-source.js'
import type { ShardStore } from '../shard-store.js'
import { CatchUp } from './catch-up.js'
import { CatchUpSource } from './catch-up-source.js'
import { FetchGuards } from '../replication/fetch-guards.js'
import { serveHeld } from './held-blocks.js'
import { PrimaryDuties } from './primary-duties.js'
import type { ClientCall, ReplicaContext, ReplicaHost } from './replica-context.js'
import type { ReplicaEffect, ReplicaEvent, Token } from '../replication/replica-events.js'
import { ReplicaState, type ReplicaRole } from '../replication/replica-state.js'
import { Patience } from './patience.js'
import { ReadConfirmation } from './read-confirmation.js'
import { Sealing } from './sealing.js'
import { serveRead } from './shard-reader.js'
import { whomToSuspend, type Overdue } from '../replication/suspects.js'
import type { HeldShard } from '../voting/own-view.js'
import { WriteApplier } from './write-applier.js'
import { WritePreparation } from './write-preparation.js'

export interface ShardReplicaOptions {
  readonly name: m.ShardName
  readonly store: ShardStore
  readonly host: ReplicaHost
}

/** What a configuration says of a shard. */
export interface ShardFacts {
  readonly allocation: ShardAllocation
  readonly minInSync: number
  readonly bytes: ByteCount
  readonly layers: readonly LayerRecord[]
  /** Null: writes may be ordered. */
  readonly seal: Epoch | null
}

type WriteCall = Extract<ClientCall, { readonly kind: 'write' }>

export class ShardReplica {
  readonly #host: ReplicaHost
  readonly #state: ReplicaState
  readonly #applier: WriteApplier
  readonly #guards = new FetchGuards()
  readonly #parking: Parking
  readonly #context: ReplicaContext
  readonly #preparation: WritePreparation
  readonly #duties: PrimaryDuties
  readonly #patience: Patience
  readonly #sealing: Sealing
  readonly #catchUp: CatchUp
  readonly #calls = new Map<Token, WriteCall>()
  readonly #answersToCaughtUp: ((reply: m.CaughtUpReply) => void)[] = []
  readonly name: m.ShardName
  readonly store: ShardStore
  readonly source: CatchUpSource
  readonly scrub: ScrubSource
  readonly confirmation: ReadConfirmation
  #nextToken = 1
  #effects: ReplicaEffect[] = []
  #performing = false
  #facts: ShardFacts | null = null
  #storeProblem = ''
  #stopped = false

  constructor({ name, store, host }: ShardReplicaOptions) {
    this.name = name
    this.#host = host
    this.store = store
    this.#state = new ReplicaState({ name, self: host.self, incarnation: host.incarnation })
    this.#parking = new Parking({ clock: host.clock, limit: PARKED_PER_SHARD_MAX })
    this.#applier = new WriteApplier({
      store,
      clock: host.clock,
      stored: ({ allocation, sequence, durable }) => {
        this.#storeProblem = ''
        this.#step({ kind: 'stored', allocation, sequence, durable })
      },
      failing: error => this.#storeFailing(error),
    })
    this.#context = {
      name,
      store,
      state: this.#state,
      applier: this.#applier,
      guards: this.#guards,
      host,
      step: event => this.#step(event),
      here: () => ({ ...name, allocation: this.#state.epoch }),
      park: call => this.#park(call),
      storeFailing: error => this.#storeFailing(error),
    }
    this.#preparation = new WritePreparation(this.#context)
    this.#duties = new PrimaryDuties(this.#context)
    this.#patience = new Patience({
      clock: host.clock,
      waiting: () => new Map([...this.#duties.waiting(), ...this.#state.waiting()]),
      cause: server => this.#causeOf(server),
      lost: overdue => this.#suspend(overdue),
    })
    this.#sealing = new Sealing({
      quiet: () => this.#state.quiet && !this.#stopped,
      here: () => this.#context.here(),
      makeDurable: () => this.#duties.makeDurable(),
      sealed: shard => host.sealed(shard),
    })
    this.#catchUp = new CatchUp(this.#context)
    this.source = new CatchUpSource(this.#context, this.#parking)
    this.scrub = new ScrubSource(this.#context)
    this.confirmation = new ReadConfirmation(this.#context)
  }

  get role(): ReplicaRole {
    return this.#state.role
  }

  get generation(): Generation {
    return this.#state.generation
  }

  get problem(): string {
    return this.#storeProblem || this.#duties.problem || this.#catchUp.problem
  }

  /** Null unless syncing. */
  get bytesLeft(): ByteCount | null {
    return this.#catchUp.bytesLeft
  }

  /** Before adopt() with the same layers; free where there is nothing new. */
  prepareLayers(layers: readonly LayerRecord[]): Promise<void> {
    if (equal(this.store.layers, layers)) return Promise.resolve()
    return this.store.prepareLayers(layers)
  }

  /** Layers change only with the allocation, so nothing of the old one is written to the new. */
  adopt(facts: ShardFacts): void {
    if (!equal(this.store.layers, facts.layers)) this.store.setLayers(facts.layers)
    const wasSealed = this.#sealing.sealed
    this.#facts = facts
    this.#step({ kind: 'adopt', allocation: facts.allocation })
    this.#sealing.set(facts.seal)
    if (wasSealed && facts.seal === null) this.#parking.resumeAll()
  }

  pathChanged(peer: PeerId, up: boolean): void {
    this.#step({ kind: 'path', peer, up })
  }

  /** Proposals that still wait for a configuration. */
  proposals(): m.CaughtUpProposal['replicas'] {
    return this.#state.proposed().map(server => ({ ...this.#context.here(), server }))
  }

  /** What is ready for a snapshot. */
  sealed(): readonly m.SealedShard[] {
    return this.#sealing.ready()
  }

  /** What this server knows of it when it votes. */
  held(): HeldShard {
    const { role, primary, counted } = this.#state
    const source = this.bytesLeft === null ? null : primary
    return { role, failing: this.#state.failingOthers(), source, counted }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#patience.stop()
    this.#catchUp.stop()
    this.#duties.stop()
    this.#applier.discard()
    this.#parking.refuseAll()
    for (const call of this.#calls.values()) call.finish('not-serving')
    this.#calls.clear()
    await this.store.flush()
  }

  // ---- clients --------------------------------------------------------------------------------

  serve(call: ClientCall): void {
    if (this.#stopped || !this.#facts) return call.finish('not-serving')
    switch (call.kind) {
      case 'read':
        if (!this.#fits(call.request.offset, call.request.length))
          return call.finish('out-of-range')
        if (!this.#state.serving || this.#host.fenced(this.name)) return call.finish('not-serving')
        void serveRead(this.#context, this.confirmation, call)
        return
      case 'held-blocks':
        if (!this.#state.serving || this.#host.fenced(this.name)) return call.finish('not-serving')
        void serveHeld(this.#context, this.confirmation, call)
        return
      case 'write':
        return this.#write(call, this.#facts)
      case 'flush':
        if (this.#state.role !== 'primary') return call.finish('not-serving')
        if (!this.#state.settled) return this.#park(call)
        this.#duties.flush(call)
        return this.#patience.watch()
      default:
        exhaustive(call)
    }
  }

  #write(call: WriteCall, { minInSync }: ShardFacts): void {
    const { request, from: client } = call
    const length = byteCount(request.payload.byteLength)
    if (!this.#fits(request.offset, length)) return call.finish('out-of-range')
    if (this.#state.role !== 'primary') return call.finish('not-serving')
    // Reads go on; writes wait for more in-sync replicas.
    if (this.#state.inSyncOthers().length + 1 < minInSync) return this.#park(call)
    if (this.#sealing.sealed) return this.#park(call)
    const token = this.#nextToken++
    this.#calls.set(token, call)
    const span = blockRange({ offset: request.offset, length })
    const { request: number, completeBelow, durable } = request
    const noRoom = this.#host.noRoom()
    const write = { token, client, request: number, completeBelow, span, durable, noRoom }
    this.#step({ kind: 'client-write', write })
  }

  #fits(offset: m.WriteRequest['offset'], length: ByteCount): boolean {
    const bytes = this.#facts?.bytes ?? 0
    return length > 0 && offset + length <= bytes && withinOneExtent({ offset, length })
  }

  #park(call: ClientCall): void {
    call.waitsUntil ??= this.#host.clock.now() + PARK_MS
    const resume = (): void => this.#host.dispatch(call)
    this.#parking.park({ resume, refuse: () => call.finish('not-serving') }, call.waitsUntil)
  }

  // ---- other replicas -------------------------------------------------------------------------

  replicate(message: m.Replicate, from: PeerId): void {
    this.#step({ kind: 'replicate', message, from })
  }

  replicated(message: m.Replicated, from: PeerId): void {
    this.#step({ kind: 'replicated', message, from })
  }

  committed(message: m.Committed, from: PeerId): void {
    this.#step({ kind: 'committed', message, from })
  }

  gather(request: m.GatherRequest, from: PeerId): m.GatherReply {
    const asked = request.allocation === this.#state.epoch && this.#state.role === 'in-sync'
    if (!asked || from !== this.#state.primary) return { ok: false, uncommitted: [], executed: [] }
    return this.#state.gather()
  }

  async sync(request: m.SyncRequest): Promise<m.OkReply> {
    const { epoch, role } = this.#state
    if (request.allocation !== epoch || role === 'none') return { ok: false }
    try {
      await this.store.flush()
      return { ok: true }
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      if (epoch === this.#state.epoch) this.#storeFailing(error)
      return { ok: false }
    }
  }

  caughtUp(
    request: m.CaughtUpRequest,
    from: PeerId,
    answer: (reply: m.CaughtUpReply) => void,
  ): void {
    const { allocation, applied } = request
    if (allocation !== this.#state.epoch) return answer({ counted: false, executed: [] })
    this.#answersToCaughtUp.push(answer)
    this.#step({ kind: 'caught-up', from, allocation, applied })
  }

  // ---- effects --------------------------------------------------------------------------------

  #step(event: ReplicaEvent): void {
    if (this.#stopped) return
    this.#effects.push(...this.#state.step(event))
    if (this.#performing) return // those of an inner event come after those of the outer one
    this.#performing = true
    try {
      for (let effect = this.#effects.shift(); effect; effect = this.#effects.shift()) {
        this.#perform(effect)
      }
    } finally {
      this.#performing = false
    }
    if (this.#state.role !== 'primary') return
    this.#patience.watch()
    this.#sealing.consider()
  }

  #causeOf(server: PeerId): SuspensionCause {
    const { self, peers } = this.#host
    const failing = server === self ? [] : this.#state.failingOthers()
    if (server === self ? this.#state.storeFails : failing.includes(server)) return 'failing'
    return server === self || peers.find(server) ? 'stuck' : 'unreachable'
  }

  #suspend(overdue: readonly Overdue[]): void {
    const { self, log } = this.#host
    const inSync = [self, ...this.#state.inSyncOthers()]
    const minInSync = this.#facts?.minInSync ?? 1
    // Only counted, and not proposed yet: nobody needs to decide that it is not waited for.
    for (const { server } of overdue) {
      if (!inSync.includes(server)) this.#step({ kind: 'path', peer: server, up: false })
    }
    const chosen = whomToSuspend({ self, inSync, overdue, minInSync })
    if (chosen.length === 0) return
    for (const { server, cause } of chosen) {
      log.warn('a replica keeps its shard waiting', { ...this.name, server, cause })
    }
    this.#host.suspend(chosen.map(one => ({ ...this.#context.here(), ...one })))
  }

  #perform(effect: ReplicaEffect): void {
    const { peers } = this.#host
    switch (effect.kind) {
      case 'apply':
        this.#guards.noteWrite({
          block: effect.block,
          blocks: blocksOfBytes(effect.payload.byteLength),
        })
        return this.#applier.push(effect)
      case 'discard-unapplied':
        return this.#applier.discard()
      // To a peer without a path nothing is sent: it asks to resume when it has one.
      case 'send-replicate':
        return void peers.notify(effect.to, 'replicate', effect.message)
      case 'send-replicated':
        return void peers.notify(effect.to, 'replicated', effect.message)
      case 'send-committed':
        return void peers.notify(effect.to, 'committed', effect.message)
      case 'answer':
        return this.#take(effect.token).finish(effect.status, undefined, effect.durable)
      case 'park':
        return this.#park(this.#take(effect.token))
      case 'progress':
        return this.#parking.resumeAll()
      case 'prepare': {
        const { key, spans, token } = effect
        const call = this.#calls.get(token)
        assert(call, 'a write is prepared before it is answered')
        return this.#preparation.prepare({ key, spans, request: call.request })
      }
      case 'answer-caught-up':
        return this.#answersToCaughtUp.shift()?.(effect.reply)
      case 'want-epoch':
        return this.#host.wantEpoch(effect.epoch)
      case 'catch-up':
        return this.#catchUp.start(effect.everything)
      case 'stop-catch-up':
        this.#patience.stop()
        this.#duties.newAllocation()
        return this.#catchUp.stop()
      case 'gather':
      case 'read-own':
      case 'confirm':
        return this.#duties.perform(effect)
      default:
        exhaustive(effect)
    }
  }

  #take(token: Token): WriteCall {
    const call = this.#calls.get(token)
    assert(call, 'every write is answered once')
    this.#calls.delete(token)
    return call
  }

  #storeFailing(error: unknown): void {
    this.#storeProblem = error instanceof Error ? error.message : String(error)
    this.#host.log.error('a write to the disk failed', { error: this.#storeProblem })
    this.#step({ kind: 'store-failing' })
  }
}
