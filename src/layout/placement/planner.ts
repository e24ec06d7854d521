// What the manager proposes: pure plans from a configuration and what is connected. A plan is a
// change for `apply`, which checks it once more; nothing here decides.
import { assert } from '../../base/assert.js'
import { byteCount, generation, shardIndex, type PeerId } from '../../base/brands.js'
import { REALLOCATIONS_PER_CHANGE, REPLICAS_ON_THE_WAY } from '../../base/limits.js'
import { volumeProblem } from '../apply/volumes.js'
import type { ChangeOf, ShardReallocation } from '../change.js'
import type { Configuration, Replica, ShardAllocation, VolumeRecord } from '../configuration.js'
import { equal } from '../equal.js'
import { shardCountFor } from '../geometry.js'
import type { Refusal } from '../outcome.js'
import { copiesProblem } from '../apply/room.js'
import { loadsOf, type LoadLedger } from './load-ledger.js'
import { placeVolume } from './place.js'
import {
  allServe,
  inSyncOf,
  isConnected,
  isDown,
  isDraining,
  isHere,
  keepsMemory,
  serversHere,
  type Connected,
  type Observed,
} from '../replicas.js'
import { Settled } from './settled.js'

export type VolumeCreated = ChangeOf<'volume-created'>
export type ShardsReallocated = ChangeOf<'shards-reallocated'>

export interface VolumeWish {
  readonly name: string
  /** Any number; refused unless it can be a size. */
  readonly size: number
  readonly replicas: number
  readonly minInSync: number
}

/** `ledger`: of whoever plans often. */
export function planVolume(
  configuration: Configuration,
  wish: VolumeWish,
  ledger?: LoadLedger,
): VolumeCreated | Refusal {
  const problem = volumeProblem(configuration, wish)
  if (problem !== null) return problem
  const { name, replicas, minInSync } = wish
  const size = byteCount(wish.size)
  const servers = [...configuration.servers.values()].filter(server => server.state === 'up')
  const shards = shardCountFor(size, servers.length)
  const room = copiesProblem(configuration, { shards, replicas })
  if (room !== null) return room
  const placement = placeVolume({
    ...{ servers, shards, replicas },
    volume: configuration.nextVolume,
    loads: ledger?.of(configuration) ?? loadsOf(configuration),
  })
  return { kind: 'volume-created', name, size, replicas, minInSync, placement }
}

/**
 * What follows from servers having restarted, come back or gone, for all shards in one change
 * (for the first REALLOCATIONS_PER_CHANGE of them; ask again after it is applied). For each shard,
 * of its in-sync replicas:
 * - one kept its memory and is connected: the shard goes on with it. Those that restarted start
 *   syncing, or are stale while they are not connected; those on servers that are down are stale;
 *   stale ones that are connected start syncing, as many as are missing, and one more where a copy
 *   is being made elsewhere in its place (whichever is ready first completes the shard), or where
 *   an in-sync one is on a server that is being emptied;
 * - all have restarted: the shard resumes from the first that is connected, in a new generation;
 * - else somebody who is not connected may hold the newest writes: the shard waits for it.
 * Nothing is given to a server that is recorded as down, or whose present start is not on record.
 * Null if nothing follows. `settled`: of whoever asks after every change.
 */
export function planReturn(
  configuration: Configuration,
  connected: Connected,
  settled = new Settled(),
): ShardsReallocated | null {
  const observed = { configuration, connected }
  settled.under(configuration.servers, connected)
  const here = serversHere(observed)
  const shards: ShardReallocation[] = []
  const news = { back: 0, left: 0, resumed: 0 }
  for (const volume of configuration.volumes.values()) {
    if (settled.has(volume)) continue
    const before = shards.length
    for (const [i, shard] of volume.shards.entries()) {
      if (shards.length === REALLOCATIONS_PER_CHANGE) break
      if (shard.stale.length === 0 && allServe(shard, here)) continue
      const planned = new Returning(observed, volume, shard).plan()
      if (planned === null) continue
      news[newsOf(planned, shard)]++
      const place = { volume: volume.id, shard: shardIndex(i), expected: shard.epoch }
      shards.push({ ...place, ...planned })
    }
    if (shards.length === before && before < REALLOCATIONS_PER_CHANGE) settled.add(volume)
  }
  return shards.length === 0 ? null : { kind: 'shards-reallocated', reason: told(news), shards }
}

type Planned = Pick<ShardReallocation, 'replicas' | 'stale' | 'generation'>
/** In how many shards a copy is back, is only left behind, or is where the shard resumes from. */
type News = Record<'back' | 'left' | 'resumed', number>

function newsOf(planned: Planned, shard: ShardAllocation): keyof News {
  if (planned.generation !== shard.generation) return 'resumed'
  const syncing = planned.replicas.filter(replica => replica.state === 'syncing')
  return syncing.every(replica => shard.replicas.includes(replica)) ? 'left' : 'back'
}

function told({ back, left, resumed }: News): string {
  const shards = (n: number): string => (n === 1 ? '1 shard' : `${n} shards`)
  const sentences: string[] = []
  if (back > 0) sentences.push('storage servers came back and catch up')
  if (left > 0) sentences.push(`servers that are away are left behind in ${shards(left)}`)
  if (resumed > 0) sentences.push(`all in-sync copies of ${shards(resumed)} had restarted: resumed`)
  return sentences.join('; ')
}

/** The plan for one shard. */
class Returning {
  readonly #observed: Observed
  readonly #volume: VolumeRecord
  readonly #shard: ShardAllocation

  constructor(observed: Observed, volume: VolumeRecord, shard: ShardAllocation) {
    this.#observed = observed
    this.#volume = volume
    this.#shard = shard
  }

  plan(): Planned | null {
    const inSync = inSyncOf(this.#shard)
    const kept = inSync.filter(replica => keepsMemory(this.#observed.configuration, replica))
    if (kept.some(({ server }) => this.#isHere(server))) return this.#resync()
    return kept.length === 0 ? this.#resume(inSync) : null
  }

  #isHere(server: PeerId): boolean {
    return isHere(this.#observed, server)
  }

  #resync(): Planned | null {
    const stays: Replica[] = []
    const behind: Replica[] = []
    const stale: PeerId[] = []
    for (const replica of this.#shard.replicas) {
      const now = this.#carriedOn(replica)
      if (now === null) stale.push(replica.server)
      else if (now.state === 'in-sync') stays.push(now)
      else behind.push(now)
    }
    for (const server of this.#shard.stale) {
      if (this.#isHere(server) && this.#isWanted(server, { stays, behind }))
        behind.push(this.#syncing(server))
      else stale.push(server)
    }
    const { generation } = this.#shard
    return this.#unlessSame({ replicas: [...stays, ...behind], stale, generation })
  }

  #isWanted(
    server: PeerId,
    { stays, behind }: { readonly stays: readonly Replica[]; readonly behind: readonly Replica[] },
  ): boolean {
    const { replicas } = this.#volume
    const count = stays.length + behind.length
    if (count < replicas) return true
    const { configuration } = this.#observed
    const lasting = stays.filter(replica => !isDraining(configuration, replica.server)).length
    const room = count < replicas + REPLICAS_ON_THE_WAY && lasting < replicas
    return room && !isDraining(configuration, server)
  }

  /** The replica in a shard that goes on with another one; null if it is stale from now on. */
  #carriedOn(replica: Replica): Replica | null {
    const { server, state } = replica
    const { configuration } = this.#observed
    // One that is down and connected is about to register: it has missed nothing yet.
    if (isDown(configuration, server) && !isConnected(this.#observed, server)) return null
    if (keepsMemory(configuration, replica)) return replica
    if (this.#isHere(server)) return this.#syncing(server)
    // One that was syncing and is away stays as it is: nobody waits for it.
    return state === 'syncing' ? replica : null
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
    const record = this.#observed.configuration.servers.get(server)
    assert(record !== undefined, 'holders of shards are on record')
    return { server, state: 'syncing', incarnation: record.incarnation }
  }

  #unlessSame(planned: Planned): Planned | null {
    const { replicas, stale } = this.#shard
    return equal(planned.replicas, replicas) && equal(planned.stale, stale) ? null : planned
  }
}
