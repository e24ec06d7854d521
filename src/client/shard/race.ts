// Where one request is under way: at one server, or, a read that takes far longer than reads have
// taken lately, at two (see hedge-state.ts). What each of them says comes out one after the other;
// who decides whether it is good is request-life.ts, and then the others are dropped.
//
// Invariants: nothing of a server that was dropped ever comes out, however late it answers; a write
// or FLUSH is asked of another server only when the last one was lost or is not the one to ask any
// more; what was sent counts as outstanding at its server until it is answered or lost, dropped or
// not, so that a slow one is spared.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Timer } from '../../base/clock.js'
import type { DataReply } from '../../net/messages.js'
import type { DataOperation, Request } from '../../net/operations.js'
import { LOST, type Lost } from '../../net/peers.js'
import type { ClientContext } from '../context.js'
import type { HedgeSlot } from './hedges.js'
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

interface Leg {
  readonly server: PeerId
  readonly view: ShardView
  readonly started: number
  /** Its server has been charged for being slow. */
  slow: boolean
}

export interface Outcome {
  readonly server: PeerId
  readonly view: ShardView
  readonly reply: DataReply | Lost
  /** Milliseconds that it took. */
  readonly latency: number
}

export class Race {
  readonly #context: ClientContext
  readonly #shard: ShardOutlook
  readonly #request: ShardRequest
  /** Those whose answer is wanted, and how to stop watching where their shard moves. */
  readonly #legs = new Map<Leg, () => void>()
  /** Came while nobody waited. */
  #outcomes: Outcome[] = []
  #deliver: ((outcome: Outcome) => void) | null = null
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
    return this.#legs.size > 0
  }

  has(server: PeerId): boolean {
    return [...this.#legs.keys()].some(leg => leg.server === server)
  }

  /** Whether a read of so many bytes that is under way may be asked of one more server; counts. */
  hedge(bytes: number): boolean {
    if (this.#legs.size !== 1) return false
    if (this.#slot) return this.#context.hedges.again()
    this.#slot = this.#context.hedges.begin(bytes)
    return this.#slot !== null
  }

  send({ server, view, operation, message, deadline }: Sending): void {
    const { peers, loads, clock } = this.#context
    const { kind } = this.#request.name
    assert(kind === 'read' || !this.running, 'a write is under way at one server at a time')
    const leg: Leg = { server, view, started: clock.now(), slow: false }
    const path = peers.find(server)?.path
    const stop = this.#shard.whenMoved({ kind, server, moved: () => this.#ended(leg, LOST) })
    this.#legs.set(leg, stop)
    this.#outstanding++
    loads.record(server, { kind: 'sent' })
    const options = deadline === null ? {} : { deadline }
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
      if (known) {
        done(known)
        return () => undefined
      }
      const stop = (): void => {
        timer?.cancel()
        this.#deliver = null
      }
      const end = (event: Outcome | typeof SLOW): void => {
        stop()
        done(event)
      }
      const timer = this.#whenSlow(() => end(SLOW))
      this.#deliver = end
      return stop
    })
  }

  /** Nobody's answer is wanted any more; others may be asked afterwards. */
  drop(): void {
    for (const stop of this.#legs.values()) stop()
    this.#legs.clear()
    this.#outcomes = []
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
    else loads.record(server, { kind: 'lost' })
  }

  #whenSlow(tell: () => void): Timer | null {
    const [leg] = this.#legs.keys()
    if (!leg || leg.slow || this.#legs.size > 1 || this.#request.name.kind !== 'read') return null
    const { clock, hedges, loads } = this.#context
    const left = Math.max(0, leg.started + hedges.delay - clock.now())
    return clock.after(left, () => {
      leg.slow = true
      // Now, and not when it answers: until then many more reads would go there.
      loads.record(leg.server, { kind: 'slow', latency: clock.now() - leg.started })
      tell()
    })
  }

  #ended(leg: Leg, reply: DataReply | Lost): void {
    const stop = this.#legs.get(leg)
    if (!stop) return // dropped, or it was told that its shard has moved
    stop()
    this.#legs.delete(leg)
    const latency = this.#context.clock.now() - leg.started
    const outcome: Outcome = { server: leg.server, view: leg.view, reply, latency }
    if (this.#deliver) this.#deliver(outcome)
    else this.#outcomes.push(outcome)
  }

  #leave(): void {
    if (!this.#over || this.#outstanding > 0) return
    this.#slot?.over()
    this.#slot = null
  }
}
