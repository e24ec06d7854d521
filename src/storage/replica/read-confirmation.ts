// Reads without a lease. While the managers cannot be reached no lease is renewed, and I/O must go
// on; so the replicas vouch for each other. After the data was read, a replica asks all that could
// have a part in whatever comes after its allocation whether they still act by just this one: the
// other in-sync replicas, and the syncing ones that the primary has proposed to count. If all say
// so, the data may be answered.
//
// Why this is right: a newer write that somebody has seen was committed under a later allocation,
// since of this one we are ourselves a required part. All in-sync replicas of that later one had
// adopted it by then. Going back from it, allocation by allocation, each in-sync replica was
// in-sync in the one before, or was counted and proposed by that one's primary, who had adopted it
// then (I5). So somebody who was in-sync or proposed in ours had adopted a later one before the
// write was seen. Whoever is asked after the data was read and still acts by ours has not: nothing
// newer was seen before the read began. No clock has a part in this.
//
// A sole in-sync replica with nobody proposed asks nobody: it cannot be replaced without itself. A
// replica that has restarted acts by no old allocation, and says no.
//
// One case is outside of this: an operator gave up the writes of a shard (`shard promote`) while a
// server with an in-sync copy still ran, out of the reach of all but a client that knows only the
// old allocation. The operator said that no such server will be back (docs/operations.md).
import { STILL_CURRENT_MS } from '../../base/limits.js'
import type { OkReply, ShardMessage } from '../../net/messages.js'
import { LOST } from '../../net/peers.js'
import type { ReplicaContext } from './replica-context.js'

type Waiting = (confirmed: boolean) => void

export class ReadConfirmation {
  readonly #context: ReplicaContext
  /** Reads for the next round: the questions of the one that runs may be older than their data. */
  #waiting: Waiting[] = []
  #asking = false

  constructor(context: ReplicaContext) {
    this.#context = context
  }

  /** Call it after the data was read, and see whether the allocation is the same when it ends. */
  confirmed(): Promise<boolean> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      if (!this.#asking) void this.#rounds()
    })
  }

  /** Another replica asks. Only the primary knows whom it has proposed, and asks them. */
  async stillCurrent({ allocation }: ShardMessage): Promise<OkReply> {
    const { state } = this.#context
    if (state.epoch !== allocation || state.role === 'none') return { ok: false }
    const ok = state.proposed().length === 0 || (await this.confirmed())
    return { ok: ok && state.epoch === allocation }
  }

  /** One round of questions at a time. */
  async #rounds(): Promise<void> {
    this.#asking = true
    while (this.#waiting.length > 0) {
      const reads = this.#waiting
      this.#waiting = []
      const confirmed = await this.#ask()
      for (const resolve of reads) resolve(confirmed)
    }
    this.#asking = false
  }

  async #ask(): Promise<boolean> {
    const { state, host } = this.#context
    const here = this.#context.here()
    const deadline = STILL_CURRENT_MS
    const asked = [...state.inSyncOthers(), ...state.proposed()]
    const replies = await Promise.all(
      asked.map(to => host.peers.request(to, 'still-current', here, { deadline })),
    )
    return replies.every(reply => reply !== LOST && reply.ok)
  }
}
