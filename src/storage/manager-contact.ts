// A storage server's side of the managers: registers with each one that connects, and again after
// every break, until it answers; reports regularly; tells of mismatched epochs and of replicas that
// have caught up. All of it may be repeated and may be lost: managers take the newest.
import type { PeerId } from '../base/brands.js'
import type { Clock, Timer } from '../base/clock.js'
import { wait } from '../base/clock.js'
import {
  MISMATCH_INTERVAL_MS,
  REGISTER_DEADLINE_MS,
  REGISTER_RETRY_MS,
  STORAGE_REPORT_INTERVAL_MS,
} from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Configuration } from '../layout/configuration.js'
import type {
  CaughtUpProposal,
  MismatchReport,
  RegisterReply,
  RegisterRequest,
  StorageReport,
} from '../net/messages.js'
import { LOST, type PeerInfo, type Peers } from '../net/peers.js'

export interface ManagerContactOptions {
  readonly peers: Peers
  readonly clock: Clock
  readonly log: Log
  readonly configuration: () => Configuration | null
  readonly registration: () => RegisterRequest
  readonly report: () => Promise<StorageReport>
  readonly proposals: () => CaughtUpProposal['replicas']
  readonly registered: (reply: RegisterReply) => void
}

export class ManagerContact {
  readonly #o: ManagerContactOptions
  readonly #registering = new Set<PeerId>()
  #unsubscribe: (() => void) | null = null
  #timer: Timer | null = null
  #lastMismatch = ''
  #lastMismatchAt = -Infinity
  #stopped = false

  constructor(options: ManagerContactOptions) {
    this.#o = options
  }

  start(): void {
    const connected = (peer: PeerInfo): void => void this.#register(peer.id)
    this.#unsubscribe = this.#o.peers.subscribe({ connected })
    for (const peer of this.#o.peers.list()) connected(peer)
    this.#tick()
  }

  stop(): void {
    this.#stopped = true
    this.#unsubscribe?.()
    this.#timer?.cancel()
  }

  propose(replicas: CaughtUpProposal['replicas']): void {
    if (replicas.length === 0) return
    for (const id of this.#managers()) this.#o.peers.notify(id, 'caught-up-proposal', { replicas })
  }

  /** The same mismatch, seen for many requests at once, is told once in a while. */
  mismatch(report: MismatchReport): void {
    const key = `${report.volume}/${report.seen}/${report.own}/${report.from}`
    const now = this.#o.clock.now()
    if (key === this.#lastMismatch && now - this.#lastMismatchAt < MISMATCH_INTERVAL_MS) return
    this.#lastMismatch = key
    this.#lastMismatchAt = now
    for (const id of this.#managers()) this.#o.peers.notify(id, 'mismatch', report)
  }

  #managers(): readonly PeerId[] {
    const { peers, configuration } = this.#o
    const known = configuration()?.managers
    const isManager = (peer: PeerInfo): boolean =>
      known ? known.some(manager => manager.id === peer.id) : peer.roles.includes('manager')
    return peers
      .list()
      .filter(isManager)
      .map(peer => peer.id)
  }

  async #register(manager: PeerId): Promise<void> {
    const { peers, clock, registration, registered, log } = this.#o
    if (this.#registering.has(manager) || !this.#managers().includes(manager)) return
    this.#registering.add(manager)
    const deadline = REGISTER_DEADLINE_MS
    while (!this.#stopped && peers.find(manager)) {
      const reply = await peers.request(manager, 'register', registration(), { deadline })
      if (reply !== LOST) {
        if (reply.kind === 'refused') {
          log.error('registration refused', { manager, reason: reply.reason })
        }
        registered(reply)
        this.propose(this.#o.proposals())
        break
      }
      await wait(clock, REGISTER_RETRY_MS)
    }
    this.#registering.delete(manager)
  }

  #tick(): void {
    if (this.#stopped) return
    void this.#o.report().then(report => {
      if (this.#stopped) return
      for (const id of this.#managers()) this.#o.peers.notify(id, 'storage-report', report)
      this.propose(this.#o.proposals())
      this.#timer = this.#o.clock.after(STORAGE_REPORT_INTERVAL_MS, () => this.#tick())
    })
  }
}
