// Registering this start of the server with the managers: asked until there is an answer. A refusal
// is final; only a manager that connects after all were gone is asked anew, since it may be the one
// of another, restored cluster.
import type { Clock, Timer } from '../../base/clock.js'
import { REGISTER_DEADLINE_MS, REGISTER_RETRY_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { RegisterReply, RegisterRequest } from '../../net/messages.js'
import { LOST, type Peers } from '../../net/peers.js'
import type { ManagerChoice } from './manager-choice.js'

export type Answered = Exclude<RegisterReply, { readonly kind: 'wait' }>

export interface RegistrationOptions {
  readonly peers: Peers
  readonly clock: Clock
  readonly log: Log
  readonly choice: ManagerChoice
  readonly request: () => RegisterRequest
  /** An operator has taken this server out of the cluster: it must not come back by itself. */
  readonly removed: () => boolean
  readonly answered: (reply: Answered) => void
}

type Outcome = 'none' | Answered['kind']

export class Registration {
  readonly #o: RegistrationOptions
  #timer: Timer | null = null
  #asking = false
  #outcome: Outcome = 'none'
  #stopped = false

  constructor(options: RegistrationOptions) {
    this.#o = options
  }

  /** Unless there was an answer. */
  ensure(): void {
    if (this.#outcome === 'none') void this.#ask()
  }

  /** The managers do not know us (any more). */
  again(): void {
    if (this.#outcome !== 'refused') this.renew()
  }

  /** Whatever was answered before. */
  renew(): void {
    this.#outcome = 'none'
    void this.#ask()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #ask(): Promise<void> {
    const { peers, choice, request, removed, answered, log } = this.#o
    const manager = choice.current()
    if (this.#asking || this.#stopped || manager === null || removed()) return
    this.#asking = true
    this.#timer?.cancel()
    const deadline = REGISTER_DEADLINE_MS
    const reply = await peers.request(manager, 'register', request(), { deadline })
    this.#asking = false
    if (this.#stopped) return
    if (reply === LOST || reply.kind === 'wait') {
      this.#timer = this.#o.clock.after(REGISTER_RETRY_MS, () => this.ensure())
      return
    }
    this.#outcome = reply.kind
    if (reply.kind === 'refused') {
      log.error('registration refused', { manager, reason: reply.reason })
    }
    answered(reply)
  }
}
