// The shards whose reads this server has given up by its vote. Pure.
//
// A change that takes an in-sync replica or the primary's place from a server takes effect only
// when the server has stopped serving under the old allocation (design §5). Its approval says just
// that, so from the approval on it answers no read of these shards, until it knows what became of
// the proposal:
// - A configuration beyond the base has come. The proposal could only have become the very next
//   epoch, so by then it was either committed, and this or an earlier configuration says so, or it
//   never will be: votes are for one base. Whatever the new configuration says holds.
// - Or a lease was granted by a leader that is still at the base and has no proposal on it under
//   way any more. That word counts only as the answer to a heartbeat sent after the last approval:
//   an older one may be about an earlier proposal on the same base.
// Writes and replication go on: a write needs the replicas of its allocation, and those of a newer
// one refuse it.
import { assert } from '../../base/assert.js'
import { epoch as toEpoch, type Epoch } from '../../base/brands.js'
import type { ShardPlace } from '../../layout/effects-of-change.js'

const NONE = toEpoch(0)
const keyOf = ({ volume, shard }: ShardPlace): string => `${volume}/${shard}`

export class FenceState {
  #base: Epoch = NONE
  readonly #shards = new Set<string>()
  #mark = 0

  /** For heartbeats: the epoch beyond which the fence ends; 0 without one. */
  get base(): Epoch {
    return this.#base
  }

  /** Grows with every approval that raised the fence. */
  get mark(): number {
    return this.#mark
  }

  raise(base: Epoch, shards: readonly ShardPlace[]): void {
    if (shards.length === 0) return
    assert(base >= this.#base, 'only a proposal on the newest configuration known is approved')
    if (base > this.#base) this.#end()
    this.#base = base
    this.#mark++
    for (const shard of shards) this.#shards.add(keyOf(shard))
  }

  holds(shard: ShardPlace): boolean {
    return this.#shards.has(keyOf(shard))
  }

  /** This server acts by a configuration of this epoch. */
  learned(known: Epoch): void {
    if (known > this.#base) this.#end()
  }

  /** `mark`: as it was when the heartbeat was sent; `epoch`: of the leader when it answered. */
  released(answer: {
    readonly released: Epoch
    readonly epoch: Epoch
    readonly mark: number
  }): void {
    const { released, epoch, mark } = answer
    if (released >= this.#base && epoch === this.#base && mark === this.#mark) this.#end()
  }

  #end(): void {
    this.#base = NONE
    this.#shards.clear()
  }
}
