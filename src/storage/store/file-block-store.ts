// All shards of one storage server below its data directory. Opening it after an unclean stop
// recovers every dirty region before anything is served; closing it leaves an empty dirty log.
//
//   data/dirty.log                         data/<volume>/<shard>/layer-<n>
//                                          data/<volume>/<shard>.new/…    a clone that is begun
//   unexplained/<volume>-<shard>-<k>/…     what was set aside, for people
import { assert } from '../../base/assert.js'
import { byteCount, type ClusterId } from '../../base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import {
  DIRTY_LOG_BYTES,
  DIRTY_REGIONS_CHECKPOINT,
  DIRTY_REGIONS_KEPT,
  DIRTY_REGIONS_KEPT_MS,
  DIRTY_REGIONS_MAX,
  INDEX_CACHE_PAGES,
  LOG_AHEAD_REGIONS,
  MERGE_BYTES_PER_SECOND,
  PUNCH_LEAST_BLOCKS,
  RECOVERY_PARALLEL,
} from '../../base/limits.js'
import type { Clock, Timer } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import type { Disk } from '../../disk/disk.js'
import type { LayerRecord } from '../../layout/layers.js'
import { ownerOf } from '../../snapshot/chain.js'
import type { BlockStore, CloneSource, MergeProgress } from '../shard-store.js'
import { DirtyLog, sameLayer } from './dirty/dirty-log.js'
import { recoverRegion } from './dirty/recovery.js'
import { FileShardStore, type NameOf } from './file-shard-store.js'
import { IndexCache } from './index-cache.js'
import type { LayerFile } from './layer-file.js'
import { folderOf, LayerFiles, type ShardKey } from './layer-files.js'
import type { LayerName } from './layer-format.js'
import { Merges } from './merges.js'
import { LayerStore, type LayerStoreLimits } from './layer-store.js'
import { Reclaiming } from './space/reclaiming.js'

export interface StoreLimits extends LayerStoreLimits {
  readonly indexCachePages: number
  readonly dirtyRegionsCheckpoint: number
  readonly dirtyLogBytes: number
  readonly mergeBytesPerSecond: number
}

export interface FileBlockStoreOptions {
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Log
  /** Known from the first configuration on; files of another cluster are refused. */
  readonly cluster?: ClusterId
  /** Tests make them small. */
  readonly limits?: Partial<StoreLimits>
}

const DEFAULT_LIMITS: StoreLimits = {
  indexCachePages: INDEX_CACHE_PAGES,
  dirtyRegionsCheckpoint: DIRTY_REGIONS_CHECKPOINT,
  dirtyRegionsMax: DIRTY_REGIONS_MAX,
  dirtyRegionsKept: DIRTY_REGIONS_KEPT,
  logAheadRegions: LOG_AHEAD_REGIONS,
  dirtyLogBytes: DIRTY_LOG_BYTES,
  mergeBytesPerSecond: MERGE_BYTES_PER_SECOND,
  punchLeastBlocks: PUNCH_LEAST_BLOCKS,
}

export class FileBlockStore implements BlockStore {
  readonly #log: Log
  readonly #clock: Clock
  readonly #limits: StoreLimits
  readonly #files: LayerFiles
  readonly #dirty: DirtyLog
  readonly #merges: Merges
  readonly #reclaiming: Reclaiming
  readonly #open = new Map<string, FileShardStore>()
  /** Opening, dropping and setting aside one shard happen one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #checkpoint: Promise<void> | null = null
  #forgetting: Timer | null = null
  /** Pending while notes that regions are clean are written. */
  #noting: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(options: FileBlockStoreOptions, dirty: DirtyLog, limits: StoreLimits) {
    const { clock, disk, log, cluster = null } = options
    this.#log = log
    this.#clock = clock
    this.#dirty = dirty
    this.#limits = limits
    const cache = new IndexCache(limits.indexCachePages)
    this.#files = new LayerFiles({ disk, cache, cluster })
    this.#reclaiming = new Reclaiming(log)
    this.#merges = new Merges({ clock, disk, log, bytesPerSecond: limits.mergeBytesPerSecond })
  }

  static async open(options: FileBlockStoreOptions): Promise<FileBlockStore> {
    const { disk, log } = options
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    await disk.makeFolder('data')
    await disk.syncFolder('')
    const dirty = await DirtyLog.open({ disk, log, bytes: limits.dirtyLogBytes })
    const store = new FileBlockStore(options, dirty, limits)
    await store.#files.removeBegun()
    await store.#recover()
    await dirty.compact()
    await store.#files.removeEmptyFolders()
    return store
  }

  openShard(key: ShardKey, layers: readonly LayerRecord[]): Promise<FileShardStore> {
    return this.#turn(key, async () => {
      const open = this.#open.get(nameOf(key))
      if (open) return open
      const found = await this.#files.openAll(key)
      const shard = new FileShardStore({
        folder: {
          path: folderOf(key),
          create: async layer => {
            const file = await this.#files.create({ ...key, layer })
            return this.#layerStore({ ...key, layer }, file)
          },
          unlink: layer => this.#files.unlink({ ...key, layer }),
          sync: () => this.#files.syncFolder(folderOf(key)),
        },
        files: found.map(({ layer, file }) => this.#layerStore({ ...key, layer }, file)),
        layers,
        log: this.#log,
        merges: this.#merges,
        reclaiming: this.#reclaiming,
      })
      try {
        await shard.prepareLayers(layers)
      } catch (error) {
        await shard.close()
        throw error
      }
      shard.setLayers(layers)
      this.#open.set(nameOf(key), shard)
      return shard
    })
  }

  cloneShard(key: ShardKey, from: CloneSource): Promise<boolean> {
    const origin = { volume: from.volume, shard: key.shard }
    // Always first the clone, which is newer: no two wait for each other.
    assert(origin.volume < key.volume, 'a clone is newer than its origin')
    return this.#turn(key, async () => {
      let numbers: readonly number[] = await this.#files.numbers(key)
      if (numbers.length === 0) {
        numbers = await this.#turn(origin, () => this.#link(origin, key, from.layers))
      }
      const found = new Set(numbers.map(number => ownerOf(from.layers, number)))
      return from.layers.every(layer => found.has(layer))
    })
  }

  stored(): Promise<readonly ShardKey[]> {
    return this.#files.shards()
  }

  dropShard(key: ShardKey): Promise<void> {
    return this.#turn(key, async () => {
      await this.#closeShard(key, shard => shard.abandon())
      this.#dirty.removeShard(key)
      await this.#files.removeShard(key)
    })
  }

  setAside(key: ShardKey): Promise<void> {
    return this.#turn(key, async () => {
      await this.#closeShard(key, shard => shard.close())
      const folder = await this.#files.setAside(key)
      if (folder === null) return
      this.#dirty.removeShard(key)
      this.#log.warn('a shard that no configuration explains was set aside', { ...key, folder })
    })
  }

  /** Of the shards that are open. A file that several of them have counts once. */
  used(): number {
    let bytes = 0
    const seen = new Set<number>()
    for (const shard of this.#open.values()) {
      for (const { inode, shared, used } of shard.files()) {
        if (shared && seen.has(inode)) continue
        if (shared) seen.add(inode)
        bytes += used
      }
    }
    return bytes
  }

  /** Of all shards that are open; null when nothing is left to be merged. */
  merging(): MergeProgress | null {
    let [files, bytesLeft] = [0, 0]
    for (const shard of this.#open.values()) {
      const progress = shard.merging()
      files += progress?.files ?? 0
      bytesLeft += progress?.bytesLeft ?? 0
    }
    return files > 0 ? { files, bytesLeft: byteCount(bytesLeft) } : null
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#forgetting?.cancel()
    await this.#noting
    await Promise.allSettled(this.#turns.values())
    const shards = [...this.#open.values()]
    const results = await Promise.allSettled(shards.map(shard => shard.close()))
    this.#open.clear()
    // Regions of shards that could not be flushed stay in the log, for the next start.
    await this.#dirty.close()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** In the turns of both. What is there when it resolves is whole and durable. */
  async #link(
    origin: ShardKey,
    clone: ShardKey,
    layers: readonly LayerRecord[],
  ): Promise<readonly number[]> {
    const isWanted = (number: number): boolean => ownerOf(layers, number) !== null
    const there = (await this.#files.numbers(origin)).filter(isWanted)
    if (there.length === 0) return []
    const folder = await this.#files.beginShard(clone)
    const nameOfFile = (number: number): string => `${folder}/layer-${number}`
    const open = this.#open.get(nameOf(origin))
    const linked = open
      ? await open.share(isWanted, nameOfFile)
      : await this.#shareClosed(origin, there, nameOfFile)
    if (linked.length > 0) await this.#files.finishShard(clone)
    return linked
  }

  /** Of a shard that is not open: deleted in the same configuration, or moved away, or damaged. */
  async #shareClosed(
    origin: ShardKey,
    numbers: readonly number[],
    nameOfFile: NameOf,
  ): Promise<readonly number[]> {
    const isOrigin = ({ region }: { readonly region: ShardKey }): boolean =>
      region.volume === origin.volume && region.shard === origin.shard
    if (this.#dirty.regions().some(isOrigin)) {
      const message = `${folderOf(origin)} could not be recovered, so it cannot be cloned`
      throw new SwarmdiskError('corrupt', `${message}: see the log of this server`)
    }
    const files = await this.#files.openAll(origin)
    try {
      const wanted = files.filter(({ layer }) => numbers.includes(layer))
      for (const { layer, file } of wanted) await file.share(nameOfFile(layer))
      return wanted.map(({ layer }) => layer)
    } finally {
      for (const { file } of files) await file.close()
    }
  }

  #layerStore(name: LayerName, file: LayerFile): LayerStore {
    return new LayerStore({
      name,
      file,
      dirty: this.#dirty,
      limits: this.#limits,
      logged: () => {
        this.#checkpointIfCrowded()
        this.#forgetLater()
      },
    })
  }

  async #closeShard(key: ShardKey, close: (shard: FileShardStore) => Promise<void>): Promise<void> {
    const shard = this.#open.get(nameOf(key))
    if (!shard) return
    this.#open.delete(nameOf(key))
    await close(shard)
  }

  #turn<T>(key: ShardKey, action: () => Promise<T>): Promise<T> {
    assert(!this.#closed, 'the store is closed')
    const name = nameOf(key)
    const before = this.#turns.get(name) ?? Promise.resolve()
    const turn = before.then(action, action)
    this.#turns.set(name, turn)
    const end = (): void => {
      if (this.#turns.get(name) === turn) this.#turns.delete(name)
    }
    turn.then(end, end)
    return turn
  }

  // ---- dirty regions ----------------------------------------------------------------------------

  /** Bounds the log, and with it the time of a recovery, when no client flushes. */
  #checkpointIfCrowded(): void {
    if (this.#checkpoint || this.#dirty.size < this.#limits.dirtyRegionsCheckpoint) return
    const flushes = [...this.#open.values()].map(shard =>
      // Whoever flushes the shard next is told; until then its regions stay in the log.
      shard.flush().catch((error: unknown) => {
        this.#log.error('a background flush failed', { reason: String(error) })
      }),
    )
    this.#checkpoint = Promise.all(flushes).then(() => {
      this.#checkpoint = null
    })
  }

  /**
   * As long as there are any in the log, those that are clean and that nobody writes leave it, and
   * that is written down: after a crash nobody should have to look at what was left alone for long.
   */
  #forgetLater(): void {
    if (this.#forgetting || this.#closed || this.#dirty.size === 0) return
    this.#forgetting = this.#clock.after(DIRTY_REGIONS_KEPT_MS, () => {
      this.#forgetting = null
      for (const shard of this.#open.values()) shard.forgetUnused()
      this.#noting = this.#dirty.note().then(
        () => this.#forgetLater(),
        // Whoever logs the next region is told.
        (error: unknown) => {
          this.#log.error('the dirty-region log failed', { reason: String(error) })
        },
      )
    })
  }

  async #recover(): Promise<void> {
    const layers = groupByLayer(this.#dirty.regions().map(({ region }) => region))
    const workers = Array.from({ length: RECOVERY_PARALLEL }, async () => {
      for (let name = layers.pop(); name; name = layers.pop()) await this.#recoverLayer(name)
    })
    await Promise.all(workers)
  }

  async #recoverLayer(name: LayerName): Promise<void> {
    const records = this.#dirty.regions().filter(({ region }) => sameLayer(region, name))
    let file: LayerFile | null
    try {
      file = await this.#files.open(name)
      // Or it would be back after a power cut, with what was not durable lost and its regions gone.
      if (!file) await this.#files.confirmAbsence(name)
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      // Its regions stay in the log; opening this shard fails with the same words, others work.
      this.#log.error('a shard could not be recovered', { reason: error.message })
      return
    }
    if (file) {
      let decided = 0
      for (const { region, undo } of records) {
        decided += await recoverRegion(file, { page: region.page, undo })
      }
      await file.sync()
      await file.close()
      const { volume, shard } = name
      this.#log.info('recovered a shard', { volume, shard, regions: records.length, decided })
    }
    this.#dirty.remove(records.map(({ region }) => region))
  }
}

function groupByLayer(regions: readonly LayerName[]): LayerName[] {
  const layers = new Map<string, LayerName>()
  for (const { volume, shard, layer } of regions) {
    layers.set(`${volume}/${shard}/${layer}`, { volume, shard, layer })
  }
  return [...layers.values()]
}

function nameOf({ volume, shard }: ShardKey): string {
  return `${volume}/${shard}`
}
