// One shard's replica on one server, as a pure state machine: an event in, effects out. The rules
// are those of the model in models/shard-protocol.mjs (design §5), for real writes of many blocks.
//
//                     adopt (a new allocation)
//   none <--------------------+--------------------> primary   PrimaryState: orders, settles
//                             |
//                             +---> in-sync, syncing           FollowerState: applies in sequence
//
// A role belongs to one allocation and to this incarnation of the server: after a restart the
// replica is `none` until an allocation names the new incarnation. What outlives an allocation is
// the list of uncommitted writes and the once table. Performing effects, and time, is the shell's.
import { assert, exhaustive } from '../../base/assert.js'
import { epoch, generation, sequence } from '../../base/brands.js'
import type { Epoch, Generation, Incarnation, PeerId, Sequence } from '../../base/brands.js'
import type { ShardAllocation } from '../../layout/configuration.js'
import type { GatherReply, ShardMessage, ShardName } from '../../net/messages.js'
import type { BlockSpan } from './block-spans.js'
import { FollowerState } from './follower-state.js'
import { OnceTable } from './once-table.js'
import { PrimaryState } from './primary-state.js'
import type { ReplicaEffect, ReplicaEvent } from './replica-events.js'
import { REPLICATION_LIMITS, type ReplicationLimits } from './replication-queue.js'
import { UncommittedWrites } from './uncommitted-writes.js'

const noGeneration = generation(0)
const NOTHING: ReadonlyMap<PeerId, string> = new Map()

export interface ReplicaIdentity {
  readonly name: ShardName
  readonly self: PeerId
  readonly incarnation: Incarnation
}

export type ReplicaRole = 'none' | 'syncing' | 'in-sync' | 'primary'

/** Roles belong to an incarnation: a restarted server is nothing until it is named again. */
export function roleIn(
  allocation: ShardAllocation,
  who: { readonly self: PeerId; readonly incarnation: Incarnation },
): ReplicaRole {
  const place = allocation.replicas.findIndex(replica => replica.server === who.self)
  const replica = allocation.replicas[place]
  if (!replica || replica.incarnation !== who.incarnation) return 'none'
  if (replica.state === 'in-sync' && place === 0) return 'primary'
  return replica.state
}

export class ReplicaState {
  readonly #identity: ReplicaIdentity
  readonly #limits: ReplicationLimits
  readonly #list = new UncommittedWrites()
  readonly #once = new OnceTable()
  #effects: ReplicaEffect[] = []
  #allocation: ShardAllocation | null = null
  #role: ReplicaRole = 'none'
  #primary: PrimaryState | null = null
  #follower: FollowerState | null = null
  #counted = false
  #inSyncOthers: readonly PeerId[] = []

  constructor(identity: ReplicaIdentity, limits: ReplicationLimits = REPLICATION_LIMITS) {
    this.#identity = identity
    this.#limits = limits
  }

  get role(): ReplicaRole {
    return this.#role
  }

  /** 0 before any. */
  get epoch(): Epoch {
    return this.#allocation?.epoch ?? epoch(0)
  }

  get generation(): Generation {
    return this.#allocation?.generation ?? noGeneration
  }

  get primary(): PeerId | null {
    return this.#allocation?.replicas[0]?.server ?? null
  }

  get serving(): boolean {
    return this.#role === 'in-sync' || this.#role === 'primary'
  }

  get settled(): boolean {
    return this.#primary?.settled ?? false
  }

  /** As the primary: everything that was ever taken up is committed. */
  get quiet(): boolean {
    return this.#primary?.quiet ?? false
  }

  /** As a follower: everything up to here is in the store. */
  get applied(): Sequence {
    return this.#follower?.applied ?? sequence(0)
  }

  /** In-sync replicas but this one. */
  inSyncOthers(): readonly PeerId[] {
    return this.#inSyncOthers
  }

  /** As the primary: the others that a FLUSH needs. */
  required(): readonly PeerId[] {
    return this.#primary?.queue.required() ?? []
  }

  isRequired(peer: PeerId): boolean {
    return this.#primary?.queue.isRequired(peer) ?? false
  }

  missing(): ReadonlySet<PeerId> {
    return this.#primary?.missing ?? new Set()
  }

  /** As the primary: in-sync others that refuse what they are sent, until their disk takes it. */
  failingOthers(): readonly PeerId[] {
    return this.#primary?.queue.failingInSync() ?? []
  }

  /** As the primary: whom this shard waits for, ourselves included, and what for. */
  waiting(): ReadonlyMap<PeerId, string> {
    return this.#primary?.waiting() ?? NOTHING
  }

  /** As the primary: our own store refuses what comes next. */
  get storeFails(): boolean {
    return this.#primary?.storeFails ?? false
  }

  /** As a syncing replica: the primary has counted us in this allocation. */
  get counted(): boolean {
    return this.#counted
  }

  /** As the primary: proposals that the managers have not answered with a new allocation. */
  proposed(): readonly PeerId[] {
    return this.#primary?.queue.proposed() ?? []
  }

  /** A write of these blocks may or may not turn out to have happened: reads wait. */
  undecided(span: BlockSpan): boolean {
    return this.#list.overlaps(span)
  }

  /** Open, but only since before this allocation: its primary settles them, and asks for it. */
  awaitsSettling(span: BlockSpan): boolean {
    return this.#list.overlaps(span) && !this.#list.overlapsSince(span, this.epoch)
  }

  gather(): GatherReply {
    assert(this.#role === 'in-sync', 'only in-sync replicas are gathered from')
    return { ok: true, uncommitted: this.#list.list(), executed: this.#once.export() }
  }

  step(event: ReplicaEvent): readonly ReplicaEffect[] {
    assert(this.#effects.length === 0, 'one event at a time')
    this.#handle(event)
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #handle(event: ReplicaEvent): void {
    switch (event.kind) {
      case 'adopt':
        return this.#adopt(event.allocation)
      case 'path':
        return this.#path(event.peer, event.up)
      case 'client-write':
        assert(this.#primary, 'only the primary takes writes')
        return this.#primary.clientWrite(event.write)
      case 'replicate':
      case 'committed':
        return this.#fromPrimary(event)
      case 'replicated':
        if (this.#isCurrent(event.message)) this.#primary?.replicated(event.from, event.message)
        return
      case 'store-failing':
        this.#primary?.storeFailing()
        return this.#follower?.storeFailing()
      case 'stored':
      case 'prepared':
      case 'not-prepared':
      case 'gathered':
      case 'own-content':
      case 'own-content-end':
      case 'caught-up':
      case 'counted':
      case 'proposed':
        // Of an allocation that is over: its consequences were drawn when the new one came.
        if (event.allocation === this.epoch) this.#withinAllocation(event)
        return
      default:
        return exhaustive(event)
    }
  }

  #withinAllocation(event: Extract<ReplicaEvent, { readonly allocation: Epoch }>): void {
    switch (event.kind) {
      case 'stored':
        this.#primary?.stored(event.sequence, event.durable)
        return this.#follower?.stored(event.sequence, event.durable)
      case 'prepared':
        return this.#primary?.prepared(event)
      case 'not-prepared':
        return this.#primary?.notPrepared(event.key, event.status)
      case 'gathered':
        return this.#primary?.gathered(event.from, event.reply)
      case 'own-content':
        return this.#primary?.ownContent(event.block, event.payload, event.of ?? null)
      case 'own-content-end':
        return this.#primary?.ownContentEnd()
      case 'caught-up':
        return this.#caughtUp(event.from, event.applied)
      case 'counted':
        this.#counted = true
        return this.#once.merge(event.reply.executed)
      case 'proposed':
        return this.#primary?.queue.markProposed(event.server)
      default:
        return exhaustive(event)
    }
  }

  #emit = (effect: ReplicaEffect): void => {
    this.#effects.push(effect)
  }

  #adopt(allocation: ShardAllocation): void {
    if (allocation.epoch <= this.epoch) {
      assert(allocation.epoch === this.epoch, 'epochs of an allocation only grow')
      return
    }
    this.#primary?.end()
    this.#allocation = allocation
    this.#inSyncOthers = allocation.replicas
      .filter(({ server, state }) => state === 'in-sync' && server !== this.#identity.self)
      .map(({ server }) => server)
    this.#role = roleIn(allocation, this.#identity)
    this.#primary = null
    this.#follower = null
    this.#counted = false
    this.#emit({ kind: 'stop-catch-up' })
    if (this.#role === 'none' || this.#role === 'syncing') this.#emit({ kind: 'discard-unapplied' })
    if (this.#role === 'syncing') {
      // What was in flight here, and what we knew of requests, is superseded by what we fetch.
      this.#list.clear()
      this.#once.clear()
      this.#emit({ kind: 'catch-up', everything: false })
    }
    const shared = { list: this.#list, once: this.#once, emit: this.#emit }
    const { name, self } = this.#identity
    if (this.#role === 'primary') {
      this.#primary = new PrimaryState({ ...shared, name, self, allocation, limits: this.#limits })
    } else if (this.#role !== 'none') {
      const primary = this.primary
      assert(primary && primary !== self, 'a follower has a primary')
      const syncing = this.#role === 'syncing'
      const within = { name, allocation: allocation.epoch, primary, syncing }
      this.#follower = new FollowerState({ ...shared, ...within })
    }
    this.#emit({ kind: 'progress' })
  }

  #path(peer: PeerId, up: boolean): void {
    this.#primary?.path(peer)
    if (up && peer === this.primary) this.#follower?.resume()
  }

  #fromPrimary(event: Extract<ReplicaEvent, { readonly kind: 'replicate' | 'committed' }>): void {
    const { message, from } = event
    if (!this.#isCurrent(message) || from !== this.primary) return
    if (event.kind === 'replicate') this.#follower?.replicate(event.message)
    else this.#follower?.committed(event.message)
  }

  #caughtUp(from: PeerId, applied: Sequence): void {
    const reply = this.#primary?.caughtUp(from, applied) ?? { counted: false, executed: [] }
    this.#emit({ kind: 'answer-caught-up', reply })
  }

  #isCurrent(message: ShardMessage): boolean {
    if (message.allocation > this.epoch) {
      this.#emit({ kind: 'want-epoch', epoch: message.allocation })
    }
    return message.allocation === this.epoch
  }
}
