// What the manager proposes: pure plans from a configuration and what is connected. A plan is a
// change for `apply`, which checks it once more; nothing here decides.
import { assert } from '../base/assert.js'
import { byteCount, generation, shardIndex, type Incarnation, type PeerId } from '../base/brands.js'
import { REALLOCATIONS_PER_CHANGE } from '../base/limits.js'
import { inSyncOf, keepsMemory } from './apply-shards.js'
import { volumeProblem } from './apply.js'
import type { Change, ShardReallocation } from './change.js'
import type { Configuration, Replica, ShardAllocation, VolumeRecord } from './configuration.js'
import { equal } from './equal.js'
import { shardCountFor } from './geometry.js'
import type { Refusal } from './outcome.js'
import { placeVolume, type Load } from './placement/place.js'

export type VolumeCreated = Extract<Change, { kind: 'volume-created' }>
export type ShardsReallocated = Extract<Change, { kind: 'shards-reallocated' }>

/** The servers that talk to the managers now, each with the start that it says it is. */
export type Connected = ReadonlyMap<PeerId, Incarnation>

export interface VolumeWish {
  readonly name: string
  /** Any number; refused unless it can be a size. */
  readonly size: number
  readonly replicas: number
  readonly minInSync: number
}

export function planVolume(
  configuration: Configuration,
  wish: VolumeWish,
): VolumeCreated | Refusal {
  const problem = volumeProblem(configuration, wish)
  if (problem !== null) return problem
  const { name, replicas, minInSync } = wish
  const size = byteCount(wish.size)
  const servers = [...configuration.servers.values()].filter(server => server.state === 'up')
  const placement = placeVolume({
    servers,
    volume: configuration.nextVolume,
    shards: shardCountFor(size, servers.length),
    replicas,
    loads: loadsOf(configuration),
  })
  return { kind: 'volume-created', name, size, replicas, minInSync, placement }
}

/** What every server holds: replicas of any state, and the shards that it leads. */
export function loadsOf(configuration: Configuration): ReadonlyMap<PeerId, Load> {
  const loads = new Map<PeerId, { replicas: number; primaries: number }>()
  for (const id of configuration.servers.keys()) loads.set(id, { replicas: 0, primaries: 0 })
  for (const { shards } of configuration.volumes.values()) {
    for (const { replicas } of shards) {
      for (const { server } of replicas) loads.get(server)!.replicas++
      loads.get(replicas[0]!.server)!.primaries++
    }
  }
  return loads
}

/**
 * What follows from servers having restarted or come back, for all shards in one change (for the
 * first REALLOCATIONS_PER_CHANGE of them; ask again after it is applied). For each shard, of its
 * in-sync replicas:
 * - one kept its memory and is connected: those that restarted start syncing, or are stale while
 *   they are not connected; stale ones that are connected start syncing;
 * - all have restarted: the shard resumes from the first that is connected, in a new generation;
 * - else somebody who is not connected may hold the newest writes: the shard waits for it.
 * Null if nothing follows.
 */
export function planReturn(
  configuration: Configuration,
  connected: Connected,
): ShardsReallocated | null {
  const shards: ShardReallocation[] = []
  let resumed = 0
  for (const volume of configuration.volumes.values()) {
    for (const [i, shard] of volume.shards.entries()) {
      if (shards.length === REALLOCATIONS_PER_CHANGE) break
      const planned = new Returning({ configuration, connected, volume, shard }).plan()
      if (planned === null) continue
      if (planned.generation !== shard.generation) resumed++
      const place = { volume: volume.id, shard: shardIndex(i), expected: shard.epoch }
      shards.push({ ...place, ...planned })
    }
  }
  if (shards.length === 0) return null
  const reason =
    resumed === 0
      ? 'storage servers came back and catch up'
      : `storage servers came back; all in-sync copies of ${resumed} shards had restarted, ` +
        'these resume'
  return { kind: 'shards-reallocated', reason, shards }
}

type Planned = Pick<ShardReallocation, 'replicas' | 'stale' | 'generation'>

/** The plan for one shard. */
class Returning {
  readonly #configuration: Configuration
  readonly #connected: Connected
  readonly #volume: VolumeRecord
  readonly #shard: ShardAllocation

  constructor(where: {
    readonly configuration: Configuration
    readonly connected: Connected
    readonly volume: VolumeRecord
    readonly shard: ShardAllocation
  }) {
    this.#configuration = where.configuration
    this.#connected = where.connected
    this.#volume = where.volume
    this.#shard = where.shard
  }

  plan(): Planned | null {
    const inSync = inSyncOf(this.#shard)
    const kept = inSync.filter(replica => keepsMemory(this.#configuration, replica))
    if (kept.some(({ server }) => this.#isHere(server))) return this.#resync()
    return kept.length === 0 ? this.#resume(inSync) : null
  }

  /** Connected with the start that is on record; one not yet registered does not count. */
  #isHere(server: PeerId): boolean {
    const incarnation = this.#connected.get(server)
    const recorded = this.#configuration.servers.get(server)?.incarnation
    return incarnation !== undefined && incarnation === recorded
  }

  #resync(): Planned | null {
    const stays: Replica[] = []
    const behind: Replica[] = []
    const stale: PeerId[] = []
    for (const replica of this.#shard.replicas) {
      const keeps = keepsMemory(this.#configuration, replica)
      if (replica.state === 'in-sync' && keeps) stays.push(replica)
      // One that was syncing and is away stays as it is: nobody waits for it.
      else if (keeps || (replica.state === 'syncing' && !this.#isHere(replica.server)))
        behind.push(replica)
      else if (this.#isHere(replica.server)) behind.push(this.#syncing(replica.server))
      else stale.push(replica.server)
    }
    for (const server of this.#shard.stale) {
      const wanted = stays.length + behind.length < this.#volume.replicas
      if (wanted && this.#isHere(server)) behind.push(this.#syncing(server))
      else stale.push(server)
    }
    const { generation } = this.#shard
    return this.#unlessSame({ replicas: [...stays, ...behind], stale, generation })
  }

  #resume(inSync: readonly Replica[]): Planned | null {
    const chosen = inSync.find(({ server }) => this.#isHere(server))
    if (chosen === undefined) return null
    const others = this.#shard.replicas.filter(replica => replica !== chosen)
    const holders = [...others.map(({ server }) => server), ...this.#shard.stale]
    const room = this.#volume.replicas - 1
    const here = holders.filter(server => this.#isHere(server)).slice(0, Math.max(room, 0))
    return {
      replicas: [
        { ...this.#syncing(chosen.server), state: 'in-sync' },
        ...here.map(server => this.#syncing(server)),
      ],
      stale: holders.filter(server => !here.includes(server)),
      generation: generation(this.#shard.generation + 1),
    }
  }

  #syncing(server: PeerId): Replica {
    const record = this.#configuration.servers.get(server)
    assert(record !== undefined, 'holders of shards are on record')
    return { server, state: 'syncing', incarnation: record.incarnation }
  }

  #unlessSame(planned: Planned): Planned | null {
    const { replicas, stale } = this.#shard
    return equal(planned.replicas, replicas) && equal(planned.stale, stale) ? null : planned
  }
}
