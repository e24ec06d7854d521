// The next moves of copies between servers: a pure plan from the configuration, who is there, who
// has been away for too long, and who is new. It is asked again after every change.
import { shardIndex, type PeerId } from '../../base/brands.js'
import { REALLOCATIONS_PER_CHANGE } from '../../base/limits.js'
import type { ChangeOf, ShardReallocation } from '../change.js'
import type { Configuration, Replica, ShardAllocation, VolumeRecord } from '../configuration.js'
import type { Load } from '../placement/place.js'
import { rebalancingMoves, type PlacedShard } from '../placement/rebalance.js'
import { LoadLedger } from '../placement/load-ledger.js'
import { Settled } from '../placement/settled.js'
import { isDraining, isDrainingState, type Connected } from '../replicas.js'
import { ShardMoves, type Allocation, type MovementView } from './shard-moves.js'
import { Targets } from './targets.js'

export type ShardsMoved = ChangeOf<'shards-moved'>

export interface MovementPlan {
  /** Copies that are too many, and marks of old ones. */
  readonly drop: ShardsMoved | null
  /** Copies to be made: it takes nothing from anybody. */
  readonly copy: ShardsMoved | null
  /** Everything is complete, and those that are new have their share. */
  readonly balanced: boolean
}

const NOBODY: Connected = new Map()

interface Known {
  readonly placed: PlacedShard
  readonly shard: ShardAllocation
  readonly moves: ShardMoves
}

/** What one plan leaves to the next one, for whoever asks after every change. */
export class MovementMemory {
  /** Volumes to which nothing has to be done by themselves. */
  readonly whole = new Settled()
  readonly ledger = new LoadLedger()
}

/** `avoid`: servers that have just refused a copy. */
export function planMoves(
  view: MovementView,
  avoid: ReadonlySet<PeerId>,
  memory = new MovementMemory(),
): MovementPlan {
  const { configuration, joining } = view
  const lacking = notWhole(configuration, memory.whole)
  if (lacking.length === 0 && joining.size === 0) return { drop: null, copy: null, balanced: true }
  const loads = new Map(memory.ledger.of(configuration))
  const targets = new Targets(view, loads, avoid)
  const known = lacking.flatMap(volume => shardsOf(view, volume))
  const drops = new Items()
  const copies = new Items()
  for (const one of known) {
    const less = one.moves.withoutSurplus(loads)
    if (less !== null) {
      drops.add(one, less)
      // The next one that is too many goes from whoever has the most then.
      count(loads, one.shard.replicas, -1)
      count(loads, less.replicas, 1)
    } else {
      const more = one.moves.withMissing(one.placed, targets)
      if (more !== null) copies.add(one, more)
    }
  }
  const restored = drops.empty && copies.empty && known.every(({ moves }) => moves.complete)
  let balanced = false
  let reason = anewReason(configuration, copies.items)
  if (restored) {
    for (const one of known) {
      const better = one.moves.withSpread(one.placed, targets)
      if (better !== null) copies.add(one, better)
    }
    reason = 'copies are spread over more failure domains'
    if (copies.empty) {
      balanced = share(view, { targets, copies })
      reason = 'new servers get their share'
    }
  }
  return {
    drop: drops.change('copies that are no longer needed are given up'),
    copy: copies.change(reason),
    balanced,
  }
}

/** The volumes that are not as wanted, or whose copies could be spread better. */
function notWhole({ volumes, servers }: Configuration, whole: Settled): readonly VolumeRecord[] {
  // Who is connected does not matter: no copy is missing where all are in-sync.
  whole.under(servers, NOBODY)
  return [...volumes.values()].filter(volume => {
    if (whole.has(volume)) return false
    const is = volume.shards.every(shard => isWhole(shard, volume.replicas, servers))
    if (is) whole.add(volume)
    return !is
  })
}

/** As many in-sync copies as wanted on servers that stay, each in a failure domain of its own. */
function isWhole(
  { replicas, stale }: ShardAllocation,
  wanted: number,
  servers: Configuration['servers'],
): boolean {
  if (replicas.length !== wanted || stale.length > 0) return false
  const domains: string[] = []
  for (const { server, state } of replicas) {
    const record = servers.get(server)!
    if (state !== 'in-sync' || isDrainingState(record.state)) return false
    if (domains.includes(record.domain)) return false
    domains.push(record.domain)
  }
  return true
}

function shardsOf(view: MovementView, volume: VolumeRecord): readonly Known[] {
  return volume.shards.map((_, i) => knownOf(view, volume, i))
}

function knownOf(view: MovementView, volume: VolumeRecord, i: number): Known {
  const shard = volume.shards[i]!
  return { shard, moves: new ShardMoves(view, volume, shard), placed: placedIn(volume, i) }
}

function placedIn({ id: volume, shards }: VolumeRecord, i: number): PlacedShard {
  return { volume, shard: shardIndex(i), servers: shards[i]!.replicas.map(({ server }) => server) }
}

function count(loads: Map<PeerId, Load>, replicas: readonly Replica[], by: 1 | -1): void {
  for (const [place, { server }] of replicas.entries()) {
    const { replicas: held, primaries } = loads.get(server)!
    loads.set(server, { replicas: held + by, primaries: primaries + (place === 0 ? by : 0) })
  }
}

/** Copies for servers that are new, as far as may be made now. True if they need none. */
function share(
  view: MovementView,
  { targets, copies }: { readonly targets: Targets; readonly copies: Items },
): boolean {
  const { configuration, joining } = view
  if (joining.size === 0) return true
  const volumes = [...configuration.volumes.values()]
  const placed = volumes.flatMap(volume => volume.shards.map((_, i) => placedIn(volume, i)))
  const wanted = rebalancingMoves(configuration.servers.values(), placed)
  const moves = wanted.filter(({ to }) => joining.has(to))
  const taken = new Set<string>()
  for (const { volume: id, shard: number, to } of moves) {
    const key = `${id}/${number}`
    // One at a time for each shard.
    if (taken.has(key) || !targets.mayTake(to)) continue
    taken.add(key)
    const volume = configuration.volumes.get(id)!
    const one = knownOf(view, volume, number)
    copies.add(one, one.moves.with([targets.take(to)]))
  }
  return moves.length === 0
}

class Items {
  readonly items: ShardReallocation[] = []

  get empty(): boolean {
    return this.items.length === 0
  }

  add({ placed, shard }: Known, allocation: Allocation): void {
    // The rest follows when this is done.
    if (this.items.length >= REALLOCATIONS_PER_CHANGE) return
    const place = { volume: placed.volume, shard: placed.shard }
    this.items.push({ ...place, expected: shard.epoch, ...allocation })
  }

  change(reason: string): ShardsMoved | null {
    return this.empty ? null : { kind: 'shards-moved', reason, shards: this.items }
  }
}

/** Why copies are missing. */
function anewReason(configuration: Configuration, items: readonly ShardReallocation[]): string {
  const emptied = new Set<string>()
  let away = false
  for (const { volume, replicas, stale } of items) {
    const drained = replicas.filter(({ server }) => isDraining(configuration, server))
    for (const { server } of drained) emptied.add(configuration.servers.get(server)!.name)
    const { replicas: wanted } = configuration.volumes.get(volume)!
    away ||= stale.length > 0 || replicas.length <= wanted
  }
  const reasons: string[] = []
  if (away) reasons.push('copies that are missing are made anew')
  const names = [...emptied].sort()
  if (names.length > 0) {
    const [noun, verb] = names.length === 1 ? ['server', 'is'] : ['servers', 'are']
    reasons.push(`storage ${noun} ${names.join(' and ')} ${verb} being emptied`)
  }
  return reasons.join('; ')
}
