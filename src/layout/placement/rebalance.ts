// What moves when servers join, leave or change their weight. Close to the least: first replicas
// whose server is no longer up, then those that share a failure domain without need; then servers
// that hold clearly too little are filled from those that hold the most, and servers that hold
// clearly too much give to those that hold the least. Small differences are left alone, since
// moving data costs more than they do. Which shards move is decided by rendezvous hashing.
import { assert } from '../../base/assert.js'
import type { PeerId, ShardIndex, VolumeId } from '../../base/brands.js'
import type { ServerRecord } from '../configuration.js'
import { candidatesOf, domainLimit, type Candidates } from './candidates.js'
import { fraction } from './hash.js'
import { Order } from './order.js'
import { choosePrimaries } from './primaries.js'
import { fairShares } from './shares.js'

/** Part of a server's share that it may be off before replicas move for the sake of balance. */
const TOLERANCE = 0.03

export interface PlacedShard {
  readonly volume: VolumeId
  readonly shard: ShardIndex
  /** The primary first. */
  readonly servers: readonly PeerId[]
}

export interface Move {
  readonly volume: VolumeId
  readonly shard: ShardIndex
  readonly from: PeerId
  readonly to: PeerId
}

export interface Rebalance {
  /** All shards in the given order as they are to be, the primary first. */
  readonly placement: readonly PlacedShard[]
  readonly moves: readonly Move[]
  /** Replicas that should leave their server and cannot: no other server may take them. */
  readonly stuck: readonly { readonly shard: PlacedShard; readonly server: PeerId }[]
}

export function rebalance(
  servers: Iterable<ServerRecord>,
  current: readonly PlacedShard[],
): Rebalance {
  const plan = planned(servers, current)
  if (plan === null) {
    const stuck = current.flatMap(shard => shard.servers.map(server => ({ shard, server })))
    return { placement: current, moves: [], stuck }
  }
  return { placement: plan.placement(), moves: plan.moves, stuck: plan.stuck }
}

/** The moves alone: who leads is not worked out. */
export function rebalancingMoves(
  servers: Iterable<ServerRecord>,
  current: readonly PlacedShard[],
): readonly Move[] {
  return planned(servers, current)?.moves ?? []
}

/** Null: there is nothing to move, or nobody to move it to. */
function planned(
  servers: Iterable<ServerRecord>,
  current: readonly PlacedShard[],
): MovePlan | null {
  const candidates = candidatesOf(servers)
  if (candidates.ids.length === 0 || current.length === 0) return null
  const plan = new MovePlan(candidates, current)
  plan.leaveServers()
  plan.partDomains()
  plan.fillServers()
  plan.relieveServers()
  return plan
}

interface Shard {
  readonly placed: PlacedShard
  /** By number; -1 where the server is not up. In the order of `placed.servers`. */
  readonly members: number[]
  readonly limit: number
}

class MovePlan {
  readonly moves: Move[] = []
  readonly stuck: { readonly shard: PlacedShard; readonly server: PeerId }[] = []
  readonly #candidates: Candidates
  readonly #shards: readonly Shard[]
  readonly #shares: readonly number[]
  readonly #load: Int32Array
  readonly #all: readonly number[]

  constructor(candidates: Candidates, current: readonly PlacedShard[]) {
    this.#candidates = candidates
    this.#all = candidates.ids.map((_, i) => i)
    const limits = new Map<number, number>()
    const limitFor = (count: number): number => {
      const feasible = Math.min(count, candidates.ids.length)
      const limit = limits.get(feasible) ?? domainLimit(candidates, feasible)
      limits.set(feasible, limit)
      return limit
    }
    this.#shards = current.map(placed => ({
      placed,
      members: placed.servers.map(server => candidates.indexOf.get(server) ?? -1),
      limit: limitFor(placed.servers.length),
    }))
    this.#load = new Int32Array(candidates.ids.length)
    for (const shard of this.#shards) for (const i of shard.members) if (i >= 0) this.#load[i]!++
    this.#shares = fairShares(candidates, {
      total: current.reduce((sum, shard) => sum + shard.servers.length, 0),
      perServer: current.length,
      perDomain: this.#shards.reduce((sum, shard) => sum + shard.limit, 0),
    })
  }

  /** Replicas of servers that are not up any more. */
  leaveServers(): void {
    for (const shard of this.#shards) {
      shard.members.forEach((member, place) => {
        if (member >= 0) return
        const receiver = this.#receiverFor(shard, -1)
        if (receiver >= 0) this.#move(shard, { place, to: receiver })
        else this.stuck.push({ shard: shard.placed, server: shard.placed.servers[place]! })
      })
    }
  }

  /** Replicas in a failure domain that holds too many of their shard. */
  partDomains(): void {
    for (const shard of this.#shards) {
      if (!this.#isCrowded(shard)) continue
      for (const member of [...shard.members].reverse()) {
        if (member < 0 || this.#inDomain(shard, member) <= shard.limit) continue
        const receiver = this.#receiverFor(shard, -1)
        if (receiver >= 0) this.#move(shard, { place: shard.members.indexOf(member), to: receiver })
      }
    }
  }

  /** Servers that hold clearly too little, for example because they are new. */
  fillServers(): void {
    for (const server of this.#all) {
      const share = this.#shares[server]!
      if (this.#excess(server) >= -tolerance(share)) continue
      const order = this.#orderFor(server, this.#shards)
      // Whoever holds too much gives first; then whoever holds enough; at last, whoever has more.
      for (const least of [0.5, -tolerance(share) / 2, -Infinity]) {
        for (const shard of order.items()) {
          if (this.#excess(server) >= -0.5) break
          const giver = this.#giverTo(server, shard)
          const better = giver >= 0 && this.#relative(giver, -1) >= this.#relative(server, 1)
          if (!better || this.#excess(giver) < least) continue
          this.#move(shard, { place: shard.members.indexOf(giver), to: server })
        }
      }
    }
  }

  /** Servers that hold clearly too much, for example because their weight was lowered. */
  relieveServers(): void {
    for (const server of this.#all) {
      const share = this.#shares[server]!
      if (this.#excess(server) <= tolerance(share)) continue
      const held = this.#shards.filter(shard => shard.members.includes(server))
      for (const shard of this.#orderFor(server, held).items()) {
        if (this.#excess(server) <= 0.5) break
        const receiver = this.#receiverFor(shard, server)
        if (receiver < 0 || this.#relative(receiver, 1) > this.#relative(server, -1)) continue
        this.#move(shard, { place: shard.members.indexOf(server), to: receiver })
      }
    }
  }

  placement(): readonly PlacedShard[] {
    const { ids, indexOf } = this.#candidates
    const movable = this.#shards.filter(shard => shard.members.some(member => member >= 0))
    const primaries = choosePrimaries({
      members: movable.map(shard => shard.members.filter(member => member >= 0)),
      servers: ids.length,
      carry: this.#all.map(() => 0),
      current: movable.map(shard => indexOf.get(shard.placed.servers[0]!) ?? -1),
      slack: tolerance,
    })
    const primaryOf = new Map(movable.map((shard, i) => [shard, primaries[i]!]))
    return this.#shards.map(shard => {
      const name = (member: number, place: number): PeerId =>
        ids[member] ?? shard.placed.servers[place]!
      const primary = primaryOf.get(shard)
      const now = shard.members.map(name)
      const first = primary === undefined ? now[0]! : ids[primary]!
      return { ...shard.placed, servers: [first, ...now.filter(server => server !== first)] }
    })
  }

  #excess(server: number): number {
    return this.#load[server]! - this.#shares[server]!
  }

  /** How full a server would be with `more` replicas. */
  #relative(server: number, more: number): number {
    return (this.#load[server]! + more) / this.#shares[server]!
  }

  #inDomain(shard: Shard, server: number): number {
    const { domainOf } = this.#candidates
    let count = 0
    for (const i of shard.members) if (i >= 0 && domainOf[i] === domainOf[server]) count++
    return count
  }

  #isCrowded(shard: Shard): boolean {
    for (const i of shard.members) if (i >= 0 && this.#inDomain(shard, i) > shard.limit) return true
    return false
  }

  /** Whether `server` may join a shard that `leaving` (or nobody: -1) leaves. */
  #mayJoin(server: number, shard: Shard, leaving: number): boolean {
    if (shard.members.includes(server)) return false
    const { domainOf } = this.#candidates
    const freed = leaving >= 0 && domainOf[leaving] === domainOf[server] ? 1 : 0
    return this.#inDomain(shard, server) - freed < shard.limit
  }

  /** By rendezvous hashing; the weight of a server is what is missing to its share. */
  #receiverFor(shard: Shard, leaving: number): number {
    let best = -1
    let bestScore = Infinity
    for (const server of this.#all) {
      const missing = Math.max(-this.#excess(server), 1e-9 * this.#shares[server]!)
      const score = -Math.log(fraction(this.#candidates.seeds[server]!, shard.placed)) / missing
      if (score >= bestScore || !this.#mayJoin(server, shard, leaving)) continue
      best = server
      bestScore = score
    }
    return best
  }

  /** The fullest member that the server could stand in for, or -1. */
  #giverTo(server: number, shard: Shard): number {
    let best = -1
    for (const i of shard.members) {
      if (i < 0 || !this.#mayJoin(server, shard, i)) continue
      if (best < 0 || this.#relative(i, 0) > this.#relative(best, 0)) best = i
    }
    return best
  }

  #orderFor(server: number, shards: readonly Shard[]): Order<Shard> {
    const seed = this.#candidates.seeds[server]!
    return new Order(shards, ({ placed }) => fraction(seed, placed))
  }

  #move(shard: Shard, step: { readonly place: number; readonly to: number }): void {
    const { volume, shard: index, servers } = shard.placed
    const old = shard.members[step.place]!
    assert(!shard.members.includes(step.to), 'a server holds a shard once')
    const from = this.#candidates.ids[old] ?? servers[step.place]!
    shard.members[step.place] = step.to
    if (old >= 0) this.#load[old]!--
    this.#load[step.to]!++
    this.moves.push({ volume, shard: index, from, to: this.#candidates.ids[step.to]! })
  }
}

function tolerance(share: number): number {
  return Math.max(1, TOLERANCE * share)
}
