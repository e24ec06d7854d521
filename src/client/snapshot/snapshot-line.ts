// One shard of an open snapshot: where it lives now. Nothing is ever written to it, so there is
// nothing to replay, to flush or to keep in order, and it does not matter who is attached.
import { assert } from '../../base/assert.js'
import type { ShardIndex, VolumeId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import type { VolumeRecord } from '../../layout/configuration.js'
import type { ClientContext } from '../context.js'
import { AskedServers } from '../shard/routing.js'
import { volumeGone } from '../shard/shard-line.js'
import type { ShardOutlook, ShardView } from '../shard/shard-outlook.js'
import { readShard, type ReadRange } from '../shard/shard-read.js'
import type { ShardRequest } from '../shard/shard-request.js'

export interface SnapshotName {
  readonly volume: VolumeId
  readonly volumeName: string
  readonly snapshot: string
  /** By this it is told from another one that has got its name. */
  readonly layer: number
}

export class SnapshotLine implements ShardOutlook {
  readonly replaying = false
  readonly justWritten = false
  readonly asked = new AskedServers()
  readonly #context: ClientContext
  readonly #name: SnapshotName & { readonly shard: ShardIndex }

  constructor(context: ClientContext, name: SnapshotName & { readonly shard: ShardIndex }) {
    this.#context = context
    this.#name = name
  }

  begin(): ShardRequest {
    const { volume, volumeName, shard } = this.#name
    return this.#context.pending.begin({ kind: 'read', volume, volumeName, shard })
  }

  look(): ShardView {
    const configuration = this.#context.watch.current()
    const volume = configuration?.volumes.get(this.#name.volume)
    if (!configuration || !volume) throw volumeGone(this.#name.volumeName)
    if (!hasSnapshot(volume, this.#name)) throw snapshotGone(this.#name)
    const allocation = volume.shards[this.#name.shard]
    assert(allocation, 'a shard of this volume')
    return { configuration, allocation }
  }

  /** A new configuration; null: the snapshot is gone, and whoever asks for it learns that now. */
  reconsider(volume: VolumeRecord | null): void {
    const allocation = volume?.shards[this.#name.shard]
    if (allocation) this.asked.reconsider(allocation)
    else this.asked.endAll()
  }

  replayed(done: () => void): () => void {
    done()
    return () => undefined
  }

  read(request: ShardRequest, range: ReadRange): Promise<void> {
    const { layer } = this.#name
    return readShard(this.#context, this, { request, name: this.#name, layer, range })
  }
}

export function hasSnapshot({ snapshots }: VolumeRecord, name: SnapshotName): boolean {
  return snapshots.some(known => known.name === name.snapshot && known.layer === name.layer)
}

export function snapshotGone({ volumeName, snapshot }: SnapshotName): SwarmdiskError {
  return new SwarmdiskError(
    'not-found',
    `Snapshot ${volumeName}@${snapshot} does not exist any more.`,
  )
}
