// One read of one shard, from its head or from a layer that is frozen.
import type { ByteCount, ByteOffset, Epoch, ShardIndex, VolumeId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import type { DataReply, ReadRequest } from '../../net/messages.js'
import type { ClientContext } from '../context.js'
import { RequestLife, type Call } from './request-life.js'
import type { ShardOutlook } from './shard-outlook.js'
import type { ShardRequest } from './shard-request.js'

/** What is read, in the shard's own space, and where to put it. */
export interface ReadRange {
  readonly offset: ByteOffset
  readonly length: ByteCount
  /** Written to in the turn in which the content is valid, from this place on. */
  readonly into: Uint8Array
  readonly from: number
}

export interface ShardRead {
  readonly request: ShardRequest
  readonly name: { readonly volume: VolumeId; readonly shard: ShardIndex }
  /** HEAD, or that of a snapshot. */
  readonly layer: number
  readonly range: ReadRange
}

export function readShard(
  context: ClientContext,
  shard: ShardOutlook,
  read: ShardRead,
): Promise<void> {
  return new RequestLife(context, shard, new ReadCall(context, read)).run()
}

class ReadCall implements Call {
  readonly replay = false
  readonly request: ShardRequest
  readonly bytes: number
  readonly #context: ClientContext
  readonly #read: ShardRead

  constructor(context: ClientContext, read: ShardRead) {
    this.#context = context
    this.#read = read
    this.request = read.request
    this.bytes = read.range.length
  }

  message(epoch: Epoch): ReadRequest {
    const { name, layer, range } = this.#read
    const { offset, length } = range
    return { volume: name.volume, shard: name.shard, epoch, layer, offset, length }
  }

  accepted({ payload }: DataReply): void {
    const { into, from, length } = this.#read.range
    if (payload.length !== length) {
      throw new SwarmdiskError('protocol', 'A storage server answered a read in part.')
    }
    into.set(payload, from)
    this.#context.memory.give(payload)
  }
}
