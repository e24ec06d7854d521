// Which shards this server has: opens those that a configuration puts here, and lets go of those
// that it says were deleted or moved. It never deletes because something is not mentioned; what no
// configuration explains is moved aside and reported (design §5).
import type { ByteCount, PeerId } from '../base/brands.js'
import { shardIndex, volumeId } from '../base/brands.js'
import { isSwarmdiskError } from '../base/errors.js'
import { SHARDS_OPENED_AT_ONCE } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Configuration, ShardAllocation, VolumeRecord } from '../layout/configuration.js'
import type { LayerRecord } from '../layout/layers.js'
import type { CaughtUpProposal, SealedShard, ShardName, ShardProgress } from '../net/messages.js'
import type { ReplicaHost } from './replica/replica-context.js'
import { ShardReplica } from './replica/shard-replica.js'
import type { BlockStore, CloneSource } from './shard-store.js'
import { Slots } from './slots.js'

export interface ShardHoldingsOptions {
  readonly self: PeerId
  readonly store: BlockStore
  readonly host: ReplicaHost
  readonly log: Log
}

type Fate = 'keep' | 'drop' | 'set-aside'

const keyOf = ({ volume, shard }: ShardName): string => `${volume}/${shard}`

/** What a configuration says about a shard of which there are files here. Pure. */
export function fateOf(configuration: Configuration, name: ShardName, self: PeerId): Fate {
  const volume = configuration.volumes.get(name.volume)
  if (!volume) return configuration.deletedVolumes.includes(name.volume) ? 'drop' : 'set-aside'
  const allocation = volume.shards[name.shard]
  if (!allocation) return 'set-aside'
  return isNamed(allocation, self) ? 'keep' : 'drop'
}

function isNamed(allocation: ShardAllocation, self: PeerId): boolean {
  return allocation.replicas.some(r => r.server === self) || allocation.stale.includes(self)
}

/** What a clone shares with its origin; null for what is none. */
function cloneSourceOf({ origin, layers }: VolumeRecord): CloneSource | null {
  if (origin === null) return null
  return { volume: origin.volume, layers: layers.filter(({ id }) => id <= origin.layer) }
}

export class ShardHoldings {
  readonly #o: ShardHoldingsOptions
  readonly #replicas = new Map<string, ShardReplica>()
  /** Shards with files here, open or not. */
  readonly #held = new Map<string, ShardName>()
  readonly #leaving = new Map<string, Promise<void>>()
  readonly #opening = new Slots(SHARDS_OPENED_AT_ONCE)
  readonly #failures = new Map<string, string>()
  #setAside = 0
  /** For these all is done; null: nobody knows for which. */
  #prepared: Configuration['volumes'] | null = null

  constructor(options: ShardHoldingsOptions) {
    this.#o = options
  }

  /** Looks what is on the disk. */
  async start(): Promise<void> {
    for (const { volume, shard } of await this.#o.store.stored()) {
      const name = { volume: volumeId(volume), shard: shardIndex(shard) }
      this.#held.set(keyOf(name), name)
    }
  }

  find(name: ShardName): ShardReplica | undefined {
    return this.#replicas.get(keyOf(name))
  }

  /** Whether there are files of it here, open or not. */
  stores(name: ShardName): boolean {
    return this.#held.has(keyOf(name))
  }

  open(): Iterable<ShardReplica> {
    return this.#replicas.values()
  }

  /** Some shard could not be opened: prepare() tries again. */
  get incomplete(): boolean {
    return this.#failures.size > 0
  }

  get problem(): string {
    const [failure] = this.#failures.values()
    if (failure !== undefined) return failure
    return this.#setAside > 0
      ? `${this.#setAside} shards that no configuration explains were moved to unexplained/`
      : ''
  }

  /** What stands in the way of some replica that is open. */
  get problemOfReplica(): string {
    for (const { problem } of this.#replicas.values()) if (problem) return problem
    return ''
  }

  /** What primaries here say of replicas that have caught up. */
  proposals(): CaughtUpProposal['replicas'] {
    return [...this.#replicas.values()].flatMap(replica => replica.proposals())
  }

  /** What primaries here have ready for snapshots. */
  sealed(): readonly SealedShard[] {
    return [...this.#replicas.values()].flatMap(replica => replica.sealed())
  }

  syncing(): readonly ShardProgress[] {
    return [...this.#replicas.values()].flatMap(({ bytesLeft, name }) =>
      bytesLeft === null ? [] : [{ ...name, bytesLeft }],
    )
  }

  merging(): readonly ShardProgress[] {
    return [...this.#replicas.values()].flatMap(({ store, name }) => {
      const progress = store.merging()
      return progress === null ? [] : [{ ...name, bytesLeft: progress.bytesLeft }]
    })
  }

  /**
   * Opens every shard of which the configuration puts a replica here, and makes ready what layers
   * it adds to those that are open. Only of volumes that changed since it was last done: clients
   * wait for a configuration, however many volumes there are. Fails where that is not possible:
   * without its layers no replica may take up an allocation.
   */
  async prepare({ volumes }: Configuration): Promise<void> {
    const changed = [...volumes.values()].filter(one => this.#prepared?.get(one.id) !== one)
    this.#failures.clear()
    await this.#beginClones(changed)
    const opening: Promise<void>[] = []
    for (const { id, shards, layers } of changed) {
      shards.forEach((allocation, i) => {
        const name = { volume: id, shard: shardIndex(i) }
        const open = this.#replicas.get(keyOf(name))
        const here = allocation.replicas.some(replica => replica.server === this.#o.self)
        if (open) opening.push(this.#opening.run(() => open.prepareLayers(layers)))
        else if (here && !this.#failures.has(keyOf(name)))
          opening.push(this.#opening.run(() => this.#openShard(name, layers)))
      })
    }
    await Promise.all(opening)
    this.#prepared = this.#failures.size > 0 ? null : volumes
  }

  /**
   * Copies of clones that are new here begin with what there is of their origins: nothing of this
   * configuration is applied to an origin before, and no clone is served. Fails where the disk
   * does. An older clone comes first: it may be an origin itself.
   *
   * After a crash it is done again, and finds the same. Whatever took these layers from the origin,
   * or changed them, is of a later configuration than the one that made the clone, and of such a
   * configuration nothing was applied here before the clone was begun. So a copy that was in-sync
   * with the origin when the clone was made has everything to begin with, however often it is
   * restarted before, and a clone that goes on from it has what its snapshot shows. (Flattening
   * takes the origin out of the configuration: every in-sync copy has to agree, see opinion.ts.)
   */
  async #beginClones(volumes: readonly VolumeRecord[]): Promise<void> {
    const clones = volumes.filter(({ origin }) => origin !== null)
    for (const volume of clones.sort((a, b) => a.id - b.id)) {
      const source = cloneSourceOf(volume)
      if (source === null) continue
      const begun = volume.shards.map(async ({ replicas }, i) => {
        const name = { volume: volume.id, shard: shardIndex(i) }
        const own = replicas.find(({ server }) => server === this.#o.self)
        if (!own || this.#held.has(keyOf(name))) return
        const whole = await this.#opening.run(() => this.#beginClone(name, source))
        if (!whole && own.state === 'in-sync') this.#noOrigin(name, volume.name)
      })
      await Promise.all(begun)
    }
  }

  async #beginClone(name: ShardName, source: CloneSource): Promise<boolean> {
    await this.#leaving.get(keyOf(name))
    return this.#o.store.cloneShard(name, source)
  }

  /** One that syncs begins empty; this one would show zeroes as if they had been written. */
  #noOrigin(name: ShardName, volume: string): void {
    const error = `shard ${name.shard} of clone ${volume} has no origin here: it is not served`
    this.#failures.set(keyOf(name), error)
    this.#o.log.error('a clone cannot be begun', { ...name, error })
  }

  async #openShard(name: ShardName, layers: readonly LayerRecord[]): Promise<void> {
    const key = keyOf(name)
    try {
      await this.#leaving.get(key)
      const store = await this.#o.store.openShard(name, layers)
      this.#held.set(key, name)
      this.#replicas.set(key, new ShardReplica({ name, store, host: this.#o.host }))
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#failures.set(key, error.message)
      this.#o.log.error('a shard cannot be opened', { ...name, error: error.message })
    }
  }

  /** Lets every open replica know its allocation under this configuration. */
  adopt(configuration: Configuration, bytesOf: (name: ShardName) => ByteCount): void {
    for (const name of this.#held.values()) {
      const volume = configuration.volumes.get(name.volume)
      const allocation = volume?.shards[name.shard]
      if (!volume || !allocation) continue
      const { minInSync, layers } = volume
      const seal = volume.seal?.epoch ?? null
      this.find(name)?.adopt({ allocation, minInSync, bytes: bytesOf(name), layers, seal })
    }
  }

  /** Deletes what was deleted or moved, and moves aside what nothing explains. */
  async release(configuration: Configuration): Promise<void> {
    const leaving: Promise<void>[] = []
    for (const [key, name] of [...this.#held]) {
      const fate = fateOf(configuration, name, this.#o.self)
      if (fate === 'keep') continue
      this.#held.delete(key)
      const replica = this.#replicas.get(key)
      this.#replicas.delete(key)
      const left = this.#leave(name, fate, replica).finally(() => this.#leaving.delete(key))
      this.#leaving.set(key, left)
      leaving.push(left)
    }
    await Promise.all(leaving)
  }

  async #leave(name: ShardName, fate: Fate, replica: ShardReplica | undefined): Promise<void> {
    const { store, log } = this.#o
    try {
      await replica?.stop()
      if (fate === 'drop') {
        await store.dropShard(name)
        log.info('shard dropped: its volume was deleted, or it lives elsewhere', { ...name })
      } else {
        await store.setAside(name)
        this.#setAside++
        log.warn('no configuration explains this shard: moved to unexplained/', { ...name })
      }
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      // Its files are found again at the next start.
      log.error('a shard could not be removed', { ...name, error: error.message })
    }
  }

  async stop(): Promise<void> {
    const stopped = [...this.#replicas.values()].map(replica => replica.stop())
    await Promise.all([...stopped, ...this.#leaving.values()])
  }
}
