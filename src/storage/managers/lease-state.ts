// The lease of a storage server: for how long it may serve reads on the word of the managers alone.
// Pure: times are given, by this server's own clock.
//
// A lease runs from the moment the heartbeat that earned it was *sent*; the leader counts it from
// when that arrived, plus a margin. So this server stops before anybody takes its place.
//
// It belongs to an epoch, that of the leader when it was granted, and counts only while this server
// has a configuration at least as new. Else a server that was declared down and has registered
// again, or one that was dropped after its last lease, would serve on a new lease under the old
// configuration that it still has. An older lease that still runs is not ended by a newer one: the
// leader waits for it before it drops this server.
import type { Epoch } from '../../base/brands.js'
import { LEASE_MS } from '../../base/limits.js'

interface Lease {
  readonly epoch: Epoch
  readonly until: number
}

export class LeaseState {
  /** With growing epochs and growing ends; those that are over are forgotten with the next one. */
  #leases: readonly Lease[] = []

  granted({ epoch, sentAt }: { readonly epoch: Epoch; readonly sentAt: number }): void {
    const until = sentAt + LEASE_MS
    const kept = this.#leases.filter(lease => lease.epoch < epoch && lease.until > sentAt)
    this.#leases = [...kept, { epoch, until }]
  }

  /** The managers do not know this start of the server, or have declared it down. */
  ended(): void {
    this.#leases = []
  }

  /** `known`: the epoch of the configuration that this server acts by. */
  valid({ now, known }: { readonly now: number; readonly known: Epoch }): boolean {
    return this.#leases.some(lease => lease.epoch <= known && now < lease.until)
  }
}
