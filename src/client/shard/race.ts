// Where one request is under way: at one server, or, a read that takes far longer than reads have
// taken lately, at two (see hedge-state.ts). What each of them says comes out one after the other;
// who decides whether it is good is request-life.ts, and then the others are dropped.
//
// Invariants: nothing of a server that was dropped ever comes out, however late it answers; a write
// or FLUSH is asked of another server only when the last one was lost or is not the one to ask any
// more; what was sent counts as outstanding at its server until it is answered or lost, dropped or
// not, so that a slow one is spared.
import { assert } from '../../base/assert.js'
import type { Alarm } from '../../base/alarms.js'
import type { PeerId } from '../../base/brands.js'
import type { DataReply } from '../../net/messages.js'
import type { DataOperation, Request } from '../../net/operations.js'
import { LOST, type Lost, type RequestOptions } from '../../net/peers.js'
import type { ClientContext } from '../context.js'
import type { HedgeSlot } from './hedges.js'
import type { LoadEvent } from './replica-load-state.js'
import type { Asked } from './routing.js'
import type { ShardOutlook, ShardView } from './shard-outlook.js'
import type { ShardRequest } from './shard-request.js'

/** The one server that is asked takes far longer than usual. */
export const SLOW = Symbol('slow')

export interface Sending {
  readonly server: PeerId
  /** What the client knew when it sent this. */
  readonly view: ShardView
  readonly operation: DataOperation
  readonly message: Request<DataOperation>
  /** Milliseconds; null: as long as the link lives. */
  readonly deadline: number | null
}

export interface Outcome {
  readonly server: PeerId
  readonly view: ShardView
  readonly reply: DataReply | Lost
  /** Milliseconds that it took. */
  readonly latency: number
}

/** What was sent to one server, and what became of it. */
interface Leg extends Asked, Outcome {
  reply: DataReply | Lost
  latency: number
  readonly started: number
  /** Its server has been charged for being slow. */
  slow: boolean
}

const NO_LEGS: readonly Leg[] = []
const SENT: LoadEvent = { kind: 'sent' }
const GONE: LoadEvent = { kind: 'lost' }
const NO_DEADLINE: RequestOptions = {}

export class Race implements Alarm {
  readonly #context: ClientContext
  readonly #shard: ShardOutlook
  readonly #request: ShardRequest
  /** Those whose answer is wanted. */
  #legs: readonly Leg[] = NO_LEGS
  /** Came while nobody waited. */
  readonly #outcomes: Outcome[] = []
  #deliver: ((event: Outcome | typeof SLOW) => void) | null = null
  /** When the one that is asked takes far longer than usual. */
  due = Infinity
  /** Sent and neither answered nor lost, wanted or not. */
  #outstanding = 0
  #slot: HedgeSlot | null = null
  #over = false

  constructor(context: ClientContext, shard: ShardOutlook, request: ShardRequest) {
    this.#context = context
    this.#shard = shard
    this.#request = request
  }

  get running(): boolean {
    return this.#legs.length > 0
  }

  has(server: PeerId): boolean {
    for (const leg of this.#legs) if (leg.server === server) return true
    return false
  }

  /** Whether a read of so many bytes that is under way may be asked of one more server; counts. */
  hedge(bytes: number): boolean {
    if (this.#legs.length !== 1) return false
    if (this.#slot) return this.#context.hedges.again()
    this.#slot = this.#context.hedges.begin(bytes)
    return this.#slot !== null
  }

  send({ server, view, operation, message, deadline }: Sending): void {
    const { peers, loads, clock } = this.#context
    const { kind } = this.#request.name
    assert(kind === 'read' || !this.running, 'a write is under way at one server at a time')
    const started = clock.now()
    const moved = (): void => this.#ended(leg, LOST)
    const leg: Leg = { kind, server, view, moved, started, slow: false, reply: LOST, latency: 0 }
    const path = peers.find(server)?.path
    this.#shard.asked.add(leg)
    this.#legs = [...this.#legs, leg]
    this.#outstanding++
    loads.record(server, SENT)
    const options = deadline === null ? NO_DEADLINE : { deadline }
    void peers.request(server, operation, message, options).then(reply => {
      this.#record(leg, reply, peers.find(server)?.path === path)
      this.#outstanding--
      this.#ended(leg, reply)
      this.#leave()
    })
  }

  /** What is next: an answer, a loss, or that a read is SLOW, which it says once of each server. */
  next(): Promise<Outcome | typeof SLOW> {
    return this.#request.hold<Outcome | typeof SLOW>(done => {
      const known = this.#outcomes.shift()
      if (known) done(known)
      else {
        this.#deliver = done
        this.#watch()
      }
      return () => this.#stopWaiting()
    })
  }

  #tell(event: Outcome | typeof SLOW): void {
    const deliver = this.#deliver
    this.#stopWaiting()
    deliver?.(event)
  }

  #stopWaiting(): void {
    this.#deliver = null
    if (this.due === Infinity) return
    this.#context.alarms.delete(this)
    this.due = Infinity
  }

  /** Nobody's answer is wanted any more; others may be asked afterwards. */
  drop(): void {
    for (const leg of this.#legs) this.#shard.asked.delete(leg)
    this.#legs = NO_LEGS
    this.#outcomes.length = 0
  }

  /** The request is decided, or given up. */
  end(): void {
    this.drop()
    this.#over = true
    this.#leave()
  }

  #record({ server, started }: Leg, reply: DataReply | Lost, samePath: boolean): void {
    const { loads, clock } = this.#context
    const latency = clock.now() - started
    if (reply !== LOST) {
      const ofRead = this.#request.name.kind === 'read' ? latency : null
      loads.record(server, { kind: 'answered', latency: ofRead, queue: reply.queue })
    } else if (samePath) loads.record(server, { kind: 'overdue', latency })
    else loads.record(server, GONE)
  }

  /** A read is watched while it is under way at one server, and only until that is slow. */
  #watch(): void {
    const leg = this.#legs[0]
    if (!leg || leg.slow || this.#legs.length > 1 || leg.kind !== 'read') return
    this.due = leg.started + this.#context.hedges.delay
    this.#context.alarms.add(this)
  }

  ring(): void {
    const leg = this.#legs[0]
    assert(leg && this.#deliver, 'what is watched is under way, and waited for')
    leg.slow = true
    // Now, and not when it answers: until then many more reads would go there.
    const { loads, clock } = this.#context
    loads.record(leg.server, { kind: 'slow', latency: clock.now() - leg.started })
    this.#tell(SLOW)
  }

  #ended(leg: Leg, reply: DataReply | Lost): void {
    if (!this.#legs.includes(leg)) return // dropped, or it was told that its shard has moved
    this.#legs = this.#legs.length === 1 ? NO_LEGS : this.#legs.filter(other => other !== leg)
    this.#shard.asked.delete(leg)
    leg.reply = reply
    leg.latency = this.#context.clock.now() - leg.started
    if (this.#deliver) this.#tell(leg)
    else this.#outcomes.push(leg)
  }

  #leave(): void {
    if (!this.#over || this.#outstanding > 0) return
    this.#slot?.over()
    this.#slot = null
  }
}
