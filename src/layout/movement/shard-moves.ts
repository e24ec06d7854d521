// What is to become of the copies of one shard: which one is missing, which one too many.
//
// A copy is never moved, only made anew: a server is added as syncing, and when it has caught up
// the shard has one in-sync copy too many, which goes. So at every moment there are as many in-sync
// copies as before, and it does not matter who of several makes it first.
//
//   a  b  d      d is being emptied, or c is gone; n is added
//   a  b  d  n~  n catches up, clients go on
//   a  b  d  n   one too many
//   a  b  n      d is dropped
//
// Pure. Nothing is planned for a shard of which an in-sync copy is away, or has lost its memory:
// that is decided first (planReturn, server-down).
import type { PeerId } from '../../base/brands.js'
import { ALLOCATION_SERVERS_MAX, REPLICAS_ON_THE_WAY } from '../../base/limits.js'
import type { ShardReallocation } from '../change.js'
import type { Configuration, Replica, ShardAllocation, VolumeRecord } from '../configuration.js'
import type { PlacedShard } from '../placement/rebalance.js'
import type { Load } from '../placement/place.js'
import { inSyncOf, isDraining, isHere, keepsMemory, type Observed } from '../replicas.js'
import { domainsOf, isBelow, type Targets } from './targets.js'

export interface MovementView extends Observed {
  /** Servers that have been down for so long that their copies are made anew elsewhere. */
  readonly gone: ReadonlySet<PeerId>
  /** Servers that are to get their share of what others hold: new ones, and such as are back. */
  readonly joining: ReadonlySet<PeerId>
}

export type Allocation = Pick<ShardReallocation, 'replicas' | 'stale' | 'generation'>

export class ShardMoves {
  readonly #view: MovementView
  readonly #volume: VolumeRecord
  readonly #shard: ShardAllocation
  readonly #inSync: readonly Replica[]

  constructor(view: MovementView, volume: VolumeRecord, shard: ShardAllocation) {
    this.#view = view
    this.#volume = volume
    this.#shard = shard
    this.#inSync = inSyncOf(shard)
  }

  /** Every in-sync copy is what it says, and there. */
  get settled(): boolean {
    return this.#inSync.every(
      replica =>
        keepsMemory(this.#view.configuration, replica) && isHere(this.#view, replica.server),
    )
  }

  /** As many in-sync copies as wanted, on servers that stay, and nothing else. */
  get complete(): boolean {
    const { replicas, stale } = this.#shard
    const wanted = this.#volume.replicas
    const all = replicas.length === wanted && this.#inSync.length === wanted
    return all && stale.length === 0 && replicas.every(({ server }) => !this.#leaves(server))
  }

  // ---- too many --------------------------------------------------------------------------------

  /** Without what there is too much of; null if nothing is. */
  withoutSurplus(loads: ReadonlyMap<PeerId, Load>): Allocation | null {
    const wanted = this.#volume.replicas
    if (!this.settled || this.#inSync.length < wanted) return null
    const kept = [...this.#inSync]
    while (kept.length > wanted) kept.splice(kept.indexOf(this.#leastWanted(kept, loads)), 1)
    const { replicas, stale, generation } = this.#shard
    const done = kept.every(({ server }) => !this.#leaves(server))
    const others = replicas.filter(({ state }) => state === 'syncing')
    const syncing = done ? others.filter(replica => this.#betters(kept, replica)) : others
    const planned = {
      replicas: [...this.#ledByFew(kept, loads), ...syncing],
      stale: done ? [] : stale,
      generation,
    }
    const same =
      planned.replicas.length === replicas.length && planned.stale.length === stale.length
    return same ? null : planned
  }

  /** Who goes: one that is being emptied, or in a crowded failure domain, or that has the most. */
  #leastWanted(kept: readonly Replica[], loads: ReadonlyMap<PeerId, Load>): Replica {
    const { configuration, joining } = this.#view
    const staying = kept.map(({ server }) => server).filter(server => !this.#leaves(server))
    const inDomain = domainsOf(configuration, staying)
    const rank = ({ server }: Replica): readonly number[] => {
      const { domain, weight } = configuration.servers.get(server)!
      if (this.#leaves(server)) return [1, 0, 0, 0]
      const load = (loads.get(server)?.replicas ?? 0) / weight
      return [0, inDomain.get(domain)!, joining.has(server) ? 0 : 1, load]
    }
    return kept.reduce((worst, replica) => (isBelow(rank(worst), rank(replica)) ? replica : worst))
  }

  /** A copy that is under way though the degree is there, and is to take the place of another. */
  #betters(kept: readonly Replica[], { server }: Replica): boolean {
    const { configuration, joining } = this.#view
    if (this.#leaves(server)) return false
    if (joining.has(server)) return true
    const inDomain = domainsOf(
      configuration,
      kept.map(replica => replica.server),
    )
    const { domain } = configuration.servers.get(server)!
    return (inDomain.get(domain) ?? 0) + 1 < Math.max(...inDomain.values())
  }

  /** If the primary goes, the one takes its place that leads the fewest, by its weight. */
  #ledByFew(kept: readonly Replica[], loads: ReadonlyMap<PeerId, Load>): readonly Replica[] {
    if (kept[0] === this.#inSync[0]) return kept
    const { servers } = this.#view.configuration
    const led = ({ server }: Replica): number =>
      (loads.get(server)?.primaries ?? 0) / servers.get(server)!.weight
    const first = kept.reduce((least, replica) => (led(replica) < led(least) ? replica : least))
    return [first, ...kept.filter(replica => replica !== first)]
  }

  // ---- too few ---------------------------------------------------------------------------------

  /** With copies on other servers for those that are missing; null if none is, or none can be. */
  withMissing(place: PlacedShard, targets: Targets): Allocation | null {
    if (!this.settled) return null
    const { gone } = this.#view
    const { replicas, stale } = this.#shard
    // Who has not been away for long is expected back: bringing it up to date is cheaper.
    const expected = stale.filter(server => !gone.has(server) && !this.#leaves(server))
    const staying = [...replicas.map(({ server }) => server).filter(id => !this.#leaves(id))]
    staying.push(...expected)
    const added: PeerId[] = []
    const room = this.#volume.replicas + REPLICAS_ON_THE_WAY - replicas.length
    while (staying.length < this.#volume.replicas && added.length < room) {
      const holders = [...place.servers, ...stale, ...added]
      const target = targets.choose(place, { holders, staying, kin: this.#kin(place) })
      if (target === null) break
      added.push(target)
      staying.push(target)
    }
    return added.length === 0 ? null : this.with(added)
  }

  /** A copy in a failure domain that has fewer of them, to take the place of one in a crowd. */
  withSpread(place: PlacedShard, targets: Targets): Allocation | null {
    if (!this.settled || !this.complete) return null
    const staying = place.servers
    const crowd = Math.max(...domainsOf(this.#view.configuration, staying).values())
    if (crowd < 2) return null
    const kin = this.#kin(place)
    const target = targets.choose(place, { holders: staying, staying, kin, crowdMost: crowd - 2 })
    return target === null ? null : this.with([target])
  }

  with(servers: readonly PeerId[]): Allocation {
    const { replicas, stale, generation } = this.#shard
    const { configuration } = this.#view
    const added = servers.map(server => syncingOn(configuration, server))
    const all = [...replicas, ...added]
    // Of those that went one after the other, the first ones are forgotten.
    const room = ALLOCATION_SERVERS_MAX - all.length
    return { replicas: all, stale: stale.slice(-room), generation }
  }

  /** A copy of a clone begins as links to the files of its origin, where that is (design §6). */
  #kin({ shard }: PlacedShard): readonly PeerId[] {
    const { origin } = this.#volume
    const parent = origin && this.#view.configuration.volumes.get(origin.volume)
    return parent ? inSyncOf(parent.shards[shard]!).map(({ server }) => server) : []
  }

  /** Its copies are to be elsewhere. */
  #leaves(server: PeerId): boolean {
    return isDraining(this.#view.configuration, server)
  }
}

function syncingOn({ servers }: Configuration, server: PeerId): Replica {
  return { server, state: 'syncing', incarnation: servers.get(server)!.incarnation }
}
