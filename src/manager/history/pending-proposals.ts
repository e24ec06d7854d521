// Changes that the leader has put into its log and whose proposers wait for the outcome. One whose
// entry was replaced by another leader's is refused: nothing was changed. One of which a manager
// that leads no more hears nothing within a time may or may not have been done, and says so.
import { assert } from '../../base/assert.js'
import type { Clock, Timer } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { UNDECIDED_AFTER_MS } from '../../base/limits.js'
import type { Configuration } from '../../layout/configuration.js'
import type { LogIndex, Term } from '../../net/manager-messages.js'
import type { HistoryRecord, ProposalResult } from './configuration-history.js'

interface Proposed {
  readonly index: LogIndex
  readonly term: Term
  readonly record: HistoryRecord
  /** What the change makes; the same on every manager. */
  readonly configuration: Configuration
}

interface Pending extends Proposed {
  readonly resolve: (result: ProposalResult) => void
  readonly reject: (error: SwarmdiskError) => void
}

export class PendingProposals {
  readonly #clock: Clock
  readonly #pending = new Map<LogIndex, Pending>()
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#pending.size
  }

  add(proposed: Proposed): Promise<ProposalResult> {
    // Leading again, at an index that was lost: nobody will ever apply the older one there.
    this.#refuse(proposed.index)
    return new Promise((resolve, reject) => {
      this.#pending.set(proposed.index, { ...proposed, resolve, reject })
    })
  }

  /** What was proposed here as just this entry. */
  find(index: LogIndex, term: Term): Proposed | null {
    const pending = this.#pending.get(index)
    return pending?.term === term ? pending : null
  }

  applied(index: LogIndex, term: Term): void {
    const pending = this.#pending.get(index)
    if (!pending) return
    if (pending.term !== term) return this.#refuse(index)
    this.#pending.delete(index)
    assert(pending.record.epoch === pending.configuration.epoch, 'a record names its epoch')
    pending.resolve({ kind: 'committed', record: pending.record })
  }

  /** A snapshot took the place of entries up to here: who knows what they were. */
  skipped(upTo: LogIndex): void {
    for (const [index, pending] of [...this.#pending]) {
      if (index > upTo) continue
      this.#pending.delete(index)
      pending.reject(undecided())
    }
  }

  /** The next leader usually decides soon; nobody waits for longer than this. */
  leadershipLost(): void {
    if (this.#pending.size === 0) return
    const lost = new Set(this.#pending.values())
    this.#timer?.cancel()
    this.#timer = this.#clock.after(UNDECIDED_AFTER_MS, () => {
      for (const pending of lost) {
        if (this.#pending.get(pending.index) !== pending) continue
        this.#pending.delete(pending.index)
        pending.reject(undecided())
      }
    })
  }

  end(): void {
    this.#timer?.cancel()
    for (const pending of this.#pending.values()) pending.reject(undecided())
    this.#pending.clear()
  }

  #refuse(index: LogIndex): void {
    const pending = this.#pending.get(index)
    if (!pending) return
    this.#pending.delete(index)
    pending.resolve({
      kind: 'refused',
      code: 'no-leader',
      reason: 'Another manager took over before the change was committed: try again.',
    })
  }
}

function undecided(): SwarmdiskError {
  return new SwarmdiskError(
    'undecided',
    'The managers have no leader that could finish the change, so it may or may not be done: ' +
      'look with "swarmdisk epoch list" before you repeat it.',
  )
}
