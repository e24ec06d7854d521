// All shards of one storage server below its data directory. Opening it after an unclean stop
// recovers every dirty region before anything is served; closing it leaves an empty dirty log.
//
//   data/dirty.log                         data/<volume>/<shard>/layer-<n>
//   unexplained/<volume>-<shard>-<k>/…     what was set aside, for people
import { assert } from '../../base/assert.js'
import type { ClusterId } from '../../base/brands.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import {
  DIRTY_LOG_BYTES,
  DIRTY_REGIONS_CHECKPOINT,
  DIRTY_REGIONS_MAX,
  INDEX_CACHE_PAGES,
  LOG_AHEAD_REGIONS,
  RECOVERY_PARALLEL,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Disk } from '../../disk/disk.js'
import type { BlockStore, ShardStore } from '../shard-store.js'
import { Coalesced } from './coalesced.js'
import { DirtyLog, sameLayer } from './dirty-log.js'
import { FileShardStore, type StoreLimits } from './file-shard-store.js'
import { IndexCache } from './index-cache.js'
import { LayerFile, type LayerFileOptions } from './layer-file.js'
import type { LayerName } from './layer-format.js'
import { recoverRegion } from './recovery.js'

export interface FileBlockStoreOptions {
  readonly disk: Disk
  readonly log: Log
  /** Known from the first configuration on; files of another cluster are refused. */
  readonly cluster?: ClusterId
  /** Tests make them small. */
  readonly limits?: Partial<StoreLimits>
}

export interface ShardKey {
  readonly volume: number
  readonly shard: number
}

const DEFAULT_LIMITS: StoreLimits = {
  indexCachePages: INDEX_CACHE_PAGES,
  dirtyRegionsCheckpoint: DIRTY_REGIONS_CHECKPOINT,
  dirtyRegionsMax: DIRTY_REGIONS_MAX,
  logAheadRegions: LOG_AHEAD_REGIONS,
  dirtyLogBytes: DIRTY_LOG_BYTES,
}

/** The only layer for now; the format knows more. */
const HEAD_LAYER = 1

export class FileBlockStore implements BlockStore {
  readonly #disk: Disk
  readonly #log: Log
  readonly #cluster: ClusterId | null
  readonly #limits: StoreLimits
  readonly #cache: IndexCache
  readonly #dirty: DirtyLog
  readonly #open = new Map<string, FileShardStore>()
  /** Opening, dropping and setting aside one shard happen one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #folderSyncs = new Map<string, Coalesced>()
  #checkpoint: Promise<void> | null = null
  #closed = false

  private constructor(options: FileBlockStoreOptions, dirty: DirtyLog, limits: StoreLimits) {
    this.#disk = options.disk
    this.#log = options.log
    this.#cluster = options.cluster ?? null
    this.#dirty = dirty
    this.#limits = limits
    this.#cache = new IndexCache(limits.indexCachePages)
  }

  static async open(options: FileBlockStoreOptions): Promise<FileBlockStore> {
    const { disk, log } = options
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    await disk.makeFolder('data')
    await disk.syncFolder('')
    const dirty = await DirtyLog.open({ disk, log, bytes: limits.dirtyLogBytes })
    const store = new FileBlockStore(options, dirty, limits)
    await store.#recover()
    await dirty.compact()
    await store.#removeEmptyFolders()
    return store
  }

  openShard(key: ShardKey): Promise<ShardStore> {
    return this.#turn(key, async () => {
      const open = this.#open.get(nameOf(key))
      if (open) return open
      const name = layerOf(key)
      const file = (await this.#openLayer(name)) ?? (await this.#createLayer(name))
      const shard = new FileShardStore({
        name,
        file,
        dirty: this.#dirty,
        limits: this.#limits,
        logged: () => this.#checkpointIfCrowded(),
      })
      this.#open.set(nameOf(key), shard)
      return shard
    })
  }

  async stored(): Promise<readonly ShardKey[]> {
    const found: ShardKey[] = []
    for (const volume of await this.#numbers('data')) {
      for (const shard of await this.#numbers(`data/${volume}`)) {
        const names = await this.#disk.list(`data/${volume}/${shard}`)
        if (names.some(name => /^layer-\d+$/.test(name))) found.push({ volume, shard })
      }
    }
    return found
  }

  dropShard(key: ShardKey): Promise<void> {
    return this.#turn(key, async () => {
      await this.#closeShard(key, shard => shard.abandon())
      this.#dirty.removeLayer(layerOf(key))
      const folder = folderOf(key)
      if (!(await this.#numbers(`data/${key.volume}`)).includes(key.shard)) return
      for (const name of await this.#disk.list(folder)) await this.#disk.remove(`${folder}/${name}`)
      await this.#disk.remove(folder)
      await this.#syncFolder(`data/${key.volume}`)
    })
  }

  setAside(key: ShardKey): Promise<void> {
    return this.#turn(key, async () => {
      await this.#closeShard(key, shard => shard.close())
      const from = folderOf(key)
      if ((await this.#disk.list(from)).length === 0) return
      await this.#disk.makeFolder('unexplained')
      await this.#syncFolder('')
      const taken = new Set(await this.#disk.list('unexplained'))
      let k = 1
      while (taken.has(`${key.volume}-${key.shard}-${k}`)) k++
      const to = `unexplained/${key.volume}-${key.shard}-${k}`
      await this.#disk.rename(from, to)
      await this.#syncFolder('unexplained')
      await this.#syncFolder(`data/${key.volume}`)
      this.#dirty.removeLayer(layerOf(key))
      this.#log.warn('a shard that no configuration explains was set aside', { ...key, folder: to })
    })
  }

  /** Of the shards that are open. */
  used(): number {
    let bytes = 0
    for (const shard of this.#open.values()) bytes += shard.used()
    return bytes
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#turns.values())
    const shards = [...this.#open.values()]
    const results = await Promise.allSettled(shards.map(shard => shard.close()))
    this.#open.clear()
    // Regions of shards that could not be flushed stay in the log, for the next start.
    await this.#dirty.close()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  // ---- files ------------------------------------------------------------------------------------

  #layerOptions(name: LayerName): LayerFileOptions {
    return { disk: this.#disk, cache: this.#cache, cluster: this.#cluster, name }
  }

  async #openLayer(name: LayerName): Promise<LayerFile | null> {
    const newer = (await this.#disk.list(folderOf(name))).find(
      file => /^layer-\d+$/.test(file) && file !== `layer-${HEAD_LAYER}`,
    )
    if (newer) {
      const path = `${folderOf(name)}/${newer}`
      const message = `${path} belongs to a snapshot, which this release does not know`
      throw new SwarmdiskError('data-directory', `${message}: use a newer release`)
    }
    const file = await LayerFile.open(this.#layerOptions(name))
    // An earlier process may have been killed between the file's renaming and this sync.
    if (file) await this.#disk.syncFolder(folderOf(name))
    return file
  }

  /** The folders are durable before the file has its name: where a file is, they are. */
  async #createLayer(name: LayerName): Promise<LayerFile> {
    await this.#disk.makeFolder(folderOf(name))
    await this.#syncFolder('data')
    await this.#syncFolder(`data/${name.volume}`)
    await LayerFile.create(this.#layerOptions(name))
    const file = await LayerFile.open(this.#layerOptions(name))
    assert(file, 'what was created is there')
    return file
  }

  /** Many shards of a volume are created at once and share the syncs of its folder. */
  #syncFolder(folder: string): Promise<void> {
    let sync = this.#folderSyncs.get(folder)
    if (!sync) {
      sync = new Coalesced(() => this.#disk.syncFolder(folder))
      this.#folderSyncs.set(folder, sync)
    }
    return sync.request()
  }

  /** Of volumes that are gone; only at the start, when nobody is about to put something in. */
  async #removeEmptyFolders(): Promise<void> {
    for (const volume of await this.#numbers('data')) {
      const folder = `data/${volume}`
      if ((await this.#disk.list(folder)).length === 0) await this.#disk.remove(folder)
    }
  }

  async #numbers(folder: string): Promise<number[]> {
    const names = await this.#disk.list(folder)
    return names.filter(name => /^\d+$/.test(name)).map(Number)
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
      file = await LayerFile.open(this.#layerOptions(name))
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

function layerOf({ volume, shard }: ShardKey): LayerName {
  return { volume, shard, layer: HEAD_LAYER }
}

function folderOf({ volume, shard }: ShardKey): string {
  return `data/${volume}/${shard}`
}

function nameOf({ volume, shard }: ShardKey): string {
  return `${volume}/${shard}`
}
