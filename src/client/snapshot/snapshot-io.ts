// One open snapshot: splits reads at extents, bounds what is outstanding, and says once in the log
// when it was deleted under somebody who reads it. All that differs from reading a volume is which
// layer is asked for, and that nothing can have changed.
import { assert } from '../../base/assert.js'
import type { ByteCount, ByteOffset, ShardIndex } from '../../base/brands.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { CLIENT_WINDOW_BYTES, CLIENT_WINDOW_REQUESTS } from '../../base/limits.js'
import type { SnapshotRecord, VolumeRecord } from '../../layout/configuration.js'
import type { Piece } from '../../layout/geometry.js'
import { boundedCall } from '../bounded-call.js'
import type { ClientContext } from '../context.js'
import { piecesOf } from '../pieces.js'
import type { ShardRequest } from '../shard/shard-request.js'
import type { OpenSnapshot } from '../volume-driver.js'
import { Window } from '../window.js'
import { hasSnapshot, snapshotGone, SnapshotLine, type SnapshotName } from './snapshot-line.js'

interface Part {
  readonly piece: Piece
  readonly request: ShardRequest
  readonly line: SnapshotLine
  /** In the caller's buffer. */
  readonly from: number
}

export class SnapshotIo implements OpenSnapshot {
  readonly volume: string
  readonly name: string
  readonly size: ByteCount
  readonly at: string
  readonly #context: ClientContext
  readonly #snapshot: SnapshotName
  readonly #shards: number
  readonly #lines = new Map<ShardIndex, SnapshotLine>()
  readonly #window = new Window({ requests: CLIENT_WINDOW_REQUESTS, bytes: CLIENT_WINDOW_BYTES })
  #gone = false
  #saidGone = false

  constructor(context: ClientContext, volume: VolumeRecord, snapshot: SnapshotRecord) {
    const { name, layer, at, size } = snapshot
    this.#context = context
    this.volume = volume.name
    this.name = name
    this.size = size
    this.at = at
    this.#shards = volume.shards.length
    this.#snapshot = { volume: volume.id, volumeName: volume.name, snapshot: name, layer }
  }

  async read(offset: ByteOffset, into: Uint8Array): Promise<void> {
    try {
      await this.#read(offset, into)
    } catch (error) {
      if (isSwarmdiskError(error, 'not-found')) this.#sayGone()
      throw error
    }
  }

  /** With every configuration; false when this snapshot is gone for good. */
  reconfigured(volume: VolumeRecord | null): boolean {
    const here = volume !== null && hasSnapshot(volume, this.#snapshot)
    this.#gone ||= !here
    for (const line of this.#lines.values()) line.reconsider(here ? volume : null)
    return here
  }

  async #read(offset: ByteOffset, into: Uint8Array): Promise<void> {
    this.#context.pending.check()
    if (this.#gone) throw snapshotGone(this.#snapshot)
    assert(offset + into.length <= this.size, 'a read within the snapshot')
    const parts = this.#parts(offset, into.length)
    const { pending } = this.#context
    const work = Promise.all(
      parts.map(part => this.#readPart(part, into).finally(() => pending.end(part.request))),
    )
    const what = `A read of snapshot ${this.volume}@${this.name}`
    await boundedCall(this.#context, { what, requests: parts.map(part => part.request) }, work)
  }

  #parts(offset: ByteOffset, length: number): readonly Part[] {
    return piecesOf({ offset, length }, this.#shards).map(piece => {
      const line = this.#line(piece.shard)
      return { piece, line, request: line.begin(), from: piece.offset - offset }
    })
  }

  async #readPart({ piece, request, line, from }: Part, into: Uint8Array): Promise<void> {
    await request.waitFor(done => this.#window.enter(piece.length, done))
    try {
      await line.read(request, { offset: piece.shardOffset, length: piece.length, into, from })
    } finally {
      this.#window.leave(piece.length)
    }
  }

  #line(shard: ShardIndex): SnapshotLine {
    const known = this.#lines.get(shard)
    if (known) return known
    const line = new SnapshotLine(this.#context, { ...this.#snapshot, shard })
    this.#lines.set(shard, line)
    return line
  }

  /** Whoever reads it sees an I/O error, which tells nothing. */
  #sayGone(): void {
    if (this.#saidGone) return
    this.#saidGone = true
    const snapshot = `${this.volume}@${this.name}`
    this.#context.log.warn('a snapshot was deleted while somebody reads it', { snapshot })
  }
}
