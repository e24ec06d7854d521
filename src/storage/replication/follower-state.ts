// The part of every replica but the primary, within one allocation: applies the primary's writes
// strictly in sequence, ignores duplicates, and asks to resume where it misses some. Pure.
//
//   received >= stored    received: put into the list and handed to the store, in sequence
//                         stored: in the store; this is what is acknowledged, cumulatively
//
// Resuming is the follower's business: after a new path, a new allocation or a gap it says how far
// it is, and the primary sends everything after that again.
import { assert } from '../../base/assert.js'
import { sequence, type Epoch, type PeerId, type Sequence } from '../../base/brands.js'
import { blocksOfBytes } from '../../layout/geometry.js'
import type { Committed, Replicate, Replicated, ShardName } from '../../net/messages.js'
import type { OnceTable } from './once-table.js'
import type { ReplicaEffect } from './replica-events.js'
import type { UncommittedWrites } from './uncommitted-writes.js'

export interface FollowerOptions {
  readonly name: ShardName
  readonly allocation: Epoch
  readonly primary: PeerId
  readonly syncing: boolean
  readonly list: UncommittedWrites
  readonly once: OnceTable
  readonly emit: (effect: ReplicaEffect) => void
}

export class FollowerState {
  readonly #o: FollowerOptions
  #received = sequence(0)
  #stored = sequence(0)
  /** Of that, what the primary wanted to be durable at once and is. */
  #durable = sequence(0)
  #committed = sequence(0)
  #asked = false
  #failing = false

  constructor(options: FollowerOptions) {
    this.#o = options
    this.resume()
  }

  /** Everything up to here is in the store. */
  get applied(): Sequence {
    return this.#stored
  }

  resume(): void {
    this.#asked = true
    this.#acknowledge(true)
  }

  replicate(message: Replicate): void {
    const { allocation, list, once, emit } = this.#o
    if (message.sequence > this.#received + 1) {
      if (!this.#asked) this.resume()
      return
    }
    if (message.sequence <= this.#received) {
      this.#acknowledge(false) // the acknowledgement went down with the old path
      return
    }
    this.#asked = false
    this.#received = message.sequence
    const { block, origins, durable, payload } = message
    const blocks = blocksOfBytes(payload.byteLength)
    if (message.settling) list.settle({ block, blocks }, allocation)
    list.add({ block, blocks, allocation, sequence: message.sequence, origins })
    for (const { client, request } of message.complete) once.trim(client, request)
    emit({ kind: 'apply', allocation, sequence: message.sequence, block, durable, payload })
    this.#commit(message.committed)
  }

  stored(upTo: Sequence, durable: Sequence): void {
    if (upTo <= this.#stored) return
    assert(upTo <= this.#received, 'only what was received is stored')
    this.#stored = upTo
    if (durable > this.#durable) this.#durable = durable
    this.#failing = false
    this.#acknowledge(false)
  }

  storeFailing(): void {
    this.#failing = true
    this.#acknowledge(false)
  }

  committed(message: Committed): void {
    if (message.skip) this.#skip(message.sequence)
    else this.#commit(message.sequence)
  }

  /** The primary does not keep what we miss: comparing finds it, from the beginning. */
  #skip(upTo: Sequence): void {
    if (!this.#o.syncing || upTo <= this.#received) return
    this.#received = upTo
    this.#stored = upTo
    this.#failing = false
    this.#commit(upTo)
    this.#o.emit({ kind: 'discard-unapplied' })
    this.#o.emit({ kind: 'catch-up', everything: true })
    this.#acknowledge(false)
  }

  #commit(upTo: Sequence): void {
    const { allocation, list, once, emit } = this.#o
    if (upTo > this.#committed) this.#committed = upTo
    // Also for what arrives after it was committed, as at a syncing replica.
    const done = list.commit(allocation, this.#committed)
    for (const write of done) for (const origin of write.origins) once.add(origin, write)
    if (done.length > 0) emit({ kind: 'progress' })
  }

  #acknowledge(resume: boolean): void {
    const { name, allocation, primary, emit } = this.#o
    const { volume, shard } = name
    const [sequence, durable, applied] = [this.#stored, this.#durable, !this.#failing]
    const message: Replicated = { volume, shard, allocation, sequence, durable, applied, resume }
    emit({ kind: 'send-replicated', to: primary, message })
  }
}
