// Where one more copy of a shard goes: to a server that may take it, in a failure domain that has
// the fewest copies of the shard, of a clone to one that has the shard of its origin, by weighted
// rendezvous hashing with what is missing to its share as the weight, as for new volumes.
import type { PeerId } from '../../base/brands.js'
import { MOVES_AT_ONCE, MOVES_PER_TARGET } from '../../base/limits.js'
import type { Configuration } from '../configuration.js'
import { candidatesOf, type Candidates } from '../placement/candidates.js'
import { fraction } from '../placement/hash.js'
import type { PlacedShard } from '../placement/rebalance.js'
import { fairShares } from '../placement/shares.js'
import type { Load } from '../placement/place.js'
import { isHere, type Connected, type Observed } from '../replicas.js'

export interface Copies {
  /** Whoever has a copy of any state: one more goes elsewhere. */
  readonly holders: readonly PeerId[]
  /** Of those, whose copies are to be beside the new one. */
  readonly staying: readonly PeerId[]
  /** Who has most of it already: of a clone the in-sync holders of its origin's shard. */
  readonly kin: readonly PeerId[]
  /** No failure domain that has more of them than this. */
  readonly crowdMost?: number
}

/** Which servers take how much more; counts what it hands out. */
export class Targets {
  readonly #configuration: Configuration
  readonly #connected: Connected
  readonly #candidates: Candidates
  readonly #shares: readonly number[]
  readonly #load: number[]
  /** For every server the copies that are being made on it. */
  readonly #underWay = new Map<PeerId, number>()

  /** `avoid`: servers that take nothing now. */
  constructor(
    { configuration, connected }: Observed,
    loads: ReadonlyMap<PeerId, Load>,
    avoid: ReadonlySet<PeerId>,
  ) {
    this.#configuration = configuration
    this.#connected = connected
    const { servers } = configuration
    const candidates = candidatesOf([...servers.values()].filter(({ id }) => !avoid.has(id)))
    this.#candidates = candidates
    this.#shares = sharesOf(configuration, candidates)
    this.#load = candidates.ids.map(id => loads.get(id)?.replicas ?? 0)
    for (const volume of configuration.volumes.values()) {
      for (const { replicas } of volume.shards) {
        for (const replica of replicas) if (replica.state === 'syncing') this.#note(replica.server)
      }
    }
  }

  /** Null: nobody can, or not now. */
  choose(place: Pick<PlacedShard, 'volume' | 'shard'>, copies: Copies): PeerId | null {
    // A server that is gone has copies in thousands of shards: all but a few have to wait.
    if (this.busy >= MOVES_AT_ONCE) return null
    const { ids, seeds } = this.#candidates
    const { servers } = this.#configuration
    const inDomain = domainsOf(this.#configuration, copies.staying)
    const most = copies.crowdMost ?? Infinity
    let best: { readonly i: number; readonly rank: readonly number[] } | null = null
    for (const [i, id] of ids.entries()) {
      const crowd = inDomain.get(servers.get(id)!.domain) ?? 0
      if (crowd > most || copies.holders.includes(id)) continue
      const share = Math.max(this.#shares[i]!, 1e-9)
      const missing = Math.max(share - this.#load[i]!, 1e-9 * share)
      const score = -Math.log(fraction(seeds[i]!, place)) / missing
      const rank = [crowd, copies.kin.includes(id) ? 0 : 1, score]
      if (!best || isBelow(rank, best.rank)) best = { i, rank }
    }
    // The best place is waited for, if it is only busy: its turn comes, and the copy stays there.
    if (!best || !this.mayTake(ids[best.i]!)) return null
    return this.take(ids[best.i]!)
  }

  mayTake(server: PeerId): boolean {
    const { servers } = this.#configuration
    const here = isHere({ configuration: this.#configuration, connected: this.#connected }, server)
    if (!here || servers.get(server)?.state !== 'up') return false
    return this.busy < MOVES_AT_ONCE && (this.#underWay.get(server) ?? 0) < MOVES_PER_TARGET
  }

  take(server: PeerId): PeerId {
    this.#note(server)
    const i = this.#candidates.indexOf.get(server)
    if (i !== undefined) this.#load[i]!++
    return server
  }

  /**
   * Copies that are being made now. A server that catches up with all it missed is as busy as one
   * that takes what it may: it does not hold up the others.
   */
  get busy(): number {
    let sum = 0
    for (const [server, count] of this.#underWay) {
      if (this.#connected.has(server)) sum += Math.min(count, MOVES_PER_TARGET)
    }
    return sum
  }

  #note(server: PeerId): void {
    this.#underWay.set(server, (this.#underWay.get(server) ?? 0) + 1)
  }
}

/** In the first number in which they differ. */
export function isBelow(a: readonly number[], b: readonly number[]): boolean {
  const i = a.findIndex((value, place) => value !== b[place])
  return i >= 0 && a[i]! < b[i]!
}

/** How many replicas each candidate ought to hold. */
export function sharesOf({ volumes }: Configuration, candidates: Candidates): readonly number[] {
  const all = [...volumes.values()]
  return fairShares(candidates, {
    total: all.reduce((sum, { shards, replicas }) => sum + shards.length * replicas, 0),
    perServer: all.reduce((sum, { shards }) => sum + shards.length, 0),
    perDomain: Infinity,
  })
}

/** How many of these servers are in each failure domain. */
export function domainsOf(
  { servers }: Configuration,
  holders: readonly PeerId[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const holder of holders) {
    const { domain } = servers.get(holder)!
    counts.set(domain, (counts.get(domain) ?? 0) + 1)
  }
  return counts
}
