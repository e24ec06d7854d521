// The primary's part in one shard, within one allocation (design §5). Pure. Order of things:
//
//   gather --> read own content --> replicate it (settling) --> serve
//   client write --> prepare (lock, merge) --> ordered --> stored here and acknowledged by all
//   required --> committed, in order --> answered
//
// A write that is to be durable counts as stored, here and elsewhere, when it is durable as well.
// Where it cannot be made so it counts all the same, and the answer does not say that it is.
//
// Required are the in-sync replicas and those counted: a syncing replica that has caught up is
// counted first, then made durable, then proposed. Until it is proposed, a broken path uncounts it;
// after that only a new allocation does, because the proposal may be accepted at any time.
import { assert } from '../../base/assert.js'
import { sequence, type Epoch, type PeerId, type Sequence } from '../../base/brands.js'
import { SETTLE_PART_BLOCKS } from '../../base/limits.js'
import type { ShardAllocation } from '../../layout/configuration.js'
import { blocksOfBytes } from '../../layout/geometry.js'
import type {
  CaughtUpReply,
  DataStatus,
  GatherReply,
  Origin,
  Replicated,
  ShardName,
} from '../../net/messages.js'
import { blocksIn, cut, endOf, overlap, union, type BlockSpan } from './block-spans.js'
import type { OnceTable } from './once-table.js'
import { ReplicationQueue, type Ordered, type ReplicationLimits } from './replication-queue.js'
import type { ClientWrite, ReplicaEffect, ReplicaEvent, Token } from './replica-events.js'
import type { UncommittedWrites } from './uncommitted-writes.js'

export interface PrimaryOptions {
  readonly name: ShardName
  readonly self: PeerId
  readonly allocation: ShardAllocation
  readonly list: UncommittedWrites
  readonly once: OnceTable
  readonly emit: (effect: ReplicaEffect) => void
  readonly limits: ReplicationLimits
}

type Settling =
  | { readonly kind: 'gathering'; readonly missing: Set<PeerId>; readonly found: BlockSpan[] }
  | { readonly kind: 'reading' }
  /** Until everything up to `last` is committed. */
  | { readonly kind: 'replicating'; readonly last: Sequence }
  | { readonly kind: 'settled' }

/** These client writes were executed for just these blocks. */
interface Requests extends BlockSpan {
  readonly origins: readonly Origin[]
}

interface PendingWrite {
  token: Token
  readonly origin: Origin
  /** The name of `origin` in the map of pending requests. */
  readonly name: string
  blocksLeft: number
  /** Asked for, and so far true of all its parts. */
  durable: boolean
}

const NONE: readonly Origin[] = []

type Prepared = Extract<ReplicaEvent, { kind: 'prepared' }>

export class PrimaryState {
  readonly #o: PrimaryOptions
  readonly #epoch: Epoch
  readonly #queue: ReplicationQueue
  /** By key: a new number for every attempt, so that parts of a failed one find nothing. */
  readonly #pending = new Map<number, PendingWrite>()
  readonly #keys = new Map<string, number>()
  #nextKey = 1
  #stored = sequence(0)
  /** Of that, what was to be durable at once and is. */
  #durable = sequence(0)
  #storeFailing = false
  #noRoom = false
  #settling: Settling
  /** Of what is settled. */
  #requests: readonly Requests[] = []
  readonly #lists = new Map<PeerId, readonly Requests[]>()
  /** Completion numbers to be told with the next write. */
  readonly #complete = new Map<PeerId, Origin>()

  constructor(options: PrimaryOptions) {
    this.#o = options
    this.#epoch = options.allocation.epoch
    this.#queue = new ReplicationQueue(options)
    const missing = new Set(this.#queue.inSync())
    this.#settling = { kind: 'gathering', missing, found: [] }
    for (const from of missing) options.emit({ kind: 'gather', from })
    this.#gatheredAll()
  }

  get settled(): boolean {
    return this.#settling.kind === 'settled'
  }

  /** Everything that was ever taken up is committed. */
  get quiet(): boolean {
    const { committed, last } = this.#queue
    return this.settled && this.#pending.size === 0 && committed === last
  }

  /** Still to be gathered from. */
  get missing(): ReadonlySet<PeerId> {
    return this.#settling.kind === 'gathering' ? this.#settling.missing : new Set()
  }

  get queue(): ReplicationQueue {
    return this.#queue
  }

  /** Some required replica, or our own store, refuses to take more. */
  get failing(): boolean {
    return this.#storeFailing || this.#queue.failing()
  }

  /** Whom this shard waits for, and what for. */
  waiting(): ReadonlyMap<PeerId, string> {
    const { self } = this.#o
    const waits = new Map([...this.missing].map(peer => [peer, 'its list']))
    if (this.#settling.kind === 'reading') waits.set(self, 'what is to be settled')
    for (const { peer, next } of this.#queue.owing()) waits.set(peer, `write ${next}`)
    const behind = this.#stored < this.#queue.last
    if (behind || this.storeFails) waits.set(self, `write ${this.#stored + 1}`)
    return waits
  }

  /** Our own store refuses what comes next, or we have refused it for want of room. */
  get storeFails(): boolean {
    return this.#storeFailing || this.#noRoom
  }

  // ---- settling -------------------------------------------------------------------------------

  gathered(from: PeerId, reply: GatherReply): void {
    const settling = this.#settling
    if (settling.kind !== 'gathering' || !settling.missing.delete(from)) return
    assert(reply.ok, 'only an answer of an in-sync replica is gathered')
    settling.found.push(...reply.uncommitted)
    this.#lists.set(from, reply.uncommitted)
    this.#o.once.merge(reply.executed)
    this.#gatheredAll()
  }

  #gatheredAll(): void {
    const settling = this.#settling
    if (settling.kind !== 'gathering' || settling.missing.size > 0) return
    const own = this.#o.list.olderThan(this.#epoch)
    const open = union([...own, ...settling.found])
    const executed = this.#executedIn(open)
    this.#requests = [...own, ...executed]
    for (const [peer, list] of this.#lists) this.#lists.set(peer, [...list, ...executed])
    // Cut so that each part lies within or without each of these writes: then the part belongs to
    // just their requests.
    const borders = new Set(this.#requests.flatMap(write => [write.block, endOf(write)]))
    const spans = cut(open, borders, SETTLE_PART_BLOCKS)
    this.#settling = { kind: 'reading' }
    if (spans.length > 0) this.#o.emit({ kind: 'read-own', spans })
    else this.ownContentEnd()
  }

  /**
   * Writes known to be committed, which a follower that was not told of it still has in its list:
   * it forgets their requests when they are settled, unless they come with what settles them.
   */
  #executedIn(open: readonly BlockSpan[]): readonly Requests[] {
    return this.#o.once
      .export()
      .filter(write => open.some(span => overlap(span, write)))
      .map(({ client, request, ...span }) => ({ ...span, origins: [{ client, request }] }))
  }

  /** `of`: the replica whose content it is, for single blocks of which our own copy is bad. */
  ownContent(block: BlockSpan['block'], payload: Uint8Array, of: PeerId | null): void {
    if (this.#settling.kind !== 'reading') return
    const span = { block, blocks: blocksOfBytes(payload.byteLength) }
    const requests = of === null ? this.#requests : (this.#lists.get(of) ?? [])
    const origins = requests.filter(w => overlap(w, span)).flatMap(w => w.origins)
    this.#o.list.settle(span, this.#epoch)
    this.#order({ block, payload, origins, settling: true, durable: false, key: null })
  }

  ownContentEnd(): void {
    if (this.#settling.kind !== 'reading') return
    this.#settling = { kind: 'replicating', last: this.#queue.last }
    this.#settledAll()
  }

  #settledAll(): void {
    const settling = this.#settling
    if (settling.kind !== 'replicating' || this.#queue.committed < settling.last) return
    assert(this.#o.list.olderThan(this.#epoch).length === 0, 'everything older is settled')
    this.#settling = { kind: 'settled' }
    this.#o.emit({ kind: 'progress' })
  }

  // ---- writing --------------------------------------------------------------------------------

  clientWrite(write: ClientWrite): void {
    const { once, emit } = this.#o
    const { token, client, request } = write
    if (!this.settled) return emit({ kind: 'park', token })
    if (once.trim(client, write.completeBelow)) {
      this.#complete.set(client, { client, request: write.completeBelow })
    }
    const name = `${client}:${request}`
    const under = this.#pending.get(this.#keys.get(name) ?? 0)
    if (under) {
      // A retry of what is under way: the answer goes where the client listens now.
      this.#answer(under.token, 'not-serving')
      under.token = token
      return
    }
    const spans = once.remaining({ client, request }, write.span)
    // Executed before, and perhaps in memory only: nobody has kept what became of it.
    if (spans.length === 0) return this.#answer(token, 'ok')
    this.#noRoom = write.noRoom
    if (this.failing || write.noRoom) return this.#answer(token, 'disk-full')
    const key = this.#nextKey++
    const origin = { client, request }
    const { durable } = write
    this.#pending.set(key, { token, origin, name, blocksLeft: blocksIn(spans), durable })
    this.#keys.set(name, key)
    emit({ kind: 'prepare', token, key, spans })
  }

  prepared({ key, block, payload }: Prepared): void {
    const pending = this.#pending.get(key)
    if (!pending) return // another part of it could not be prepared
    assert(this.settled, 'nothing is ordered before settling')
    const { origin, durable } = pending
    this.#order({ block, payload, origins: [origin], settling: false, durable, key })
  }

  notPrepared(key: number, status: DataStatus): void {
    this.#end(key, status)
  }

  #order(write: Omit<Ordered, 'sequence' | 'complete'>): void {
    const { list, emit } = this.#o
    const { block, payload, origins, settling, durable, key } = write
    const allocation = this.#epoch
    const next = sequence(this.#queue.last + 1)
    const complete = this.#complete.size > 0 ? [...this.#complete.values()] : NONE
    this.#complete.clear()
    const blocks = blocksOfBytes(payload.byteLength)
    list.add({ block, blocks, allocation, sequence: next, origins })
    emit({ kind: 'apply', allocation, sequence: next, block, durable, payload })
    // Spelled out: a spread costs microseconds.
    this.#queue.push({
      block,
      payload,
      origins,
      complete,
      sequence: next,
      settling,
      durable,
      key,
    })
  }

  stored(upTo: Sequence, durable: Sequence): void {
    assert(upTo <= this.#queue.last, 'only what was ordered is stored')
    if (upTo <= this.#stored) return
    this.#stored = upTo
    if (durable > this.#durable) this.#durable = durable
    this.#storeFailing = false
    this.#commit()
  }

  storeFailing(): void {
    this.#storeFailing = true
  }

  replicated(from: PeerId, message: Replicated): void {
    this.#queue.replicated(from, message)
    this.#commit()
  }

  #commit(): void {
    const committed = this.#queue.commit(this.#stored)
    const durable = committed.length > 0 ? this.#queue.durable(this.#durable) : sequence(0)
    for (const write of committed) {
      for (const done of this.#o.list.commit(this.#epoch, write.sequence)) {
        for (const origin of done.origins) this.#o.once.add(origin, done)
        this.#finish(write.key, done.blocks, write.sequence <= durable)
      }
    }
    if (committed.length > 0) this.#o.emit({ kind: 'progress' })
    this.#settledAll()
  }

  #finish(key: number | null, blocks: number, durable: boolean): void {
    const pending = key === null ? undefined : this.#pending.get(key)
    if (!pending || key === null) return
    pending.blocksLeft -= blocks
    pending.durable &&= durable
    assert(pending.blocksLeft >= 0, 'a write is committed once')
    if (pending.blocksLeft === 0) this.#end(key, 'ok')
  }

  #end(key: number, status: DataStatus): void {
    const pending = this.#pending.get(key)
    if (!pending) return
    this.#pending.delete(key)
    this.#keys.delete(pending.name)
    this.#answer(pending.token, status, status === 'ok' && pending.durable)
  }

  #answer(token: Token, status: DataStatus, durable = false): void {
    this.#o.emit({ kind: 'answer', token, status, durable })
  }

  /** The allocation is over: clients try again, and the once table knows what was executed. */
  end(): void {
    for (const key of [...this.#pending.keys()]) this.#end(key, 'stale-epoch')
  }

  // ---- replicas that catch up -----------------------------------------------------------------

  caughtUp(from: PeerId, applied: Sequence): CaughtUpReply {
    if (!this.settled || !this.#queue.count(from, applied)) return { counted: false, executed: [] }
    this.#queue.confirmCounted()
    return { counted: true, executed: this.#o.once.export() }
  }

  path(peer: PeerId): void {
    this.#queue.uncount(peer)
    this.#commit()
  }
}
