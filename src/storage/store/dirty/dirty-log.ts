// The dirty regions of all shards of a server, in one log: so that first writes to regions of any
// shard that come together share one sync. A region is in the log, durably, before its first write
// since it was last durable; after an unclean stop exactly these regions are looked at.
//
// That a region became clean is appended with the next records and never synced by itself: if the
// note is lost, a durable region is looked at once more, and found in order.
import { assert } from '../../../base/assert.js'
import { SwarmdiskError } from '../../../base/errors.js'
import { DURABLE_FILE_BYTES_MAX } from '../../../base/limits.js'
import type { Log } from '../../../base/log.js'
import type { Disk, DiskFile } from '../../../disk/disk.js'
import { readWhole, writeReplacing } from '../../../disk/durable-file.js'
import { Coalesced } from '../../../base/coalesced.js'
import {
  decodeLog,
  encodeLogHeader,
  encodeRecords,
  recordBytes,
  type LogRecord,
  type RegionName,
} from './dirty-log-format.js'
import type { LayerName } from '../layer-format.js'

type DirtyRecord = Extract<LogRecord, { kind: 'dirty' }>

export const DIRTY_LOG_PATH = 'data/dirty.log'

export interface DirtyLogOptions {
  readonly disk: Disk
  readonly log: Log
  /** Rewritten above this size, if half of it is no longer needed. */
  readonly bytes: number
}

export class DirtyLog {
  readonly #options: DirtyLogOptions
  readonly #live = new Map<string, DirtyRecord>()
  #liveBytes = 0
  readonly #writer = new Coalesced(() => this.#commit())
  #queue: LogRecord[] = []
  #file: DiskFile | null = null
  #number = 0
  #records = 0
  #position = 0
  /** After an append that failed nobody knows what the tail looks like. */
  #rewrite = true

  private constructor(options: DirtyLogOptions) {
    this.#options = options
  }

  /** With the regions that an unclean stop left behind. The folder must exist. */
  static async open(options: DirtyLogOptions): Promise<DirtyLog> {
    const log = new DirtyLog(options)
    const bytes = await readWhole(options.disk, DIRTY_LOG_PATH, DURABLE_FILE_BYTES_MAX)
    if (bytes) {
      const { number, records, cut } = decodeLog(DIRTY_LOG_PATH, bytes)
      log.#number = number
      for (const record of records) log.#note(record)
      if (cut > 0) options.log.info('torn tail of the dirty-region log was cut', { bytes: cut })
    }
    return log
  }

  /** Regions that are dirty now. */
  get size(): number {
    return this.#live.size
  }

  regions(): DirtyRecord[] {
    return [...this.#live.values()]
  }

  /** Resolves when all of them are durably in the log. */
  add(
    regions: readonly { readonly region: RegionName; readonly undo: Uint8Array | null }[],
  ): Promise<void> {
    for (const { region, undo } of regions) this.#enqueue({ kind: 'dirty', region, undo })
    return this.#writer.request()
  }

  /** These regions are durable. Costs no write of its own: it is written with what comes next. */
  remove(regions: readonly RegionName[]): void {
    for (const region of regions) {
      if (this.#live.has(keyOf(region))) this.#enqueue({ kind: 'clean', region })
    }
  }

  /** A layer is deleted: nothing of it will be looked at any more. */
  removeLayer(name: LayerName): void {
    const mine = this.regions().filter(({ region }) => sameLayer(region, name))
    this.remove(mine.map(({ region }) => region))
  }

  /** The same for all layers of a shard. */
  removeShard({ volume, shard }: Omit<LayerName, 'layer'>): void {
    const mine = this.regions().filter(
      ({ region }) => region.volume === volume && region.shard === shard,
    )
    this.remove(mine.map(({ region }) => region))
  }

  /** Writes down what waits, if anything does. */
  note(): Promise<void> {
    return this.#queue.length > 0 ? this.#writer.request() : Promise.resolve()
  }

  /** Leaves only what is dirty now: nothing, at a clean stop. */
  compact(): Promise<void> {
    this.#rewrite = true
    return this.#writer.request()
  }

  async close(): Promise<void> {
    await this.compact()
    await this.#file?.close()
    this.#file = null
  }

  #enqueue(record: LogRecord): void {
    this.#queue.push(record)
    this.#note(record)
  }

  #note(record: LogRecord): void {
    const key = keyOf(record.region)
    const old = this.#live.get(key)
    if (old) this.#liveBytes -= recordBytes(old)
    this.#live.delete(key)
    if (record.kind === 'clean') return
    this.#live.set(key, record)
    this.#liveBytes += recordBytes(record)
  }

  async #commit(): Promise<void> {
    const queue = this.#queue
    this.#queue = []
    const large = this.#position > this.#options.bytes && this.#position > 2 * this.#liveBytes
    if (this.#rewrite || large) {
      await this.#replace()
    } else if (queue.length > 0) {
      await this.#append(queue)
    }
  }

  async #append(queue: readonly LogRecord[]): Promise<void> {
    const bytes = encodeRecords(queue, { log: this.#number, first: this.#records })
    assert(this.#file, 'the log is open')
    this.#rewrite = true
    await this.#file.write(bytes, this.#position)
    await this.#file.sync()
    this.#rewrite = false
    this.#position += bytes.length
    this.#records += queue.length
  }

  async #replace(): Promise<void> {
    this.#rewrite = true
    const { disk } = this.#options
    const number = (this.#number + 1) >>> 0
    const live = this.regions()
    const records = encodeRecords(live, { log: number, first: 0 })
    const bytes = Buffer.concat([encodeLogHeader(number), records])
    await writeReplacing(disk, DIRTY_LOG_PATH, bytes)
    await this.#file?.close()
    this.#file = await disk.open(DIRTY_LOG_PATH, 'existing')
    if (!this.#file) throw new SwarmdiskError('disk-error', `${DIRTY_LOG_PATH} has vanished`)
    this.#number = number
    this.#records = live.length
    this.#position = bytes.length
    this.#rewrite = false
  }
}

function keyOf({ volume, shard, layer, page }: RegionName): string {
  return `${volume}/${shard}/${layer}/${page}`
}

export function sameLayer(a: LayerName, b: LayerName): boolean {
  return a.volume === b.volume && a.shard === b.shard && a.layer === b.layer
}
