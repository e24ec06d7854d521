// The layer files in the folders of the shards: made and deleted durably, opened, counted.
//
//   data/<volume>/<shard>/layer-<n>
//   data/<volume>/<shard>.new/…             of a clone, while its files are given their names
import { assert } from '../../base/assert.js'
import type { ClusterId } from '../../base/brands.js'
import type { Disk } from '../../disk/disk.js'
import { Coalesced } from '../../base/coalesced.js'
import type { IndexCache } from './index-cache.js'
import { LayerFile } from './layer-file.js'
import type { LayerName } from './layer-format.js'

export interface ShardKey {
  readonly volume: number
  readonly shard: number
}

export interface LayerFilesOptions {
  readonly disk: Disk
  readonly cache: IndexCache
  readonly cluster: ClusterId | null
}

const LAYER_FILE = /^layer-(\d+)$/

export class LayerFiles {
  readonly #options: LayerFilesOptions
  readonly #disk: Disk
  readonly #folderSyncs = new Map<string, Coalesced>()

  constructor(options: LayerFilesOptions) {
    this.#options = options
    this.#disk = options.disk
  }

  /** The numbers of the layers of which this shard has files. */
  async numbers(key: ShardKey): Promise<number[]> {
    const names = await this.#disk.list(folderOf(key))
    const numbers = names.flatMap(name => LAYER_FILE.exec(name)?.[1] ?? []).map(Number)
    return numbers.sort((a, b) => a - b)
  }

  /** Null if there is none. */
  open(name: LayerName): Promise<LayerFile | null> {
    return LayerFile.open({ ...this.#options, name })
  }

  /** All files of a shard. An error in one of them is one of the shard. */
  async openAll(key: ShardKey): Promise<{ layer: number; file: LayerFile }[]> {
    const found: { layer: number; file: LayerFile }[] = []
    try {
      for (const layer of await this.numbers(key)) {
        const file = await this.open({ ...key, layer })
        if (file) found.push({ layer, file })
      }
      if (found.length > 0) await this.#tidy(key)
      return found
    } catch (error) {
      for (const { file } of found) await file.close()
      throw error
    }
  }

  /** An earlier process may have been killed between a change of names and its sync. */
  async #tidy(key: ShardKey): Promise<void> {
    const folder = folderOf(key)
    for (const name of await this.#disk.list(folder)) {
      // An attempt at a copy takes space, and counts for nothing.
      if (name.endsWith('.new')) await this.#disk.remove(`${folder}/${name}`)
    }
    await this.#disk.syncFolder(folder)
  }

  /** The folders are durable before the file has its name: where a file is, they are. */
  async create(name: LayerName): Promise<LayerFile> {
    await this.#disk.makeFolder(folderOf(name))
    await this.syncFolder('data')
    await this.syncFolder(`data/${name.volume}`)
    await LayerFile.create({ ...this.#options, name })
    const file = await this.open(name)
    assert(file, 'what was created is there')
    return file
  }

  /** Many shards of a volume are created at once and share the syncs of its folder. */
  syncFolder(folder: string): Promise<void> {
    let sync = this.#folderSyncs.get(folder)
    if (!sync) {
      sync = new Coalesced(() => this.#disk.syncFolder(folder))
      this.#folderSyncs.set(folder, sync)
    }
    return sync.request()
  }

  /** There is no file of this name, and there will be none after a crash. */
  async confirmAbsence(name: LayerName): Promise<void> {
    // What took it away changed the deepest folder that is left.
    let folder = ''
    for (const part of folderOf(name).split('/')) {
      if (!(await this.#disk.list(folder)).includes(part)) break
      folder = folder === '' ? part : `${folder}/${part}`
    }
    await this.syncFolder(folder)
  }

  async shards(): Promise<ShardKey[]> {
    const found: ShardKey[] = []
    for (const volume of await this.#folders('data')) {
      for (const shard of await this.#folders(`data/${volume}`)) {
        if ((await this.numbers({ volume, shard })).length > 0) found.push({ volume, shard })
      }
    }
    return found
  }

  // ---- clones -----------------------------------------------------------------------------------

  /** An empty folder in which the files of a new shard are put together; its path. */
  async beginShard(key: ShardKey): Promise<string> {
    const folder = `${folderOf(key)}.new`
    await this.#removeFolder(folder)
    await this.#disk.makeFolder(folder)
    await this.syncFolder('data')
    return folder
  }

  /** From now on, or after a crash in between, it is the shard. */
  async finishShard(key: ShardKey): Promise<void> {
    const folder = folderOf(key)
    await this.syncFolder(`${folder}.new`)
    // An empty one may be there, in which a file was about to be made.
    await this.#disk.remove(folder)
    await this.#disk.rename(`${folder}.new`, folder)
    await this.syncFolder(`data/${key.volume}`)
  }

  /** What a crash left of shards that were begun. At the start. */
  async removeBegun(): Promise<void> {
    for (const volume of await this.#folders('data')) {
      for (const name of await this.#disk.list(`data/${volume}`)) {
        if (name.endsWith('.new')) await this.#removeFolder(`data/${volume}/${name}`)
      }
    }
  }

  async #removeFolder(folder: string): Promise<void> {
    for (const name of await this.#disk.list(folder)) await this.#disk.remove(`${folder}/${name}`)
    await this.#disk.remove(folder)
  }

  // ---- what goes --------------------------------------------------------------------------------

  /** One file's name is gone; not yet durably. */
  unlink(name: LayerName): Promise<void> {
    return this.#disk.remove(LayerFile.path(name))
  }

  async removeShard(key: ShardKey): Promise<void> {
    const folder = folderOf(key)
    if (!(await this.#folders(`data/${key.volume}`)).includes(key.shard)) return
    await this.#removeFolder(folder)
    await this.syncFolder(`data/${key.volume}`)
  }

  /** Into a folder of its own in `unexplained`; null if there is nothing to move. */
  async setAside(key: ShardKey): Promise<string | null> {
    const from = folderOf(key)
    if ((await this.#disk.list(from)).length === 0) return null
    await this.#disk.makeFolder('unexplained')
    await this.syncFolder('')
    const taken = new Set(await this.#disk.list('unexplained'))
    let k = 1
    while (taken.has(`${key.volume}-${key.shard}-${k}`)) k++
    const to = `unexplained/${key.volume}-${key.shard}-${k}`
    await this.#disk.rename(from, to)
    await this.syncFolder('unexplained')
    await this.syncFolder(`data/${key.volume}`)
    return to
  }

  /** Of volumes that are gone; only at the start, when nobody is about to put something in. */
  async removeEmptyFolders(): Promise<void> {
    for (const volume of await this.#folders('data')) {
      const folder = `data/${volume}`
      if ((await this.#disk.list(folder)).length === 0) await this.#disk.remove(folder)
    }
  }

  async #folders(folder: string): Promise<number[]> {
    const names = await this.#disk.list(folder)
    return names.filter(name => /^\d+$/.test(name)).map(Number)
  }
}

export function folderOf({ volume, shard }: ShardKey): string {
  return `data/${volume}/${shard}`
}
