// The life of one request to one shard: choose a server, send, and, until it is decided, look
// again. Nothing fails here that a retry can hide: lost links, old epochs, servers that do not
// serve yet, full disks. Between attempts it waits for an event, or for a growing while.
//
//   look ──► wait for the configuration ─┐       ok ──────────────► accepted
//    ▲  ──► wait for the replay ─────────┤        │ under an older generation: look again
//    ├───────────────────────────────────┘        │ stale-epoch: look when the epoch is there
//    └◄─ no server: wait for an event ── send ──► │ LOST, not-serving, disk-full: look, later
//                                                 │ corrupt: other replicas, then an error
//                                                 │ slow: a read also goes to another replica
//
// A read may be under way at two replicas (race.ts). Each answer is judged by what was known when
// it was asked for; the first good one decides, and whatever the other one says is never looked at.
// Whoever waits for something else, a configuration or a while, waits for no answer any more.
import { exhaustive } from '../../base/assert.js'
import { epoch, type Epoch, type PeerId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import {
  READ_DEADLINE_MAX_MS,
  READ_DEADLINE_MS,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
} from '../../base/limits.js'
import type { ShardAllocation } from '../../layout/configuration.js'
import type { DataReply, DataStatus } from '../../net/messages.js'
import type { DataOperation, Request } from '../../net/operations.js'
import { LOST } from '../../net/peers.js'
import type { ClientContext } from '../context.js'
import { Race, SLOW, type Outcome } from './race.js'
import { primaryOf } from './routing.js'
import type { ShardOutlook, ShardView } from './shard-outlook.js'
import type { ShardRequest } from './shard-request.js'

export interface Call {
  readonly request: ShardRequest
  /** What is asked of the servers, if it is not just the kind of the request. */
  readonly operation?: DataOperation
  /** Goes before the requests that wait for the replay. */
  readonly replay: boolean
  /** Of a read: what it asks for. */
  readonly bytes: number
  /** Asked for every time it is sent. */
  message(epoch: Epoch): Request<DataOperation>
  /** Called in the turn in which the answer was found to be valid. */
  accepted(reply: DataReply): void
}

export class RequestLife {
  readonly #context: ClientContext
  readonly #shard: ShardOutlook
  readonly #call: Call
  readonly #race: Race
  /** Replicas that did not serve this read; forgotten when all have been tried. */
  #tried: Set<PeerId> | null = null
  /** Replicas that have no good copy, under the allocation of `#badEpoch`. */
  #bad: Map<PeerId, DataStatus> | null = null
  #badEpoch: Epoch = epoch(0)
  #needed: Epoch = epoch(0)
  #failures = 0
  #readDeadline = READ_DEADLINE_MS

  constructor(context: ClientContext, shard: ShardOutlook, call: Call) {
    this.#context = context
    this.#shard = shard
    this.#call = call
    this.#race = new Race(context, shard, call.request)
  }

  async run(): Promise<void> {
    try {
      for (;;) {
        const pause = this.#ask()
        if (pause !== null) {
          await pause
          continue
        }
        const event = await this.#race.next()
        if (event !== SLOW && (await this.#judge(event))) return
      }
    } finally {
      this.#race.end()
    }
  }

  /** Null: somebody is asked, whose answer is awaited; else the wait before the next look. */
  #ask(): Promise<unknown> | null {
    const { request } = this.#call
    const view = this.#shard.look()
    if (view.configuration.epoch < this.#needed) return this.#awaitEpoch(request)
    if (this.#shard.replaying && !this.#call.replay) {
      this.#race.drop()
      return request.waitFor(done => this.#shard.replayed(done))
    }
    const mayAsk = !this.#race.running || this.#race.hedge(this.#call.bytes)
    const target = mayAsk ? this.#target(view) : null
    if (target !== null) this.#send(target, view)
    else if (!this.#race.running) return this.#sleep()
    return null
  }

  /**
   * True when the request is decided, and that in the turn in which the answer is looked at: what
   * is valid now need not be later.
   */
  #judge({ server, view, reply, latency }: Outcome): boolean | Promise<boolean> {
    if (reply === LOST) return this.#lost(server)
    if (reply.epoch > view.configuration.epoch) this.#context.watch.wanted(reply.epoch)
    if (reply.status !== 'ok') return this.#refused(server, reply, view)
    const now = this.#shard.look().allocation
    // Executed by replicas that have lost their memory since: the caller does not know of it yet,
    // so it is simply not done, and comes after what has to be replayed.
    if (now.generation !== view.allocation.generation) return false
    if (reply.generation !== now.generation) return this.#sleep()
    this.#call.request.check()
    if (this.#call.request.name.kind === 'read') this.#context.hedges.answered(latency)
    this.#call.accepted(reply)
    return true
  }

  async #awaitEpoch(request: ShardRequest): Promise<boolean> {
    request.obstacle = { kind: 'epoch', epoch: this.#needed }
    this.#context.watch.wanted(this.#needed)
    return this.#sleep()
  }

  /** Null: nobody to ask now. */
  #target({ allocation }: ShardView): PeerId | null {
    const { peers, loads } = this.#context
    if (this.#call.request.name.kind !== 'read') {
      const primary = primaryOf(allocation)
      return peers.find(primary) ? primary : null
    }
    if (allocation.epoch !== this.#badEpoch) this.#bad = null
    this.#badEpoch = allocation.epoch
    const candidates = this.#candidates(allocation)
    const primary = this.#shard.justWritten ? primaryOf(allocation) : null
    if (primary !== null && candidates.includes(primary)) return primary
    const target = loads.choose(candidates)
    if (target === null && !this.#race.running) {
      this.#tried = null
      this.#readDeadline = Math.min(2 * this.#readDeadline, READ_DEADLINE_MAX_MS)
    }
    return target
  }

  /** Who may be asked for this read now; throws if nobody has a good copy. */
  #candidates({ replicas }: ShardAllocation): readonly PeerId[] {
    const candidates: PeerId[] = []
    let good = false
    for (const { server, state } of replicas) {
      if (state !== 'in-sync' || this.#bad?.has(server)) continue
      good = true
      if (this.#tried?.has(server) || this.#race.has(server)) continue
      if (this.#context.peers.find(server)) candidates.push(server)
    }
    if (!good) throw this.#noGoodCopy()
    return candidates
  }

  #send(server: PeerId, view: ShardView): void {
    const read = this.#call.request.name.kind === 'read'
    if (read && !this.#race.running) this.#context.hedges.asked()
    const message = this.#call.message(view.configuration.epoch)
    // Writes and FLUSHes wait as long as the link lives: asking again would change nothing.
    const deadline = read ? this.#deadline(view.allocation) : null
    const operation = this.#call.operation ?? this.#call.request.name.kind
    this.#race.send({ server, view, operation, message, deadline })
  }

  /** Short only where another replica could be asked instead. */
  #deadline({ replicas }: ShardAllocation): number {
    let reachable = 0
    for (const { server, state } of replicas) {
      if (state === 'in-sync' && this.#context.peers.find(server)) reachable++
    }
    return reachable > 1 ? this.#readDeadline : READ_DEADLINE_MAX_MS
  }

  /** The first time there is nothing to wait for: another replica, or the same over a new path. */
  async #lost(target: PeerId): Promise<boolean> {
    this.#noteTried(target)
    this.#call.request.obstacle = null
    if (this.#failures++ === 0) return false
    return this.#call.request.name.kind === 'read' ? false : this.#sleep()
  }

  async #refused(target: PeerId, reply: DataReply, view: ShardView): Promise<boolean> {
    const { request } = this.#call
    const { kind } = request.name
    request.obstacle = { kind: 'answer', server: target, status: reply.status }
    switch (reply.status) {
      // Our newest configuration says whether we were fenced; theirs is newer than what we had.
      case 'no-access':
      case 'stale-epoch':
        if (reply.epoch <= view.configuration.epoch) return this.#sleep()
        this.#needed = reply.epoch
        return false
      case 'not-serving':
        this.#noteTried(target)
        return kind === 'read' ? false : this.#sleep()
      case 'corrupt':
        if (kind === 'write') throw this.#noGoodCopy()
        this.#noteBad(target, reply, view)
        return kind === 'read' ? false : this.#sleep()
      case 'disk-error':
        this.#noteBad(target, reply, view)
        return kind === 'read' ? false : this.#sleep()
      case 'disk-full':
        return this.#sleep()
      case 'out-of-range':
        throw new SwarmdiskError(
          'protocol',
          `Storage server ${target.slice(0, 8)} says that a range is not in volume ` +
            `${request.name.volumeName}: do all hosts run the same release of swarmdisk?`,
        )
      case 'ok':
        return true
      default:
        return exhaustive(reply.status)
    }
  }

  #noteTried(server: PeerId): void {
    this.#tried ??= new Set()
    this.#tried.add(server)
  }

  /** What a replica had under an older allocation says nothing of what it has now. */
  #noteBad(server: PeerId, { status }: DataReply, { allocation }: ShardView): void {
    if (allocation.epoch !== this.#badEpoch) return
    this.#bad ??= new Map()
    this.#bad.set(server, status)
  }

  #noGoodCopy(): SwarmdiskError {
    const { volumeName, shard, kind } = this.#call.request.name
    if (kind === 'read' && ![...(this.#bad?.values() ?? [])].includes('corrupt')) {
      return new SwarmdiskError(
        'disk-error',
        `No storage server could read shard ${shard} of volume ${volumeName} from its disk.`,
      )
    }
    return new SwarmdiskError(
      'corrupt',
      `No good copy is left of a block in shard ${shard} of volume ${volumeName}: ` +
        'write it anew, or restore it from a backup.',
    )
  }

  async #sleep(): Promise<boolean> {
    this.#race.drop()
    const { wakeup, random } = this.#context
    const longest = Math.min(RETRY_MIN_MS * 2 ** Math.min(this.#failures, 10), RETRY_MAX_MS)
    this.#failures++
    // Half of it by chance, so that clients that were refused together do not return together.
    const delay = longest / 2 + (longest / 2) * (random.below(1024) / 1024)
    await this.#call.request.waitFor(done => wakeup.sleep(delay, done))
    return false
  }
}
