// One read of one shard, from its head or from a layer that is frozen.
import type { ByteCount, ByteOffset, ShardIndex, VolumeId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import type { ClientContext } from '../context.js'
import { RequestLife } from './request-life.js'
import type { ShardOutlook } from './shard-outlook.js'
import type { ShardRequest } from './shard-request.js'

export interface ShardRead {
  readonly request: ShardRequest
  readonly name: { readonly volume: VolumeId; readonly shard: ShardIndex }
  /** HEAD, or that of a snapshot. */
  readonly layer: number
  /** In the shard's own space. */
  readonly range: { readonly offset: ByteOffset; readonly length: ByteCount }
  /** Gets the content in the turn in which it is valid. */
  accept(content: Uint8Array): void
}

export async function readShard(
  context: ClientContext,
  shard: ShardOutlook,
  read: ShardRead,
): Promise<void> {
  const { request, name, layer, range } = read
  const life = new RequestLife(context, shard, {
    request,
    replay: false,
    bytes: range.length,
    message: epoch => ({ volume: name.volume, shard: name.shard, epoch, layer, ...range }),
    accepted: ({ payload }) => {
      if (payload.length !== range.length) {
        throw new SwarmdiskError('protocol', 'A storage server answered a read in part.')
      }
      read.accept(payload)
    },
  })
  await life.run()
}
