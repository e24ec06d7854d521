// The primary's ordered writes of one allocation and how far each other replica is with them. Pure.
//
//   kept:  | committed, for syncing ones |  not committed by all required  |
//          ^ first                       ^ committed                       ^ last
//
// What a required replica has not acknowledged is always kept (client windows bound it). What is
// committed is kept for syncing replicas up to a number of bytes; one that misses more is told to
// skip, and compares again.
import { assert } from '../../base/assert.js'
import { sequence, type PeerId, type Sequence } from '../../base/brands.js'
import { SYNC_BACKLOG_BYTES, SYNC_WINDOW } from '../../base/limits.js'
import type { Committed, Replicate, Replicated } from '../../net/messages.js'
import type { PrimaryOptions } from './primary-state.js'

export interface Ordered extends Pick<Replicate, 'block' | 'payload' | 'origins' | 'complete'> {
  readonly sequence: Sequence
  readonly settling: boolean
  readonly durable: boolean
  /** The client write it is a part of; null for settling. */
  readonly key: number | null
}

/** What a primary does for syncing replicas; tests take less. */
export interface ReplicationLimits {
  readonly backlogBytes: number
  /** Writes sent and not acknowledged. */
  readonly window: number
}

export const REPLICATION_LIMITS: ReplicationLimits = {
  backlogBytes: SYNC_BACKLOG_BYTES,
  window: SYNC_WINDOW,
}

interface Follower {
  readonly id: PeerId
  readonly inSync: boolean
  /** no -> counted -> confirming (being made durable) -> proposed */
  counted: 'no' | 'counted' | 'confirming' | 'proposed'
  /** Its acknowledgement of this completes the counting: all that was ordered by then. */
  target: Sequence
  acknowledged: Sequence
  /** Of that, what it has made durable at once. */
  durable: Sequence
  sent: Sequence
  /** It was told to skip up to here, and compares again. */
  skipped: Sequence
  failing: boolean
}

const required = (follower: Follower): boolean => follower.inSync || follower.counted !== 'no'

export class ReplicationQueue {
  readonly #o: PrimaryOptions
  /** So few that looking for one is quicker than a map. */
  readonly #followers: readonly Follower[]
  readonly #kept: Ordered[] = []
  #keptCommittedBytes = 0
  #last = sequence(0)
  #committed = sequence(0)

  constructor(options: PrimaryOptions) {
    this.#o = options
    const none = sequence(0)
    const others = options.allocation.replicas.filter(({ server }) => server !== options.self)
    this.#followers = others.map(({ server, state }) => ({
      id: server,
      inSync: state === 'in-sync',
      counted: 'no',
      target: none,
      acknowledged: none,
      durable: none,
      sent: none,
      skipped: none,
      failing: false,
    }))
  }

  get last(): Sequence {
    return this.#last
  }

  get committed(): Sequence {
    return this.#committed
  }

  inSync(): readonly PeerId[] {
    return this.#ids(follower => follower.inSync)
  }

  /** Whose acknowledgement writes and flushes need. */
  required(): readonly PeerId[] {
    return this.#ids(required)
  }

  proposed(): readonly PeerId[] {
    return this.#ids(follower => follower.counted === 'proposed')
  }

  isRequired(peer: PeerId): boolean {
    const follower = this.#find(peer)
    return follower !== undefined && required(follower)
  }

  failing(): boolean {
    return this.#followers.some(f => f.failing && required(f))
  }

  failingInSync(): readonly PeerId[] {
    return this.#ids(follower => follower.inSync && follower.failing)
  }

  /** Replicas whose acknowledgement is missing, or that refuse, with what they owe next. */
  owing(): readonly { readonly peer: PeerId; readonly next: number }[] {
    return this.#followers
      .filter(follower => {
        return required(follower) && (follower.failing || follower.acknowledged < this.#last)
      })
      .map(({ id, acknowledged }) => ({ peer: id, next: acknowledged + 1 }))
  }

  push(write: Ordered): void {
    assert(write.sequence === this.#last + 1, 'writes are ordered one after the other')
    this.#last = write.sequence
    this.#kept.push(write)
    for (const follower of this.#followers) this.#send(follower)
  }

  replicated(from: PeerId, message: Replicated): void {
    const follower = this.#find(from)
    if (!follower || message.sequence > this.#last) return
    follower.failing = !message.applied
    if (follower.failing) this.uncount(from)
    if (message.sequence > follower.acknowledged) follower.acknowledged = message.sequence
    const durable = message.durable < message.sequence ? message.durable : message.sequence
    if (durable > follower.durable) follower.durable = durable
    if (message.resume) follower.sent = follower.acknowledged
    if (follower.sent < follower.acknowledged) follower.sent = follower.acknowledged
    this.#send(follower)
    if (message.resume && this.#committed > 0) this.#tellCommitted(follower, false)
    this.confirmCounted()
  }

  /** Takes in order what is stored here and acknowledged by all required. */
  commit(storedHere: Sequence): readonly Ordered[] {
    let upTo = storedHere
    for (const follower of this.#followers) {
      if (required(follower) && follower.acknowledged < upTo) upTo = follower.acknowledged
    }
    if (upTo <= this.#committed) return []
    const start = this.#committed - this.#base()
    const committed = this.#kept.slice(start, upTo - this.#base())
    assert(committed.length === upTo - this.#committed, 'what is not committed was kept')
    this.#committed = upTo
    for (const { payload } of committed) this.#keptCommittedBytes += payload.byteLength
    for (const follower of this.#followers) this.#tellCommitted(follower, false)
    this.#forget()
    return committed
  }

  /** Of what was to be durable at once, what is so here and at all required. */
  durable(here: Sequence): Sequence {
    let upTo = here
    for (const follower of this.#followers) {
      if (required(follower) && follower.durable < upTo) upTo = follower.durable
    }
    return upTo
  }

  /** A syncing replica is level but for what is on its way. False: it has to compare again. */
  count(peer: PeerId, applied: Sequence): boolean {
    const follower = this.#find(peer)
    if (!follower || follower.inSync || follower.failing || applied > this.#last) return false
    if (follower.counted !== 'no') return true
    // A write it misses and was not told to skip would be behind a gap, so this is all there is.
    if (applied < follower.skipped || applied < this.#base()) return false
    follower.counted = 'counted'
    follower.target = this.#last
    if (applied > follower.acknowledged) follower.acknowledged = applied
    this.#send(follower)
    return true
  }

  /** Starts to make those durable that have everything from before they were counted. */
  confirmCounted(): void {
    for (const follower of this.#followers) {
      if (follower.counted !== 'counted' || follower.acknowledged < follower.target) continue
      follower.counted = 'confirming'
      this.#o.emit({ kind: 'confirm', server: follower.id })
    }
  }

  markProposed(peer: PeerId): void {
    const follower = this.#find(peer)
    if (follower?.counted === 'confirming') follower.counted = 'proposed'
  }

  /**
   * Its path broke, or it does not take what it is sent: nobody waits for it. Once proposed it
   * stays counted: it may be made in-sync any time.
   */
  uncount(peer: PeerId): void {
    const follower = this.#find(peer)
    if (follower && follower.counted !== 'proposed') follower.counted = 'no'
  }

  #find(peer: PeerId): Follower | undefined {
    return this.#followers.find(({ id }) => id === peer)
  }

  #ids(which: (follower: Follower) => boolean): readonly PeerId[] {
    return this.#followers.filter(which).map(follower => follower.id)
  }

  /** Everything up to here was forgotten. */
  #base(): number {
    return this.#last - this.#kept.length
  }

  /** Only what it can take: a slow syncing replica must not fill our memory or the link. */
  #send(follower: Follower): void {
    while (follower.sent < this.#last) {
      const needs = required(follower)
      if (!needs && follower.sent - follower.acknowledged >= this.#o.limits.window) return
      const write = this.#kept[follower.sent - this.#base()]
      if (!write) {
        assert(!follower.inSync, 'what an in-sync replica misses was kept')
        assert(follower.counted !== 'proposed', 'a proposed replica had all from before')
        follower.counted = 'no'
        follower.sent = this.#committed
        follower.skipped = this.#committed
        this.#tellCommitted(follower, true)
        continue
      }
      follower.sent = write.sequence
      const { block, payload, origins, complete, settling, durable } = write
      // Spelled out, as in all that is made for every write: a spread costs microseconds.
      const { volume, shard } = this.#o.name
      const message: Replicate = {
        volume,
        shard,
        allocation: this.#o.allocation.epoch,
        sequence: write.sequence,
        block,
        origins,
        settling,
        durable,
        committed: this.#committed,
        complete,
        payload,
      }
      this.#o.emit({ kind: 'send-replicate', to: follower.id, message })
    }
  }

  #tellCommitted(follower: Follower, skip: boolean): void {
    const { volume, shard } = this.#o.name
    const allocation = this.#o.allocation.epoch
    const message: Committed = { volume, shard, allocation, sequence: this.#committed, skip }
    this.#o.emit({ kind: 'send-committed', to: follower.id, message })
  }

  #forget(): void {
    let slowest = this.#last
    for (const { acknowledged } of this.#followers) {
      if (acknowledged < slowest) slowest = acknowledged
    }
    let count = 0
    for (const write of this.#kept) {
      if (write.sequence > this.#committed) break
      if (write.sequence > slowest && this.#keptCommittedBytes <= this.#o.limits.backlogBytes) break
      this.#keptCommittedBytes -= write.payload.byteLength
      count++
    }
    if (count > 0) this.#kept.splice(0, count)
  }
}
