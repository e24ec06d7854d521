// A storage server's side of the managers: it registers and sends heartbeats with one of them,
// reports to all, and tells of mismatched epochs and of replicas that have caught up. All of it may
// be repeated and may be lost: what is said once is said again with the next report.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Timer } from '../../base/clock.js'
import {
  LEAVE_DEADLINE_MS,
  MISMATCH_INTERVAL_MS,
  REGISTER_AGAIN_MS,
  STORAGE_REPORT_INTERVAL_MS,
} from '../../base/limits.js'
import type {
  CaughtUpProposal,
  MismatchReport,
  SealedShards,
  StorageReport,
  SuspendProposal,
} from '../../net/messages.js'
import { LOST, type PeerInfo } from '../../net/peers.js'
import { Heartbeats, type HeartbeatsOptions } from './heartbeats.js'
import { ManagerChoice, type ManagerChoiceOptions } from './manager-choice.js'
import { Registration, type RegistrationOptions } from './registration.js'

export interface ManagerContactOptions
  extends
    ManagerChoiceOptions,
    Omit<HeartbeatsOptions, 'choice' | 'unregistered'>,
    Omit<RegistrationOptions, 'choice'> {
  readonly report: () => Promise<StorageReport>
  readonly proposals: () => CaughtUpProposal['replicas']
  readonly sealedShards: () => SealedShards['shards']
}

export class ManagerContact {
  readonly #o: ManagerContactOptions
  readonly #choice: ManagerChoice
  readonly #registration: Registration
  readonly #heartbeats: Heartbeats
  #unsubscribe: (() => void) | null = null
  #timer: Timer | null = null
  #lastMismatch = ''
  #lastMismatchAt = -Infinity
  #stopped = false

  constructor(options: ManagerContactOptions) {
    this.#o = options
    const choice = (this.#choice = new ManagerChoice(options))
    this.#registration = new Registration({
      ...options,
      choice,
      answered: reply => {
        options.answered(reply)
        if (reply.kind === 'refused') return
        this.#heartbeats.now()
        this.propose(options.proposals())
      },
    })
    // The configuration that says why comes first: an operator may have removed this server.
    const unregistered = (): void => {
      options.clock.after(REGISTER_AGAIN_MS, () => this.#registration.again())
    }
    this.#heartbeats = new Heartbeats({ ...options, choice, unregistered })
  }

  start(): void {
    const connected = (peer: PeerInfo): void => this.#connected(peer.id)
    this.#unsubscribe = this.#o.peers.subscribe({ connected })
    this.#registration.ensure()
    this.#heartbeats.now()
    this.#tick()
  }

  /** Nothing is asked for or told any more. */
  stop(): void {
    this.#stopped = true
    this.#unsubscribe?.()
    this.#timer?.cancel()
    this.#registration.stop()
    this.#heartbeats.stop()
  }

  /**
   * After stop(), when nothing is served any more: the others need not wait for the lease to end.
   * Resolves when they go on, or after a while.
   */
  async leave(): Promise<void> {
    const { peers, incarnation, lease } = this.#o
    assert(this.#stopped, 'no heartbeat asks for a lease any more')
    lease.ended()
    const manager = this.#choice.current()
    if (manager === null) return
    const deadline = LEAVE_DEADLINE_MS
    const reply = await peers.request(manager, 'leaving', { incarnation }, { deadline })
    if (reply === LOST || !reply.ok) this.#o.log.info('stopped without being declared down')
  }

  propose(replicas: CaughtUpProposal['replicas']): void {
    const manager = this.#choice.current()
    if (manager === null || replicas.length === 0) return
    this.#o.peers.notify(manager, 'caught-up-proposal', { replicas })
  }

  sealed(shards: SealedShards['shards']): void {
    const manager = this.#choice.current()
    if (manager === null || shards.length === 0) return
    this.#o.peers.notify(manager, 'sealed', { shards })
  }

  suspend(replicas: SuspendProposal['replicas']): void {
    const manager = this.#choice.current()
    if (manager !== null) this.#o.peers.notify(manager, 'suspend-proposal', { replicas })
  }

  /** The same mismatch, seen for many requests at once, is told once in a while. */
  mismatch(report: MismatchReport): void {
    const key = `${report.volume}/${report.seen}/${report.own}/${report.from}`
    const now = this.#o.clock.now()
    if (key === this.#lastMismatch && now - this.#lastMismatchAt < MISMATCH_INTERVAL_MS) return
    this.#lastMismatch = key
    this.#lastMismatchAt = now
    const manager = this.#choice.current()
    if (manager !== null) this.#o.peers.notify(manager, 'mismatch', report)
  }

  #connected(peer: PeerId): void {
    const managers = this.#choice.connected()
    if (!managers.includes(peer)) return
    // The only one: all were gone, and may have been told to forget us meanwhile.
    if (managers.length === 1) this.#registration.renew()
    this.#heartbeats.now()
  }

  #tick(): void {
    if (this.#stopped) return
    void this.#o.report().then(report => {
      if (this.#stopped) return
      for (const id of this.#choice.connected()) this.#o.peers.notify(id, 'storage-report', report)
      this.#registration.ensure()
      this.propose(this.#o.proposals())
      this.sealed(this.#o.sealedShards())
      this.#timer = this.#o.clock.after(STORAGE_REPORT_INTERVAL_MS, () => this.#tick())
    })
  }
}
