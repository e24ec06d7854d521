// Where the shards of a new volume go. Every server has a whole number of replicas to take (its
// share by weight, corrected by what it holds already); which shards it takes is decided by
// weighted rendezvous hashing, its weight being what is left of its share. So the shares come out
// exactly, and any two servers have few shards in common.
//
// Always possible: with n shards to go, `left` replicas of a server and a domain limit of c, a
// server with left = n must take this shard, a domain with more than c (n - 1) left must take its
// excess now; as long as left <= n and a domain's sum <= c n, these never need more than the
// shard's replicas, and both hold again for n - 1.
import { assert } from '../../base/assert.js'
import type { PeerId, VolumeId } from '../../base/brands.js'
import type { ServerRecord } from '../configuration.js'
import { candidatesOf, domainLimit, type Candidates } from './candidates.js'
import { fraction } from './hash.js'
import { choosePrimaries } from './primaries.js'
import { fairShares, wholeShares } from './shares.js'

/** What a server holds, over all volumes. */
export interface Load {
  readonly replicas: number
  readonly primaries: number
}

export interface VolumeToPlace {
  readonly servers: Iterable<ServerRecord>
  /** Chooses the order of servers, and nothing else. */
  readonly volume: VolumeId
  readonly shards: number
  readonly replicas: number
  readonly loads: ReadonlyMap<PeerId, Load>
}

/** For every shard its servers, all up, the primary first. There must be enough of them. */
export function placeVolume(plan: VolumeToPlace): readonly (readonly PeerId[])[] {
  const candidates = candidatesOf(plan.servers)
  assert(candidates.ids.length >= plan.replicas, 'there are as many servers as replicas')
  const limit = domainLimit(candidates, plan.replicas)
  const total = plan.shards * plan.replicas
  const shares = fairShares(candidates, {
    total,
    perServer: plan.shards,
    perDomain: limit * plan.shards,
  })
  const held = candidates.ids.map(id => plan.loads.get(id)?.replicas ?? 0)
  const behind = behindOf(held, shares)
  const left = wholeShares(candidates, { shares, total, behind })
  const members = new Filling(candidates, { left, limit }).fill(plan)
  const led = candidates.ids.map(id => plan.loads.get(id)?.primaries ?? 0)
  const primaries = choosePrimaries({
    members,
    servers: candidates.ids.length,
    carry: behindOf(led, shares).map(count => Math.max(-1, Math.min(1, -count))),
    current: null,
    slack: () => 0,
  })
  return members.map((servers, i) => {
    const primary = primaries[i]!
    const rest = servers.filter(server => server !== primary)
    return [primary, ...rest].map(server => candidates.ids[server]!)
  })
}

/** How many each server has too little (or, below 0, too much), by its part of the shares. */
function behindOf(held: readonly number[], shares: readonly number[]): readonly number[] {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
  const [all, whole] = [sum(held), sum(shares)]
  return held.map((count, i) => (all * shares[i]!) / whole - count)
}

/** Hands out shards one after the other until every server has its share. */
class Filling {
  readonly #candidates: Candidates
  readonly #limit: number
  /** Replicas still to be taken, for each server and domain. */
  readonly #left: Int32Array
  readonly #domainLeft: Int32Array
  readonly #score: Float64Array
  /** Replicas of the shard at hand, for each domain. */
  readonly #taken: Uint8Array
  readonly #all: readonly number[]
  #chosen: number[] = []

  constructor(
    candidates: Candidates,
    quota: { readonly left: Int32Array; readonly limit: number },
  ) {
    this.#candidates = candidates
    this.#limit = quota.limit
    this.#left = quota.left
    this.#domainLeft = Int32Array.from(candidates.domains, members =>
      members.reduce((sum, server) => sum + quota.left[server]!, 0),
    )
    this.#score = new Float64Array(quota.left.length)
    this.#all = candidates.ids.map((_, i) => i)
    this.#taken = new Uint8Array(candidates.domains.length)
  }

  fill(plan: VolumeToPlace): readonly (readonly number[])[] {
    const result: (readonly number[])[] = []
    for (let shard = 0; shard < plan.shards; shard++) {
      this.#scoreAll({ volume: plan.volume, shard })
      this.#chosen = []
      this.#taken.fill(0)
      this.#takeWhatMustBe(plan.shards - shard)
      while (this.#chosen.length < plan.replicas) this.#takeBest(this.#all)
      assert(this.#chosen.length === plan.replicas, 'no shard must take more than its replicas')
      const score = this.#score
      result.push(this.#chosen.sort((a, b) => score[a]! - score[b]!))
    }
    assert(
      this.#left.every(count => count === 0),
      'every share is handed out',
    )
    return result
  }

  /** The first of exponential arrivals whose rates are the weights: low scores win. */
  #scoreAll(key: { readonly volume: number; readonly shard: number }): void {
    const { seeds } = this.#candidates
    for (let i = 0; i < seeds.length; i++) {
      const left = this.#left[i]!
      this.#score[i] = left > 0 ? -Math.log(fraction(seeds[i]!, key)) / left : Infinity
    }
  }

  #takeWhatMustBe(shardsToGo: number): void {
    for (let i = 0; i < this.#left.length; i++) if (this.#left[i] === shardsToGo) this.#take(i)
    const limit = this.#limit
    this.#candidates.domains.forEach((members, domain) => {
      while (this.#domainLeft[domain]! > limit * (shardsToGo - 1)) this.#takeBest(members)
    })
  }

  #takeBest(servers: readonly number[]): void {
    let best = -1
    let bestScore = Infinity
    for (const i of servers) {
      if (this.#score[i]! >= bestScore) continue
      const full = this.#taken[this.#candidates.domainOf[i]!]! >= this.#limit
      if (full || this.#chosen.includes(i)) continue
      best = i
      bestScore = this.#score[i]!
    }
    assert(best >= 0, 'a shard finds its servers')
    this.#take(best)
  }

  #take(server: number): void {
    const domain = this.#candidates.domainOf[server]!
    this.#chosen.push(server)
    this.#left[server]!--
    this.#domainLeft[domain]!--
    this.#taken[domain]!++
  }
}
