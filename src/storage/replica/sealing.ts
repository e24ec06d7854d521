// A primary's part in a snapshot (design §6, "sealing"): while its volume is sealed it orders no
// writes; when those from before are committed and durable on every required replica, it says so to
// the managers, again with every report, until a configuration lifts the seal. A new allocation
// begins anew: what another primary has said counts for that one alone.
import type { Epoch } from '../../base/brands.js'
import type { DataStatus, SealedShard, ShardMessage } from '../../net/messages.js'

export interface SealingOptions {
  /** Nothing is ordered that is not committed, and nothing is about to be. */
  readonly quiet: () => boolean
  readonly here: () => ShardMessage
  readonly makeDurable: () => Promise<DataStatus>
  readonly sealed: (shard: SealedShard) => void
}

export class Sealing {
  readonly #o: SealingOptions
  #seal: Epoch | null = null
  /** Of the allocation and seal for which everything is being made durable, or is. */
  #begun: SealedShard | null = null
  #isDurable = false

  constructor(options: SealingOptions) {
    this.#o = options
  }

  get sealed(): boolean {
    return this.#seal !== null
  }

  /** By the newest configuration; null if it has no seal for the volume. */
  set(seal: Epoch | null): void {
    this.#seal = seal
    this.consider()
  }

  /** Whenever something may have become quiet. */
  consider(): void {
    const seal = this.#seal
    if (seal === null || !this.#o.quiet()) return
    const { volume, shard, allocation } = this.#o.here()
    if (this.#begun?.seal === seal && this.#begun.allocation === allocation) return
    const begun = (this.#begun = { volume, shard, allocation, seal })
    this.#isDurable = false
    void this.#o.makeDurable().then(status => {
      if (this.#begun !== begun) return
      if (status === 'ok') {
        this.#isDurable = true
        for (const one of this.ready()) this.#o.sealed(one)
      } else this.#begun = null // tried again with the next report
    })
  }

  /** What the managers are to know. */
  ready(): readonly SealedShard[] {
    this.consider()
    const begun = this.#begun
    const stands = begun?.seal === this.#seal && begun?.allocation === this.#o.here().allocation
    return begun && stands && this.#isDurable && this.#o.quiet() ? [begun] : []
  }
}
