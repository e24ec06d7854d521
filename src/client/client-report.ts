// Tells the managers what `status` shows of this client: where it is mounted, its epoch, and what
// it holds. At once when something is held for another reason than before or no more, to a manager
// that connects, and else every few seconds.
import { epoch } from '../base/brands.js'
import type { Timer } from '../base/clock.js'
import { CLIENT_REPORT_INTERVAL_MS, HELD_CHECK_INTERVAL_MS } from '../base/limits.js'
import type { ClientReport } from '../net/messages.js'
import type { PeerInfo } from '../net/peers.js'
import type { ClientContext } from './context.js'
import type { HeldState } from './volume-driver.js'

export interface ReporterOptions {
  readonly context: ClientContext
  readonly host: string
  readonly mountPoint: string
  readonly held: () => HeldState | null
}

export class ClientReporter {
  readonly #options: ReporterOptions
  readonly #unsubscribe: () => void
  #timer: Timer
  #reported = ''
  #reportedAt = 0

  constructor(options: ReporterOptions) {
    this.#options = options
    const { peers, clock } = options.context
    this.#unsubscribe = peers.subscribe({
      connected: peer => {
        if (isManager(peer)) peers.notify(peer.id, 'client-report', this.#report())
      },
    })
    this.#timer = clock.after(HELD_CHECK_INTERVAL_MS, () => this.#tick())
  }

  stop(): void {
    this.#unsubscribe()
    this.#timer.cancel()
  }

  #tick(): void {
    const { clock, log } = this.#options.context
    this.#timer = clock.after(HELD_CHECK_INTERVAL_MS, () => this.#tick())
    const report = this.#report()
    const what = report.held?.reason ?? ''
    const changed = what !== this.#reported
    if (changed && report.held) log.warn('I/O is held', { reason: what, since: report.held.since })
    if (changed && !report.held) log.info('I/O goes on')
    if (!changed && clock.now() - this.#reportedAt < CLIENT_REPORT_INTERVAL_MS) return
    this.#reported = what
    this.#reportedAt = clock.now()
    const { peers } = this.#options.context
    for (const peer of peers.list()) {
      if (isManager(peer)) peers.notify(peer.id, 'client-report', report)
    }
  }

  #report(): ClientReport {
    const { context, host, mountPoint, held } = this.#options
    const known = context.watch.current()?.epoch ?? epoch(0)
    return { host, mountPoint, epoch: known, held: held() }
  }
}

function isManager(peer: PeerInfo): boolean {
  return peer.roles.includes('manager')
}
