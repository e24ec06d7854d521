// One shard of an open volume as its client sees it: where it lives, what was written to it and not
// flushed, and everything outstanding. Requests come here in an order that is already right
// (range-order.ts); this file sees that they stay so over retries, new allocations and restarts.
//
// Invariants: no number is used again after the generation has risen; nothing but the replay is
// sent while one is under way; what was acknowledged is kept until a FLUSH of the same generation,
// or a write after it that was made durable; a replay never puts an older write over a newer one
// that may have survived.
import { assert } from '../../base/assert.js'
import type { Epoch, Generation, RequestNumber, ShardIndex, VolumeId } from '../../base/brands.js'
import { Coalesced } from '../../base/coalesced.js'
import { SwarmdiskError } from '../../base/errors.js'
import { JUST_WRITTEN_MS, ONCE_NUMBERS_MAX } from '../../base/limits.js'
import type { ShardAllocation } from '../../layout/configuration.js'
import { HEAD, type DataReply } from '../../net/messages.js'
import type { ClientContext } from '../context.js'
import { KeptWrites, type KeptWrite, type Mark } from './kept-writes.js'
import { Replay } from './replay.js'
import { RequestLife } from './request-life.js'
import { RequestNumbers } from './request-numbers.js'
import { AskedServers } from './routing.js'
import type { ShardOutlook, ShardView } from './shard-outlook.js'
import { readShard, type ReadRange } from './shard-read.js'
import type { RequestKind, RequestName, ShardRequest } from './shard-request.js'

export interface ShardLineEvents {
  /** Writes that are durable now and need not be kept any longer. */
  released(amount: { readonly requests: number; readonly bytes: number }): void
  /** Acknowledged data is gone for good; the next FLUSH says so. */
  lost(sentence: string): void
}

export interface ShardLineName {
  readonly volume: VolumeId
  readonly volumeName: string
  readonly shard: ShardIndex
}

interface Writing {
  readonly write: KeptWrite
  readonly replay: boolean
  readonly durable: boolean
}

export class ShardLine implements ShardOutlook {
  readonly asked = new AskedServers()
  readonly #context: ClientContext
  readonly #name: ShardLineName
  readonly #requestNames: Readonly<Record<RequestKind, RequestName>>
  readonly #events: ShardLineEvents
  readonly #numbers: RequestNumbers
  readonly #kept = new KeptWrites()
  /** Writes that were sent and are not decided, in the order in which they were first sent. */
  readonly #sent = new Set<KeptWrite>()
  readonly #flushes = new Coalesced(() => this.#flush())
  readonly #replay: Replay
  /** Until its first FLUSH: what a client before us wrote may be in the servers' memory only. */
  #inherited = true
  /** The primary has answered us since we are attached. */
  #reached = false
  /** When the last of our writes was acknowledged. */
  #writtenAt = -Infinity
  /** Null until first looked at: then nothing was written under any. */
  #generation: Generation | null = null

  constructor(context: ClientContext, name: ShardLineName, events: ShardLineEvents) {
    this.#context = context
    this.#name = name
    this.#requestNames = {
      read: { kind: 'read', ...name },
      write: { kind: 'write', ...name },
      flush: { kind: 'flush', ...name },
    }
    this.#events = events
    this.#numbers = new RequestNumbers(context.counter, ONCE_NUMBERS_MAX)
    this.#replay = new Replay({
      // What was sent may have been executed and survived: what is older must not be put over it.
      // While it is under way it may take effect at any time, so the replay brings it along.
      writes: () => [...this.#kept.list(), ...this.#sent],
      begin: () => this.begin('write'),
      end: request => context.pending.end(request),
      write: (request, write) => this.#write(request, { write, replay: true, durable: false }),
      lost: (write, error) => this.#lost(write, error),
    })
  }

  get replaying(): boolean {
    return this.#replay.running
  }

  get justWritten(): boolean {
    return this.#context.clock.now() - this.#writtenAt < JUST_WRITTEN_MS
  }

  /** Whether we wrote anything that no FLUSH has covered. */
  get unflushed(): boolean {
    return this.#kept.size > 0
  }

  begin(kind: RequestKind): ShardRequest {
    return this.#context.pending.begin(this.#requestNames[kind])
  }

  look(): ShardView {
    const configuration = this.#context.watch.current()
    const volume = configuration?.volumes.get(this.#name.volume)
    if (!configuration || !volume) throw volumeGone(this.#name.volumeName)
    const allocation = volume.shards[this.#name.shard]
    assert(allocation, 'a shard of this volume')
    this.#observe(allocation)
    return { configuration, allocation }
  }

  /** A new configuration: learns of a new generation, also when idle, and of servers that left. */
  reconsider(): void {
    this.asked.reconsider(this.look().allocation)
  }

  replayed(done: () => void): () => void {
    return this.#replay.whenDone(done)
  }

  /** We may write from now on; somebody else may have written since we last did. */
  attached(): void {
    this.#inherited = true
    this.#reached = false
  }

  /** What is kept will not be repeated: we may write no more, or it is lost. */
  forgetKept(): void {
    this.#events.released(this.#kept.release(this.#kept.mark()))
  }

  /**
   * Before the first read of who is attached: a primary that has not heard of it may still execute
   * what the client before us asked for. When it has answered us, that is settled or refused.
   */
  async reach(request: ShardRequest): Promise<void> {
    await request.waitFor(done => {
      // A FLUSH ends in vain only with everything else.
      this.flush().then(done, done)
      return () => undefined
    })
  }

  /** Whether the primary has to be reached before that. */
  get unreached(): boolean {
    if (this.#reached) return false
    const { configuration, allocation } = this.look()
    // Nobody has lost its access yet: that would have made another allocation.
    return allocation.epoch !== configuration.volumes.get(this.#name.volume)?.created
  }

  read(request: ShardRequest, range: ReadRange): Promise<void> {
    return readShard(this.#context, this, { request, name: this.#name, layer: HEAD, range })
  }

  /**
   * The payload is ours from now on: it is kept until a FLUSH covers it. `durable`: one is expected
   * at once, and needs to do nothing where the servers have made this write durable.
   */
  write(request: ShardRequest, write: KeptWrite, durable = false): Promise<void> {
    return this.#write(request, { write, replay: false, durable })
  }

  /** Resolves when every write acknowledged before the call is durable on all in-sync replicas. */
  flush(): Promise<void> {
    return this.#flushable ? this.#flushes.request() : Promise.resolve()
  }

  get #flushable(): boolean {
    return this.unflushed || this.#inherited
  }

  async #write(request: ShardRequest, { write, replay, durable }: Writing): Promise<void> {
    request.check()
    if (!replay && !this.#numbers.hasRoom) await request.waitFor(done => this.#numbers.room(done))
    let number: RequestNumber | null = null
    let under: Generation | null = null
    /** What was acknowledged before it was first sent. */
    let before: Mark = 0
    const message = (epoch: Epoch) => {
      // After memory was lost the same number would be taken for a write that was executed before,
      // while the replay may have put older content over it.
      if (number !== null && under !== this.#generation) {
        this.#numbers.complete(number)
        number = null
      }
      if (number === null) {
        number = this.#numbers.take()
        before = this.#kept.mark()
      }
      if (!replay) this.#sent.add(write)
      under = this.#generation
      const { volume, shard } = this.#name
      const completeBelow = this.#numbers.completeBelow
      return { volume, shard, epoch, ...write, request: number, completeBelow, durable }
    }
    const accepted = (reply: DataReply): void => {
      this.#reached = true
      this.#sent.delete(write)
      this.#writtenAt = this.#context.clock.now()
      if (replay) return
      if (!reply.durable) return this.#kept.add(write)
      const { requests, bytes } = this.#kept.release(before)
      this.#events.released({ requests: requests + 1, bytes: bytes + write.payload.length })
    }
    try {
      await new RequestLife(this.#context, this, {
        request,
        replay,
        bytes: 0,
        message,
        accepted,
      }).run()
    } finally {
      this.#sent.delete(write)
      if (number !== null) this.#numbers.complete(number)
    }
  }

  async #flush(): Promise<void> {
    if (!this.#flushable) return
    const { volume, shard } = this.#name
    const request = this.begin('flush')
    const mark = this.#kept.mark()
    const life = new RequestLife(this.#context, this, {
      request,
      replay: false,
      bytes: 0,
      message: epoch => ({ volume, shard, epoch }),
      accepted: () => {
        this.#inherited = false
        this.#reached = true
        this.#events.released(this.#kept.release(mark))
      },
    })
    try {
      await life.run()
    } finally {
      this.#context.pending.end(request)
    }
  }

  #observe({ generation }: ShardAllocation): void {
    const before = this.#generation
    if (generation === before) return
    assert(before === null || generation > before, 'generations only grow')
    this.#generation = generation
    if (before === null || (!this.unflushed && !this.replaying)) return
    if (this.#context.mode === 'shared') return this.#giveUp()
    this.#context.log.warn('all replicas of a shard restarted: repeating what was not flushed', {
      volume: this.#name.volumeName,
      shard: this.#name.shard,
      writes: this.#kept.size,
    })
    this.#replay.start()
  }

  /** Others that share the volume may have written since: what we repeat could undo that. */
  #giveUp(): void {
    const { shard, volumeName } = this.#name
    const writes = this.#kept.size
    this.forgetKept()
    this.#events.lost(
      `All copies of shard ${shard} of volume ${volumeName} lost their memory, and ${writes} ` +
        'acknowledged writes with it, which a shared volume does not repeat.',
    )
  }

  #lost(write: KeptWrite, error: SwarmdiskError): void {
    this.#events.lost(
      `All copies of shard ${this.#name.shard} of volume ${this.#name.volumeName} lost their ` +
        `memory, and ${write.payload.length} acknowledged bytes could not be written again: ` +
        error.message,
    )
  }
}

export function volumeGone(name: string): SwarmdiskError {
  return new SwarmdiskError('not-found', `Volume ${name} does not exist any more.`)
}
