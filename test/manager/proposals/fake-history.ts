// A replicated history without Raft: it commits at once, or when the test says so, and the test
// says who leads.
import type { Epoch, PeerId } from '../../../src/base/brands.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { apply } from '../../../src/layout/apply.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { describeChange } from '../../../src/manager/describe-change.js'
import type {
  HistoryRecord,
  ProposalOrigin,
  ProposalResult,
} from '../../../src/manager/history/configuration-history.js'
import type { ReplicatedHistory } from '../../../src/manager/history/replicated-history.js'

interface InFlight {
  readonly record: HistoryRecord
  readonly configuration: Configuration
  readonly resolve: (result: ProposalResult) => void
  readonly reject: (error: Error) => void
}

export class FakeHistory implements ReplicatedHistory {
  readonly committed: HistoryRecord[] = []
  /** Set by the test: proposals wait for `release()`. */
  holds = false
  lease = true
  readonly #self: PeerId
  readonly #inFlight: InFlight[] = []
  readonly #listeners = new Set<(configuration: Configuration) => void>()
  readonly #leadership = new Set<() => void>()
  #current: Configuration
  #leader: PeerId | null

  constructor(self: PeerId, current: Configuration) {
    this.#self = self
    this.#current = current
    this.#leader = self
  }

  get leads(): boolean {
    return this.#leader === this.#self
  }

  get leader(): PeerId | null {
    return this.#leader
  }

  /** What was in flight is lost, as nobody knows. */
  lead(leader: PeerId | null): void {
    this.#leader = leader
    for (const { reject } of this.#inFlight.splice(0)) {
      reject(new SwarmdiskError('undecided', 'it may or may not have been done'))
    }
    for (const listener of [...this.#leadership]) listener()
  }

  leaseValid(): boolean {
    return this.leads && this.lease
  }

  onLeadership(listener: () => void): () => void {
    this.#leadership.add(listener)
    return () => this.#leadership.delete(listener)
  }

  current(): Configuration {
    return this.#current
  }

  propose(change: Change, origin: ProposalOrigin, base?: Epoch): Promise<ProposalResult> {
    if (!this.leads) return refused('no-leader')
    const tip = this.#inFlight.at(-1)?.configuration ?? this.#current
    if (base !== undefined && base !== tip.epoch) return refused('outdated')
    const outcome = apply(tip, change)
    if (outcome.kind === 'refused') return Promise.resolve(outcome)
    const { configuration } = outcome
    const text = describeChange(change, configuration, tip)
    const record = { ...origin, epoch: configuration.epoch, at: '2026-01-01', change, text }
    return new Promise((resolve, reject) => {
      this.#inFlight.push({ record, configuration, resolve, reject })
      if (!this.holds) this.release()
    })
  }

  /** Commits what is in flight. */
  release(): void {
    for (const { record, configuration, resolve } of this.#inFlight.splice(0)) {
      this.committed.push(record)
      this.#current = configuration
      for (const listener of [...this.#listeners]) listener(configuration)
      resolve({ kind: 'committed', record })
    }
  }

  /** As if another leader had committed it. */
  adopt(configuration: Configuration): void {
    this.#current = configuration
    for (const listener of [...this.#listeners]) listener(configuration)
  }

  records(from: Epoch, limit: number): Promise<readonly HistoryRecord[]> {
    const wanted = this.committed.filter(({ epoch }) => epoch >= from)
    return Promise.resolve(wanted.slice(0, limit))
  }

  since(): null {
    return null
  }

  subscribe(listener: (configuration: Configuration) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function refused(code: string): Promise<ProposalResult> {
  return Promise.resolve({ kind: 'refused', code, reason: `${code}.` })
}
