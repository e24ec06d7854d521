// A storage server's heartbeats: at regular intervals to one manager, which answers with a lease or
// asks for a registration. Where one does not help, the next is asked at once, then after a short
// pause, so that a manager that dies costs less than a lease.
import type { Epoch, Incarnation, PeerId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import {
  HEARTBEAT_DEADLINE_MS,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_RETRY_MS,
} from '../../base/limits.js'
import type { HeartbeatReply } from '../../net/manager-messages.js'
import { LOST, type Lost, type Peers } from '../../net/peers.js'
import type { FenceState } from '../voting/fence-state.js'
import type { LeaseState } from './lease-state.js'
import type { ManagerChoice } from './manager-choice.js'

export interface HeartbeatsOptions {
  readonly peers: Peers
  readonly clock: Clock
  readonly choice: ManagerChoice
  readonly lease: LeaseState
  readonly fence: FenceState
  readonly incarnation: Incarnation
  /** Of the configuration that this server acts by. */
  readonly epoch: () => Epoch
  readonly wanted: (epoch: Epoch) => void
  readonly unregistered: () => void
  /** It cannot follow the configuration: without a lease it is declared down, and others go on. */
  readonly unable: () => boolean
}

export class Heartbeats {
  readonly #o: HeartbeatsOptions
  #timer: Timer | null = null
  #beating = false
  /** Something changed while a heartbeat was under way: the next one does not wait. */
  #soon = false
  /** In a row, to one manager after the other. */
  #failures = 0
  #stopped = false

  constructor(options: HeartbeatsOptions) {
    this.#o = options
  }

  /** A heartbeat now; the first one starts the others. */
  now(): void {
    if (this.#beating) this.#soon = true
    else void this.#beat()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #beat(): Promise<void> {
    if (this.#stopped) return
    this.#timer?.cancel()
    this.#beating = true
    const sentAt = this.#o.clock.now()
    const pause = await this.#ask(sentAt)
    this.#beating = false
    if (this.#stopped) return
    const delay = this.#soon ? 0 : sentAt + pause - this.#o.clock.now()
    this.#soon = false
    this.#timer = this.#o.clock.after(Math.max(0, delay), () => void this.#beat())
  }

  /** One heartbeat. Returns how long after its beginning the next one is due. */
  async #ask(sentAt: number): Promise<number> {
    const { peers, choice, fence, incarnation, epoch, unable } = this.#o
    const manager = choice.current()
    if (manager === null || unable()) return HEARTBEAT_INTERVAL_MS
    const mark = fence.mark
    const message = { incarnation, epoch: epoch(), fenced: fence.base }
    const deadline = HEARTBEAT_DEADLINE_MS
    const reply = await peers.request(manager, 'heartbeat', message, { deadline })
    if (this.#stopped) return 0
    if (reply === LOST || reply.kind === 'no-leader') return this.#inVain(manager, sentAt)
    this.#failures = 0
    choice.answered(manager, reply.leader)
    this.#take(reply, { sentAt, mark })
    return HEARTBEAT_INTERVAL_MS
  }

  #take(
    reply: Exclude<HeartbeatReply | Lost, Lost | { readonly kind: 'no-leader' }>,
    sent: { readonly sentAt: number; readonly mark: number },
  ): void {
    const { lease, fence, wanted, unregistered } = this.#o
    if (reply.kind === 'unregistered') {
      lease.ended()
      return unregistered()
    }
    const { epoch, released } = reply
    lease.granted({ epoch, sentAt: sent.sentAt })
    fence.released({ released, epoch, mark: sent.mark })
    wanted(epoch)
  }

  #inVain(manager: PeerId, sentAt: number): number {
    const { choice, clock } = this.#o
    choice.failed(manager)
    const took = clock.now() - sentAt
    const others = choice.connected().some(id => id !== manager)
    return this.#failures++ === 0 && others ? took : took + HEARTBEAT_RETRY_MS
  }
}
