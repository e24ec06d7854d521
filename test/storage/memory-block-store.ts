// A block store in memory for tests of replication: calls take effect at once, in the order in
// which they are made, and end some time later by the clock. A crash keeps what was flushed and any
// part of the rest; writes can be made to fail, blocks to go bad.
import { crc32 } from 'node:zlib'
import { blockIndex, epoch, type BlockIndex, type Epoch } from '../../src/base/brands.js'
import { wait, type Clock } from '../../src/base/clock.js'
import { SwarmdiskError } from '../../src/base/errors.js'
import { BLOCK_BYTES, BLOCKS_PER_INDEX_PAGE, INDEX_ENTRY_BYTES } from '../../src/base/limits.js'
import type {
  BlockStore,
  CopiedEntries,
  CorruptBlock,
  IndexEntry,
  ReadResult,
  ShardStore,
} from '../../src/storage/shard-store.js'
import { FIRST_LAYER } from '../../src/layout/layers.js'
import { encodeEntry, ZEROES_CHECKSUM } from '../../src/storage/store/layer-format.js'
import type { SeededRandom } from '../simulator/seeded-random.js'

interface Content {
  readonly entry: IndexEntry
  readonly data: Uint8Array
  bad: boolean
}

const ABSENT: Content = {
  entry: { state: 'absent', epoch: epoch(0), checksum: 0 },
  data: new Uint8Array(BLOCK_BYTES),
  bad: false,
}

type Name = Parameters<BlockStore['openShard']>[0]

export class MemoryBlockStore implements BlockStore {
  readonly shards = new Map<string, MemoryShardStore>()
  readonly setAsides: string[] = []
  #clock: Clock
  readonly #random: SeededRandom

  constructor(clock: Clock, random: SeededRandom) {
    this.#clock = clock
    this.#random = random
  }

  async delay(): Promise<void> {
    await wait(this.#clock, this.#random.below(300) / 100)
  }

  /** The process that used it is dead; another one uses it now. */
  crashed(clock: Clock): void {
    this.#clock = clock
    for (const shard of this.shards.values()) shard.loseUnflushed(this.#random)
  }

  shard(volume: number, shard: number): MemoryShardStore {
    const found = this.shards.get(`${volume}/${shard}`)
    if (!found) throw new Error('no such shard')
    return found
  }

  async openShard({ volume, shard }: Name): Promise<ShardStore> {
    await this.delay()
    const key = `${volume}/${shard}`
    const store = this.shards.get(key) ?? new MemoryShardStore(() => this.delay())
    this.shards.set(key, store)
    return store
  }

  cloneShard(): Promise<boolean> {
    return Promise.reject(new Error('this store has one layer'))
  }

  stored(): Promise<readonly Name[]> {
    const names = [...this.shards.keys()].map(key => key.split('/').map(Number))
    return Promise.resolve(names.map(([volume = 0, shard = 0]) => ({ volume, shard })))
  }

  async dropShard({ volume, shard }: Name): Promise<void> {
    await this.delay()
    this.shards.delete(`${volume}/${shard}`)
  }

  async setAside({ volume, shard }: Name): Promise<void> {
    await this.delay()
    this.shards.delete(`${volume}/${shard}`)
    this.setAsides.push(`${volume}/${shard}`)
  }

  used(): number {
    return [...this.shards.values()].reduce((sum, shard) => sum + shard.used(), 0)
  }

  async close(): Promise<void> {
    await Promise.all([...this.shards.values()].map(shard => shard.flush()))
  }
}

export class MemoryShardStore implements ShardStore {
  readonly layers = [FIRST_LAYER]
  readonly #delay: () => Promise<void>
  readonly #blocks = new Map<number, Content>()
  #durable = new Map<number, Content>()
  #unflushed = new Map<number, Content[]>()
  /** The next writes that fail, as on a full disk. */
  failWrites = 0
  /** The next flushes that fail, and make nothing durable. */
  failFlushes = 0
  /** Writes end, or fail, in the turn of the call. */
  prompt = false
  flushes = 0
  adopted = 0
  /** Holds back the end of calls while it is set. */
  gate: Promise<void> | null = null

  constructor(delay: () => Promise<void>) {
    this.#delay = async () => {
      await delay()
      if (this.gate) await this.gate
    }
  }

  async read(block: BlockIndex, into: Uint8Array): Promise<ReadResult> {
    const corrupt: CorruptBlock[] = []
    for (let i = 0; i < into.byteLength / BLOCK_BYTES; i++) {
      const { data, bad } = this.#at(block + i)
      if (bad) corrupt.push({ block: blockIndex(block + i), layer: FIRST_LAYER.id })
      into.set(bad ? ABSENT.data : data, i * BLOCK_BYTES)
    }
    await this.#delay()
    return { corrupt }
  }

  readLayer(_layer: number, block: BlockIndex, into: Uint8Array): Promise<ReadResult> {
    return this.read(block, into)
  }

  prepareLayers(): Promise<void> {
    return Promise.reject(new Error('this store has one layer'))
  }

  setLayers(): void {
    throw new Error('this store has one layer')
  }

  write(block: BlockIndex, data: Uint8Array, at: Epoch): Promise<void> | null {
    const fails = this.failWrites > 0
    if (fails) this.failWrites--
    else {
      for (let i = 0; i < data.byteLength / BLOCK_BYTES; i++) {
        const bytes = data.slice(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
        const zero = bytes.every(byte => byte === 0)
        const entry: IndexEntry = zero
          ? { state: 'zeroes', epoch: at, checksum: ZEROES_CHECKSUM }
          : { state: 'data', epoch: at, checksum: crc32(bytes) }
        this.#put(block + i, { entry, data: bytes, bad: false })
      }
    }
    const end = (): void => {
      if (fails) throw new SwarmdiskError('disk-full', 'the disk is full: make space')
    }
    if (!this.prompt) return this.#delay().then(end)
    end()
    return null
  }

  async adopt(_layer: number, block: BlockIndex, copy: CopiedEntries): Promise<void> {
    const { entries, payload } = copy
    let at = 0
    entries.forEach((entry, i) => {
      let data = ABSENT.data
      if (entry.state === 'data') data = payload.slice(at, (at += BLOCK_BYTES))
      if (entry.state === 'data' && crc32(data) !== entry.checksum) throw new Error('bad copy')
      this.adopted++
      this.#put(block + i, { entry, data, bad: false })
    })
    await this.#delay()
  }

  async flush(): Promise<void> {
    if (this.failFlushes > 0) {
      this.failFlushes--
      await this.#delay()
      throw new SwarmdiskError('disk-error', 'the disk does not take it')
    }
    const durable = new Map(this.#blocks)
    const unflushed = this.#unflushed
    this.#unflushed = new Map()
    await this.#delay()
    this.flushes++
    this.#durable = durable
    unflushed.clear()
  }

  pageCount(): number {
    const last = Math.max(-1, ...this.#blocks.keys())
    return Math.floor(last / BLOCKS_PER_INDEX_PAGE) + 1
  }

  async summaries(
    _layer: number,
    { first, count }: { readonly first: number; readonly count: number },
  ): Promise<readonly { readonly page: number; readonly hash: Uint8Array }[]> {
    const summaries = []
    for (let page = first; page < Math.min(first + count, this.pageCount()); page++) {
      const bytes = this.#page(page)
      if (bytes.every(byte => byte === 0)) continue
      const hash = Buffer.alloc(4)
      hash.writeUInt32LE(crc32(bytes))
      summaries.push({ page, hash })
    }
    await this.#delay()
    return summaries
  }

  async indexPage(_layer: number, page: number): Promise<Uint8Array> {
    const bytes = this.#page(page)
    await this.#delay()
    return bytes
  }

  used(): number {
    return this.#blocks.size * BLOCK_BYTES
  }

  isKnownEmpty(): boolean {
    return false
  }

  merging(): null {
    return null
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  // ---- for tests ------------------------------------------------------------------------------

  /** Without delay and without looking at checksums. */
  peek(block: number): { readonly first: number; readonly entry: IndexEntry } {
    const { data, entry } = this.#at(block)
    return { first: data[0] ?? 0, entry }
  }

  /** Content and entries of all blocks, for comparison. */
  picture(): string {
    const blocks = [...this.#blocks].filter(([, { entry }]) => entry.state !== 'absent')
    const sorted = blocks.sort(([a], [b]) => a - b)
    return sorted
      .map(([block, { entry }]) => `${block}:${entry.state}:${entry.epoch}:${entry.checksum}`)
      .join(' ')
  }

  spoil(block: number): void {
    this.#at(block).bad = true
  }

  putBlock(block: number, fill: number, at: Epoch): void {
    const data = new Uint8Array(BLOCK_BYTES).fill(fill)
    this.#put(block, {
      entry: { state: 'data', epoch: at, checksum: crc32(data) },
      data,
      bad: false,
    })
  }

  loseUnflushed(random: SeededRandom): void {
    this.#blocks.clear()
    for (const [block, content] of this.#durable) this.#blocks.set(block, content)
    for (const [block, contents] of this.#unflushed) {
      if (random.chance(0.5)) this.#blocks.set(block, random.pick(contents))
    }
    this.#unflushed.clear()
  }

  #at(block: number): Content {
    return this.#blocks.get(block) ?? ABSENT
  }

  #put(block: number, content: Content): void {
    this.#blocks.set(block, content)
    this.#unflushed.set(block, [...(this.#unflushed.get(block) ?? []), content])
  }

  #page(page: number): Uint8Array {
    const bytes = new Uint8Array(BLOCKS_PER_INDEX_PAGE * INDEX_ENTRY_BYTES)
    for (let slot = 0; slot < BLOCKS_PER_INDEX_PAGE; slot++) {
      encodeEntry(bytes, slot, this.#at(page * BLOCKS_PER_INDEX_PAGE + slot).entry)
    }
    return bytes
  }
}
