// How long a primary waits for the replicas of its shard, itself among them. While it waits for
// somebody it looks every second what exactly for; what is the same for too long is not coming.
// Where nothing is waited for, there is no timer.
import type { PeerId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import {
  PATIENCE_FAILING_MS,
  PATIENCE_INTERVAL_MS,
  PATIENCE_STUCK_MS,
  PATIENCE_UNREACHABLE_MS,
} from '../../base/limits.js'
import type { SuspensionCause } from '../../layout/change.js'
import type { Overdue } from '../replication/suspects.js'

/** What each replica is waited for: the same words as long as it is the same thing. */
export type Waiting = ReadonlyMap<PeerId, string>

export interface PatienceOptions {
  readonly clock: Clock
  readonly waiting: () => Waiting
  /** How the replica stands now, by what it says and by whether there is a path to it. */
  readonly cause: (server: PeerId) => SuspensionCause
  /** Repeated as long as it is so. */
  readonly lost: (overdue: readonly Overdue[]) => void
}

const LIMITS: Readonly<Record<SuspensionCause, number>> = {
  failing: PATIENCE_FAILING_MS,
  unreachable: PATIENCE_UNREACHABLE_MS,
  stuck: PATIENCE_STUCK_MS,
}

interface Wait {
  readonly what: string
  readonly since: number
}

export class Patience {
  readonly #o: PatienceOptions
  #waits = new Map<PeerId, Wait>()
  #timer: Timer | null = null

  constructor(options: PatienceOptions) {
    this.#o = options
  }

  /** Something may be waited for now. */
  watch(): void {
    if (this.#timer) return
    this.#look()
  }

  /** Another allocation, another story. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#waits = new Map()
  }

  #look(): void {
    const { clock, waiting, cause, lost } = this.#o
    const now = clock.now()
    const known = this.#waits
    this.#waits = new Map()
    const overdue: Overdue[] = []
    for (const [server, what] of waiting()) {
      const before = known.get(server)
      const since = before?.what === what ? before.since : now
      this.#waits.set(server, { what, since })
      const why = cause(server)
      if (now - since >= LIMITS[why]) overdue.push({ server, cause: why })
    }
    this.#timer =
      this.#waits.size === 0
        ? null
        : clock.after(PATIENCE_INTERVAL_MS, () => {
            this.#timer = null
            this.#look()
          })
    if (overdue.length > 0) lost(overdue)
  }
}
