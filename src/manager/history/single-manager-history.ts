// The history of a cluster with one manager: a change is committed when it is durable on this disk.
// Changes proposed while one is being written share the next write and sync. Now and then the
// configuration itself is written as a snapshot, so that a start replays little.
import { assert } from '../../base/assert.js'
import { epoch, type Epoch } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import {
  CONFIGURATIONS_KEPT,
  HISTORY_BATCH_RECORDS,
  HISTORY_RECORD_BYTES_MAX,
  PROPOSALS_WAITING_MAX,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Disk } from '../../disk/disk.js'
import { apply } from '../../layout/apply.js'
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'
import { difference, type Delta } from '../../layout/delta.js'
import type {
  ConfigurationHistory,
  HistoryRecord,
  ProposalOrigin,
  ProposalResult,
} from './configuration-history.js'
import { describeChange } from '../describe-change.js'
import { HistoryLog } from './version-1/history-log.js'
import { encodeRecord } from './history-record.js'
import { readSnapshot, writeSnapshot } from './version-1/snapshot.js'

const FOLDER = 'manager'

export interface SingleManagerHistoryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
}

interface Proposal {
  readonly change: Change
  readonly origin: ProposalOrigin
  readonly resolve: (result: ProposalResult) => void
  readonly reject: (error: unknown) => void
}

type Decided = readonly [Proposal, ProposalResult]

export class SingleManagerHistory implements ConfigurationHistory {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Log
  readonly #history: HistoryLog
  readonly #listeners = new Set<(configuration: Configuration) => void>()
  // The newest configurations by epoch, the current one last.
  readonly #kept = new Map<Epoch, Configuration>()
  // From older epochs to the current one.
  readonly #deltas = new Map<Epoch, Delta>()
  #current: Configuration | null
  readonly #waiting: Proposal[] = []
  #committing: Promise<void> | null = null
  #closed = false

  private constructor(
    options: SingleManagerHistoryOptions,
    history: HistoryLog,
    current: Configuration | null,
  ) {
    this.#disk = options.disk
    this.#clock = options.clock
    this.#log = options.log
    this.#history = history
    this.#current = current
    if (current) this.#kept.set(current.epoch, current)
  }

  /** Reads what is there; `current()` is null if that is nothing. */
  static async open(options: SingleManagerHistoryOptions): Promise<SingleManagerHistory> {
    const { disk, log } = options
    const snapshot = await readSnapshot(disk, FOLDER)
    const { history, records } = await HistoryLog.open({
      disk,
      log,
      folder: FOLDER,
      snapshot: snapshot?.epoch ?? 0,
    })
    const opened = new SingleManagerHistory(options, history, snapshot)
    for (const record of records) opened.#adopt(replay(opened.#current, record))
    return opened
  }

  current(): Configuration | null {
    return this.#current
  }

  propose(change: Change, origin: ProposalOrigin): Promise<ProposalResult> {
    if (this.#closed) {
      throw new SwarmdiskError('aborted', 'the manager is stopping; ask again when it is back')
    }
    if (this.#waiting.length >= PROPOSALS_WAITING_MAX) {
      const reason = 'Too many changes are waiting for the disk of the manager: try again.'
      return Promise.resolve({ kind: 'refused', code: 'busy', reason })
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, origin, resolve, reject })
      this.#committing ??= this.#commitAll()
    })
  }

  records(from: Epoch, limit: number): Promise<readonly HistoryRecord[]> {
    return this.#history.read(from, limit)
  }

  since(from: Epoch): Delta | null {
    const before = this.#kept.get(from)
    const current = this.#current
    if (!before || !current || from >= current.epoch) return null
    const known = this.#deltas.get(from)
    if (known) return known
    const delta = difference(before, current)
    this.#deltas.set(from, delta)
    return delta
  }

  subscribe(listener: (configuration: Configuration) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Carries out what was proposed before, then closes the files. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#committing
    await this.#history.close()
  }

  async #commitAll(): Promise<void> {
    // Proposals of the same turn go together.
    await Promise.resolve()
    while (this.#waiting.length > 0)
      await this.#commit(this.#waiting.splice(0, HISTORY_BATCH_RECORDS))
    this.#committing = null
  }

  async #commit(batch: readonly Proposal[]): Promise<void> {
    const before = this.#current
    const decided: Decided[] = []
    const configurations: Configuration[] = []
    const encoded: Uint8Array[] = []
    let bytes = 0
    for (const [i, proposal] of batch.entries()) {
      const tip = configurations.at(-1) ?? before
      const { result, configuration, record } = this.#decide(tip, proposal)
      if (record) {
        bytes += record.byteLength
        if (encoded.length > 0 && bytes > HISTORY_RECORD_BYTES_MAX) {
          this.#waiting.unshift(...batch.slice(i))
          break
        }
        encoded.push(record)
        configurations.push(configuration)
      }
      decided.push([proposal, result])
    }
    try {
      const cluster = configurations[0]?.cluster
      if (cluster !== undefined) await this.#history.append(cluster, encoded)
    } catch (error) {
      // A refusal may have been due to a change of this batch, so nobody gets an answer but this.
      for (const [proposal] of decided) proposal.reject(error)
      return
    }
    for (const configuration of configurations) this.#adopt(configuration)
    if (this.#history.full) await this.#compact()
    if (configurations.length > 0) this.#announce()
    for (const [proposal, result] of decided) proposal.resolve(result)
  }

  #decide(
    tip: Configuration | null,
    { change, origin }: Proposal,
  ):
    | { result: ProposalResult; configuration: Configuration; record: Uint8Array }
    | { result: ProposalResult; configuration: null; record: null } {
    const outcome = apply(tip, change)
    if (outcome.kind === 'refused') return { result: outcome, configuration: null, record: null }
    const { configuration } = outcome
    const text = describeChange(change, configuration, tip)
    const record: HistoryRecord = {
      epoch: configuration.epoch,
      at: this.#clock.date(),
      proposer: origin.proposer,
      votes: origin.votes,
      change,
      text,
    }
    return { result: { kind: 'committed', record }, configuration, record: encodeRecord(record) }
  }

  #adopt(configuration: Configuration): void {
    assert(
      configuration.epoch === (this.#current?.epoch ?? 0) + 1,
      'epochs follow each other without a gap (I3)',
    )
    this.#current = configuration
    this.#kept.set(configuration.epoch, configuration)
    const oldest = configuration.epoch - CONFIGURATIONS_KEPT
    if (oldest >= 0) this.#kept.delete(epoch(oldest))
    this.#deltas.clear()
  }

  #announce(): void {
    const current = this.#current
    assert(current, 'a commit leaves a configuration')
    for (const listener of [...this.#listeners]) listener(current)
  }

  async #compact(): Promise<void> {
    const current = this.#current
    assert(current, 'a full log has a configuration')
    try {
      await writeSnapshot(this.#disk, FOLDER, current)
      await this.#history.rotate(current.cluster)
    } catch (error) {
      // What was committed is safe in the log as it is; the next commit tries again.
      if (!isSwarmdiskError(error)) throw error
      this.#log.warn('the configuration history could not be compacted', { error: error.message })
    }
  }
}

function replay(current: Configuration | null, record: HistoryRecord): Configuration {
  const outcome = apply(current, record.change)
  if (outcome.kind === 'applied' && outcome.configuration.epoch === record.epoch) {
    return outcome.configuration
  }
  const why = outcome.kind === 'refused' ? outcome.reason : 'it has another number.'
  const message =
    `epoch ${record.epoch} of the configuration history cannot be repeated: ${why} Use the ` +
    'release that wrote it, or restore the data directory of the manager from a copy'
  throw new SwarmdiskError('corrupt', message)
}
