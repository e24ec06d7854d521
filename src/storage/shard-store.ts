// One replica's blocks of one shard on its disk (design §5). (Contract; the implementation and the
// on-disk format are in src/storage/store/.) Calls whose ranges overlap take effect in the order in
// which they were made; a read sees every write called before it. Blocks count from the start of
// the shard's own space. Failures to read or write are SwarmdiskErrors 'disk-full', 'disk-error'.
import type { BlockIndex, Epoch } from '../base/brands.js'

export type BlockState = 'absent' | 'data' | 'zeroes'

export interface IndexEntry {
  readonly state: BlockState
  readonly epoch: Epoch
  readonly checksum: number
}

export interface ReadResult {
  /** Blocks whose checksum does not match: `into` holds zeroes there, and nobody may use them. */
  readonly corrupt: readonly BlockIndex[]
}

export interface PageSummaryEntry {
  readonly page: number
  readonly hash: Uint8Array
}

export interface ShardStore {
  /** Fills `into` (whole blocks). Absent blocks and zeroes read as zeroes. */
  read(block: BlockIndex, into: Uint8Array): Promise<ReadResult>
  /**
   * Whole blocks of data. A block that is all zeroes becomes a `zeroes` mark and takes no space.
   */
  write(block: BlockIndex, data: Uint8Array, epoch: Epoch): Promise<void>
  /** Copies blocks as another replica has them, entry and all; `payload` holds the `data` ones. */
  adopt(block: BlockIndex, entries: readonly IndexEntry[], payload: Uint8Array): Promise<void>
  /** Everything written by calls made before this one is durable when it resolves. */
  flush(): Promise<void>
  /** One past the last index page that has an entry. */
  pageCount(): number
  /** Summaries of the pages in [first, first + count) that have any entry. */
  summaries(first: number, count: number): Promise<readonly PageSummaryEntry[]>
  /** The 512 entries of one index page as 4096 bytes (format: docs/on-disk-format.md). */
  indexPage(page: number): Promise<Uint8Array>
  /** Bytes of disk taken by this shard. */
  used(): number
  close(): Promise<void>
}

/** All shards of one storage server. */
export interface BlockStore {
  /** Opens or creates; the same object for the same shard while it is open. */
  openShard(name: { readonly volume: number; readonly shard: number }): Promise<ShardStore>
  /** Volumes and shards that have files here, opened or not. */
  stored(): Promise<readonly { readonly volume: number; readonly shard: number }[]>
  /** Closes and deletes one shard's files. */
  dropShard(name: { readonly volume: number; readonly shard: number }): Promise<void>
  /** Moves a shard's files aside (folder `unexplained/`), never deletes. */
  setAside(name: { readonly volume: number; readonly shard: number }): Promise<void>
  used(): number
  /** Flushes and closes everything: a clean stop. */
  close(): Promise<void>
}
