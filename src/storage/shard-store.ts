// One replica's blocks of one shard on its disk (design §5). (Contract; the implementation and the
// on-disk format are in src/storage/store/.) Calls whose ranges overlap take effect in the order in
// which they were made; a read sees every write called before it. Blocks count from the start of
// the shard's own space. Failures to read or write are SwarmdiskErrors 'disk-full', 'disk-error'.
import type { BlockIndex, ByteCount, Epoch } from '../base/brands.js'
import type { LayerRecord } from '../layout/layers.js'

export type BlockState = 'absent' | 'data' | 'zeroes'

export interface IndexEntry {
  readonly state: BlockState
  readonly epoch: Epoch
  readonly checksum: number
}

/** A block whose checksum does not match, in the layer where a read found it. */
export interface CorruptBlock {
  readonly block: BlockIndex
  readonly layer: number
}

export interface ReadResult {
  /** `into` holds zeroes there, and nobody may use them. */
  readonly corrupt: readonly CorruptBlock[]
}

export interface PageSummaryEntry {
  readonly page: number
  readonly hash: Uint8Array
}

/**
 * Layers have the numbers that the configuration gives them. What a layer holds is what it shows
 * here, whatever files it is made of while absorbed layers are being merged (docs/on-disk-format).
 */
export interface ShardStore {
  /** The layers from now on; the last one is the head. */
  readonly layers: readonly LayerRecord[]
  /**
   * Makes the files that these layers need and that are not there yet, durably; changes nothing
   * else. Called, and ended, before setLayers() with the same layers.
   */
  prepareLayers(layers: readonly LayerRecord[]): Promise<void>
  /**
   * In the turn of the call: writes go to the new head. The old one must be quiet, unless it goes.
   * What was absorbed is merged, and what no layer covers any more is deleted, in the background.
   */
  setLayers(layers: readonly LayerRecord[]): void
  /**
   * Fills `into` (whole blocks) with what is seen from this layer, by default the head: a block
   * that is absent there is looked for in its parent, and so on. Absent everywhere, and zeroes,
   * reads as zeroes.
   */
  read(block: BlockIndex, into: Uint8Array, layer?: number): ReadResult | Promise<ReadResult>
  /**
   * Only what this layer holds itself: what is absent there reads as zeroes. For scans: they push
   * no index page of others out of memory.
   */
  readLayer(layer: number, block: BlockIndex, into: Uint8Array): Promise<ReadResult>
  /**
   * Whole blocks of data, into the head. A block that is all zeroes becomes a `zeroes` mark and
   * takes no space. Null: it is stored, in this turn, as most small ones are; a failure may be
   * thrown as well as rejected.
   */
  write(block: BlockIndex, data: Uint8Array, epoch: Epoch): Promise<void> | null
  /**
   * Copies blocks as another replica has them in this layer, entry and all (`absent`, too);
   * `payload` holds the `data` ones.
   */
  adopt(layer: number, block: BlockIndex, copy: CopiedEntries): Promise<void>
  /** What calls made before this one have written, in any layer, is durable when it resolves. */
  flush(): Promise<void>
  /** One past the last index page of the layer that has an entry. */
  pageCount(layer: number): number
  /**
   * Summaries of the layer's pages in [first, first + count) that have any entry; only those found
   * so far if the layer goes meanwhile.
   */
  summaries(
    layer: number,
    pages: { readonly first: number; readonly count: number },
  ): Promise<readonly PageSummaryEntry[]>
  /** The 512 entries of one index page of a layer as 4096 bytes (docs/on-disk-format.md). */
  indexPage(layer: number, page: number): Promise<Uint8Array>
  /** That the layer has no entry in this page, if that is known without looking. */
  isKnownEmpty(layer: number, page: number): boolean
  /** Bytes of disk taken by this shard. */
  used(): number
  /** Null when every layer is one file. */
  merging(): MergeProgress | null
  close(): Promise<void>
}

export interface MergeProgress {
  /** Files that will be gone. */
  readonly files: number
  /** To be copied, about. */
  readonly bytesLeft: ByteCount
}

export interface CopiedEntries {
  readonly entries: readonly IndexEntry[]
  readonly payload: Uint8Array
}

export interface CloneSource {
  /** Older than the clone. */
  readonly volume: number
  /** All frozen. */
  readonly layers: readonly LayerRecord[]
}

/** All shards of one storage server. */
export interface BlockStore {
  /**
   * Opens, or creates, with these layers; files of layers that are gone are deleted. The same
   * object for the same shard while it is open, with the layers that it has by then.
   */
  openShard(
    name: { readonly volume: number; readonly shard: number },
    layers: readonly LayerRecord[],
  ): Promise<ShardStore>
  /**
   * A new shard begins with what the same shard of another volume has of these layers, without
   * copying: files of both are the same until one of them is written. Does nothing where there are
   * files of it already, or none of the other. Whole and durable, or not at all; true if every
   * one of these layers is there then.
   */
  cloneShard(
    name: { readonly volume: number; readonly shard: number },
    from: CloneSource,
  ): Promise<boolean>
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
