// One shard of a comparison of two points in time: where it lives now, and what its servers say of
// the blocks that may differ. Nothing is written, so there is nothing to replay, and a deleted
// snapshot ends it.
import { assert } from '../../base/assert.js'
import type { BlockIndex, ShardIndex, VolumeId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import type { SnapshotRecord, VolumeRecord } from '../../layout/configuration.js'
import type { BlockSpan } from '../../layout/geometry.js'
import { headOf } from '../../layout/layers.js'
import { decode } from '../../net/codecs/codec.js'
import { heldAnswer } from '../../net/codecs/messages.js'
import type { HeldAnswer } from '../../net/messages.js'
import { layersBetween } from '../../snapshot/difference.js'
import type { ClientContext } from '../context.js'
import { RequestLife } from '../shard/request-life.js'
import { AskedServers } from '../shard/routing.js'
import { volumeGone } from '../shard/shard-line.js'
import type { ShardOutlook, ShardView } from '../shard/shard-outlook.js'
import type { ShardRequest } from '../shard/shard-request.js'
import { hasSnapshot, snapshotGone } from './snapshot-line.js'

export interface Comparison {
  readonly volume: VolumeId
  readonly volumeName: string
  /** Null: nothing, a volume of holes. */
  readonly from: SnapshotRecord | null
  /** Null: the volume as it is. */
  readonly to: SnapshotRecord | null
}

export class ChangeLine implements ShardOutlook {
  readonly replaying = false
  readonly justWritten = false
  readonly asked = new AskedServers()
  readonly #context: ClientContext
  readonly #comparison: Comparison
  readonly #shard: ShardIndex

  constructor(context: ClientContext, comparison: Comparison, shard: ShardIndex) {
    this.#context = context
    this.#comparison = comparison
    this.#shard = shard
  }

  look(): ShardView {
    const { configuration, volume } = this.#known()
    const allocation = volume.shards[this.#shard]
    assert(allocation, 'a shard of this volume')
    return { configuration, allocation }
  }

  /** A new configuration; null: the volume is gone. */
  reconsider(volume: VolumeRecord | null): void {
    const allocation = volume?.shards[this.#shard]
    if (allocation) this.asked.reconsider(allocation)
    else this.asked.endAll()
  }

  replayed(done: () => void): () => void {
    done()
    return () => undefined
  }

  /** Of the blocks of this span, in the shard's own space; perhaps not of all of them. */
  async ask(span: BlockSpan): Promise<HeldAnswer> {
    const { volume, volumeName } = this.#comparison
    const { pending } = this.#context
    const request = pending.begin({ kind: 'read', volume, volumeName, shard: this.#shard })
    try {
      return await this.#bounded(request, this.#ask(request, span))
    } finally {
      pending.end(request)
    }
  }

  async #ask(request: ShardRequest, span: BlockSpan): Promise<HeldAnswer> {
    const name = { volume: this.#comparison.volume, shard: this.#shard }
    let answer: HeldAnswer | null = null
    await new RequestLife(this.#context, this, {
      request,
      operation: 'held-blocks',
      replay: false,
      bytes: 0,
      // By the configuration with which it is sent: layers may have been absorbed meanwhile.
      message: epoch => ({ ...name, epoch, layers: this.#layers(), ...span }),
      accepted: ({ payload }) => {
        answer = checkedAnswer(decode(heldAnswer, payload), span)
      },
    }).run()
    assert(answer, 'a request that was decided has an answer')
    return answer
  }

  async #bounded<T>(request: ShardRequest, work: Promise<T>): Promise<T> {
    const { ioTimeout, clock } = this.#context
    if (ioTimeout === null) return work
    const timer = clock.after(ioTimeout, () => {
      const text =
        `A question about volume ${this.#comparison.volumeName} was held for ` +
        `${ioTimeout / 1000} s and given up (--io-timeout).`
      request.cancel(new SwarmdiskError('io-timeout', text))
    })
    try {
      return await work
    } finally {
      timer.cancel()
    }
  }

  #layers(): readonly number[] {
    const { from, to } = this.#comparison
    const { layers } = this.#known().volume
    const ends = { from: from?.layer ?? null, to: to?.layer ?? headOf(layers).id }
    return layersBetween(layers, ends).layers
  }

  #known(): Pick<ShardView, 'configuration'> & { readonly volume: VolumeRecord } {
    const { volume: id, volumeName, from, to } = this.#comparison
    const configuration = this.#context.watch.current()
    const volume = configuration?.volumes.get(id)
    if (!configuration || !volume) throw volumeGone(volumeName)
    for (const end of [from, to]) {
      if (end === null) continue
      const name = { volume: id, volumeName, snapshot: end.name, layer: end.layer }
      if (!hasSnapshot(volume, name)) throw snapshotGone(name)
    }
    return { configuration, volume }
  }
}

function checkedAnswer(answer: HeldAnswer, { block, blocks }: BlockSpan): HeldAnswer {
  let at: BlockIndex | number = block
  for (const range of answer.ranges) {
    if (range.block < at) throw unreasonable()
    at = range.block + range.blocks
  }
  if (answer.end <= block || answer.end < at || answer.end > block + blocks) throw unreasonable()
  return answer
}

function unreasonable(): SwarmdiskError {
  return new SwarmdiskError(
    'protocol',
    'A storage server answered with blocks that it was not asked for: do all hosts run the same ' +
      'release of swarmdisk?',
  )
}
