// What only the leader can answer, answered by any manager: the leader's own handler where this
// manager leads, else the request goes on to the leader, with who asked. Where there is no leader,
// even after some patience, or it does not answer, the caller's own answer stands in. One hop: a
// manager that gets a request passed on and does not lead says so.
import type { PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { RELAY_DEADLINE_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { lives } from '../../net/alive.js'
import { decodeMessage, encodeMessage } from '../../net/codecs/message-codec.js'
import type { RelayedPeer, RelayReply } from '../../net/manager-messages.js'
import {
  operationOf,
  operations,
  type OperationName,
  type Reply,
  type Request,
} from '../../net/operations.js'
import { LOST, type Lost, type Peers } from '../../net/peers.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'

export interface RelayOptions {
  readonly peers: Peers
  readonly clock: Clock
  readonly history: Pick<ReplicatedHistory, 'leads' | 'leader' | 'onLeadership'>
  readonly log: Log
}

/** Nothing was done; or the leader was asked and did not answer, so that nobody knows. */
export type Unanswered = 'no-leader' | 'lost'

/** What the leader does with a request, whoever brought it; resolves with its answer. */
export type LeaderHandler<O extends OperationName> = (
  request: Request<O>,
  from: RelayedPeer,
) => Promise<Reply<O>>

export interface Relayed<O extends OperationName> {
  readonly handler: LeaderHandler<O>
  /** The answer of a manager that reaches no leader. */
  readonly otherwise: (
    request: Request<O>,
    why: Unanswered,
    from: RelayedPeer,
  ) => Reply<O> | Promise<Reply<O>>
}

export interface Asked<O extends OperationName> {
  readonly request: Request<O>
  readonly from: RelayedPeer
  /**
   * Milliseconds to wait for a leader to be elected; 0 by default. With patience, it must also have
   * shown that it lives: what a dead one was sent is undecided, which no patience helps.
   */
  readonly patience?: number
  /** Milliseconds that the leader may take. */
  readonly deadline?: number
}

const NOTHING = new Uint8Array(0)
const NOT_LEADING: RelayReply = { ok: false, payload: NOTHING }

export class Relay {
  readonly #o: RelayOptions
  readonly #served = new Map<
    OperationName,
    (payload: Uint8Array, from: RelayedPeer) => Promise<RelayReply>
  >()

  constructor(options: RelayOptions) {
    this.#o = options
  }

  /** Makes an operation answerable by any manager. */
  add<O extends OperationName>(operation: O, relayed: Relayed<O>): void {
    const { request, reply } = operations[operation]
    this.#served.set(operation, async (payload, from) => {
      const answer = await relayed.handler(decodeMessage(request, payload), from)
      return { ok: true, payload: reply === null ? NOTHING : encodeMessage(reply, answer) }
    })
  }

  /** From a peer or an operator of this host: here, at the leader, or by the stand-in. */
  async ask<O extends OperationName>(
    operation: O,
    relayed: Relayed<O>,
    asked: Asked<O>,
  ): Promise<Reply<O>> {
    const { history, clock, peers } = this.#o
    const end = clock.now() + (asked.patience ?? 0)
    for (;;) {
      if (history.leads) return relayed.handler(asked.request, asked.from)
      const { leader } = history
      const reply =
        leader === null || leader === peers.self ? null : await this.#pass(leader, operation, asked)
      if (reply === LOST) return relayed.otherwise(asked.request, 'lost', asked.from)
      if (reply) return reply.value
      // It was asked whether it lives: another one may lead by now.
      if (!this.#anotherThan(leader) && !(await this.#change(end)))
        return relayed.otherwise(asked.request, 'no-leader', asked.from)
    }
  }

  #anotherThan(asked: PeerId | null): boolean {
    const { leads, leader } = this.#o.history
    return leads || (leader !== null && leader !== asked)
  }

  /** Somebody may lead now who did not before. False: not in time. */
  #change(end: number): Promise<boolean> {
    const { history, clock } = this.#o
    return new Promise(resolve => {
      const finish = (changed: boolean): void => {
        timer.cancel()
        stop()
        resolve(changed)
      }
      const timer = clock.after(end - clock.now(), () => finish(false))
      const stop = history.onLeadership(() => finish(true))
    })
  }

  /** A request that another manager passed on to this one as the leader. */
  async take(operation: number, payload: Uint8Array, from: RelayedPeer): Promise<RelayReply> {
    const name = operationOf(operation)
    const serve = name && this.#served.get(name)
    if (!serve || !this.#o.history.leads) return NOT_LEADING
    try {
      return await serve(payload, from)
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#o.log.warn('a request that was passed on was not carried out', {
        ...{ operation: name, error: error.message },
      })
      return NOT_LEADING
    }
  }

  /** Null: the leader did nothing. */
  async #pass<O extends OperationName>(
    leader: PeerId,
    operation: O,
    { request, from, patience = 0, deadline = RELAY_DEADLINE_MS }: Asked<O>,
  ): Promise<{ readonly value: Reply<O> } | Lost | null> {
    const { peers, log } = this.#o
    const { number, request: codec, reply: replyCodec } = operations[operation]
    if (!peers.find(leader)) return null
    if (patience > 0 && !(await lives(peers, leader))) return null
    const message = { operation: number, from, payload: encodeMessage(codec, request) }
    const reply = await peers.request(leader, 'relay', message, { deadline })
    if (reply === LOST) return LOST
    if (!reply.ok) return null
    if (replyCodec === null) return { value: null as Reply<O> }
    try {
      return { value: decodeMessage(replyCodec, reply.payload) }
    } catch (error) {
      if (!isSwarmdiskError(error, 'protocol')) throw error
      log.warn('the leader answered with what cannot be read', { error: error.message })
      return LOST
    }
  }
}
