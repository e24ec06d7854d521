// The history of the configuration, kept by all managers of a cluster with Raft: what is committed
// is on the disks of a majority and never taken back. The leader judges a change against the newest
// configuration it has, committed or not, and numbers it; since the log has one order, every
// manager then finds the same epoch for it (I3). Entries without a record begin a leader's term:
// they make no epoch.
import { assert } from '../../base/assert.js'
import type { Epoch, PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import {
  CLOCK_DRIFT_MARGIN_MS,
  ELECTION_TIMEOUT_MAX_MS,
  ELECTION_TIMEOUT_MIN_MS,
  HAND_OVER_MS,
  PROPOSALS_WAITING_MAX,
  RAFT_HEARTBEAT_MS,
  RAFT_RESEND_MS,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Random } from '../../base/random.js'
import type { Disk } from '../../disk/disk.js'
import { apply } from '../../layout/apply.js'
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'
import type { Delta } from '../../layout/delta.js'
import { roomProblem } from '../../layout/apply/room.js'
import { decodeConfiguration, encodeConfiguration } from '../../net/codecs/configuration.js'
import type {
  LogEntry,
  LogIndex,
  LogSnapshot,
  RaftMessage,
  Term,
} from '../../net/manager-messages.js'
import { describeChange } from '../describe-change.js'
import { RaftCore } from '../raft/raft-core.js'
import type { RaftTimings } from '../raft/raft-types.js'
import { CommittedHistory } from './committed-history.js'
import type { HistoryRecord, ProposalOrigin, ProposalResult } from './configuration-history.js'
import { FileRaftStore } from './file-raft-store.js'
import { decodeRecord, encodeRecord } from './history-record.js'
import { PendingProposals } from './pending-proposals.js'
import { RaftDriver } from './raft-driver.js'
import type { OpenedRaftStore, RaftStore } from './raft-store.js'
import { replay } from './replay.js'
import type { ReplicatedHistory } from './replicated-history.js'

export interface RaftHistoryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly self: PeerId
  readonly send: (to: PeerId, message: RaftMessage) => void
}

const TIMINGS: RaftTimings = {
  heartbeat: RAFT_HEARTBEAT_MS,
  electionMin: ELECTION_TIMEOUT_MIN_MS,
  electionMax: ELECTION_TIMEOUT_MAX_MS,
  driftMargin: CLOCK_DRIFT_MARGIN_MS,
  resend: RAFT_RESEND_MS,
}
const FIRST_TERM = 1 as Term
const FIRST_INDEX = 1 as LogIndex

export class RaftHistory implements ReplicatedHistory {
  readonly #clock: Clock
  readonly #store: RaftStore
  readonly #committed = new CommittedHistory()
  readonly #core: RaftCore
  readonly #driver: RaftDriver
  readonly #pending: PendingProposals
  readonly #leadershipListeners = new Set<() => void>()
  readonly #progressListeners = new Set<() => void>()
  #applied: { readonly index: LogIndex; readonly term: Term }
  /** What the next change is judged against, while this manager leads. */
  #tip: Configuration | null = null
  #leads = false
  #leader: PeerId | null = null
  #closed = false

  private constructor(options: RaftHistoryOptions, { store, start }: OpenedRaftStore) {
    const { clock, random, log, self, send } = options
    this.#clock = clock
    this.#store = store
    this.#pending = new PendingProposals(clock)
    const { snapshot } = start
    const last = start.entries.at(-1)?.index ?? snapshot?.index ?? (0 as LogIndex)
    const members = start.entries.reduce(
      (known, entry) => entry.members ?? known,
      snapshot?.members ?? [],
    )
    // Nobody else needs to agree to what is on this disk.
    const alone = members.length === 1 && members[0] === self
    const commit = alone ? last : start.commit
    this.#applied = {
      index: snapshot?.index ?? (0 as LogIndex),
      term: snapshot?.term ?? (0 as Term),
    }
    if (snapshot) this.#committed.install(decodeConfiguration(snapshot.data))
    this.#adopt(start.entries.filter(({ index }) => index <= commit))
    const moment = { now: clock.now(), jitter: random.below(2 ** 20) / 2 ** 20 }
    this.#core = new RaftCore({ ...start, self, commit }, TIMINGS, moment)
    this.#driver = new RaftDriver(
      {
        ...{ core: this.#core, store, clock, random, log, send },
        snapshot: () => this.#snapshot(),
        apply: entries => this.#apply(entries),
        install: installed => this.#install(installed),
        stepped: () => this.#stepped(),
      },
      commit,
    )
  }

  /** Reads what is there; `current()` is null if that is nothing. */
  static async open(options: RaftHistoryOptions): Promise<RaftHistory> {
    const { disk, log } = options
    return new RaftHistory(options, await FileRaftStore.open({ disk, log }))
  }

  /** Makes the first entry of a new cluster, on a disk that holds nothing yet. */
  static async create(
    options: RaftHistoryOptions,
    change: Extract<Change, { kind: 'cluster-created' }>,
    origin: ProposalOrigin,
  ): Promise<void> {
    const { disk, log, self, clock } = options
    const { store, start } = await FileRaftStore.open({ disk, log })
    try {
      assert(start.entries.length === 0 && !start.snapshot, 'a new cluster begins with nothing')
      const outcome = apply(null, change)
      assert(outcome.kind === 'applied', 'the first change of a cluster is valid')
      const { configuration } = outcome
      const data = encodeRecord(recordOf({ change, origin, clock, configuration, before: null }))
      const entry = { index: FIRST_INDEX, term: FIRST_TERM, members: [self], data }
      await store.persist({
        hardState: { term: FIRST_TERM, vote: self },
        snapshot: null,
        entries: [entry],
        commit: FIRST_INDEX,
      })
    } finally {
      await store.close()
    }
  }

  /** Takes part from now on: what is sent arrives. */
  start(): void {
    this.#driver.start()
    // A manager alone need not wait for anybody.
    this.#driver.step({ kind: 'tick' })
  }

  // ---- reading --------------------------------------------------------------------------------

  current(): Configuration | null {
    return this.#committed.current
  }

  async records(from: Epoch, limit: number): Promise<readonly HistoryRecord[]> {
    const last = this.#committed.current?.epoch
    return last === undefined ? [] : this.#store.records(from, last, limit)
  }

  since(from: Epoch): Delta | null {
    return this.#committed.since(from)
  }

  subscribe(listener: (configuration: Configuration) => void): () => void {
    return this.#committed.subscribe(listener)
  }

  // ---- leading --------------------------------------------------------------------------------

  get leads(): boolean {
    return this.#leads
  }

  get leader(): PeerId | null {
    return this.#leader
  }

  /** Of the newest log, whether or not it is committed. */
  get members(): readonly PeerId[] {
    return this.#core.members
  }

  /** Nothing of its log is under way: current() is all there is. */
  get isQuiet(): boolean {
    return this.#applied.index === this.#core.lastIndex
  }

  leaseValid(): boolean {
    return this.#leads && this.#core.leaseValid(this.#clock.now())
  }

  onLeadership(listener: () => void): () => void {
    this.#leadershipListeners.add(listener)
    return () => this.#leadershipListeners.delete(listener)
  }

  /** Replicates to a manager that is no member (yet); as long as this one leads. */
  addLearner(peer: PeerId): void {
    if (this.#leads) this.#driver.step({ kind: 'add-learner', peer })
  }

  removeLearner(peer: PeerId): void {
    if (this.#leads) this.#driver.step({ kind: 'remove-learner', peer })
  }

  /** Whether this learner has nearly everything by then, milliseconds from now. */
  caughtUp(peer: PeerId, deadline: number): Promise<boolean> {
    return new Promise(resolve => {
      const end = (result: boolean): void => {
        timer.cancel()
        this.#progressListeners.delete(look)
        resolve(result)
      }
      const look = (): void => {
        if (!this.#leads) return end(false)
        if (this.#core.mayAdd(peer)) end(true)
      }
      const timer = this.#clock.after(deadline, () => end(false))
      this.#progressListeners.add(look)
      look()
    })
  }

  /** Before a clean stop: whoever has most of the log leads next, without an election timeout. */
  async handOver(): Promise<void> {
    const others = this.#core.members.filter(peer => this.#core.match(peer) !== null)
    const [next] = others.sort((a, b) => this.#core.match(b)! - this.#core.match(a)!)
    if (!this.#leads || next === undefined || this.#driver.failure) return
    this.#driver.step({ kind: 'transfer', to: next })
    await new Promise<void>(resolve => {
      const end = (): void => {
        timer.cancel()
        this.#progressListeners.delete(look)
        resolve()
      }
      const look = (): void => {
        if (!this.#core.isLeading) end()
      }
      const timer = this.#clock.after(HAND_OVER_MS, end)
      this.#progressListeners.add(look)
    })
  }

  // ---- changing -------------------------------------------------------------------------------

  propose(change: Change, origin: ProposalOrigin, base?: Epoch): Promise<ProposalResult> {
    if (this.#closed) {
      throw new SwarmdiskError('aborted', 'the manager is stopping; ask again when it is back')
    }
    const { failure } = this.#driver
    if (failure) return Promise.reject(failure)
    const tip = this.#tip
    if (!this.#leads || !tip || this.#core.transferring) return Promise.resolve(NO_LEADER)
    if (this.#pending.size >= PROPOSALS_WAITING_MAX) return Promise.resolve(BUSY)
    if (base !== undefined && tip.epoch !== base) return Promise.resolve(OUTDATED)
    const outcome = apply(tip, change)
    if (outcome.kind === 'refused') return Promise.resolve(outcome)
    const { configuration } = outcome
    const full = roomProblem(tip, configuration)
    if (full !== null) return Promise.resolve(full)
    const changesMembers = change.kind === 'manager-added' || change.kind === 'manager-removed'
    if (changesMembers && !this.#core.mayChangeMembers) return Promise.resolve(MEMBERS_BUSY)
    if (change.kind === 'manager-added' && !this.#core.mayAdd(change.manager.id)) {
      return Promise.resolve(NOT_COPIED)
    }
    const members = changesMembers ? configuration.managers.map(({ id }) => id) : null
    const clock = this.#clock
    const record = recordOf({ change, origin, clock, configuration, before: tip })
    this.#tip = configuration
    const index = (this.#core.lastIndex + 1) as LogIndex
    const result = this.#pending.add({ index, term: this.#core.term, record, configuration })
    this.#driver.step({ kind: 'propose', entries: [{ members, data: encodeRecord(record) }] })
    return result
  }

  receive(from: PeerId, message: RaftMessage): void {
    this.#driver.receive(from, message)
  }

  /** A new link to another manager: what was under way may be lost. */
  reconnected(peer: PeerId): void {
    this.#driver.step({ kind: 'reconnected', peer })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#driver.stop()
    this.#pending.end()
    await this.#store.close()
  }

  // ---- what the driver hands over -------------------------------------------------------------

  #apply(entries: readonly LogEntry[]): void {
    this.#adopt(entries)
    this.#stepped()
    if (entries.some(({ data }) => data.length > 0)) this.#committed.announce()
    for (const { index, term } of entries) this.#pending.applied(index, term)
  }

  #adopt(entries: readonly LogEntry[]): void {
    for (const { index, term, data } of entries) {
      assert(index === this.#applied.index + 1, 'entries are applied without a gap')
      this.#applied = { index, term }
      if (data.length === 0) continue
      const known = this.#pending.find(index, term)
      this.#committed.adopt(
        known?.configuration ?? replay(this.#committed.current, decodeRecord(data)),
      )
    }
  }

  #install(snapshot: LogSnapshot): void {
    const { index, term } = snapshot
    if (index <= this.#applied.index) return
    const before = this.#committed.current?.epoch
    this.#committed.install(decodeConfiguration(snapshot.data))
    this.#applied = { index, term }
    this.#pending.skipped(index)
    if (this.#committed.current?.epoch !== before) this.#committed.announce()
  }

  #snapshot(): LogSnapshot {
    const current = this.#committed.current
    assert(current, 'a snapshot is of something')
    const members = current.managers.map(({ id }) => id)
    return { ...this.#applied, members, data: encodeConfiguration(current) }
  }

  #stepped(): void {
    const core = this.#core
    const applied = this.#applied.index >= core.commit
    // Everything that earlier leaders left is decided, and applied here.
    const leads = core.settled && (this.#leads || applied) && !this.#driver.failure
    const { leader } = core
    const changed = leads !== this.#leads || leader !== this.#leader
    if (leads && !this.#leads) this.#tip = this.#committed.current
    if (!leads && this.#leads) this.#pending.leadershipLost()
    if (!leads) this.#tip = null
    this.#leads = leads
    this.#leader = leader
    for (const listener of [...this.#progressListeners]) listener()
    if (changed) for (const listener of [...this.#leadershipListeners]) listener()
  }
}

function recordOf(made: {
  readonly change: Change
  readonly origin: ProposalOrigin
  readonly clock: Clock
  readonly configuration: Configuration
  readonly before: Configuration | null
}): HistoryRecord {
  const { change, origin, clock, configuration, before } = made
  return {
    epoch: configuration.epoch,
    at: clock.date(),
    proposer: origin.proposer,
    votes: origin.votes,
    change,
    text: describeChange(change, configuration, before),
  }
}

const refused = (code: string, reason: string): ProposalResult => {
  return { kind: 'refused', code, reason }
}
const NO_LEADER = refused(
  'no-leader',
  'This manager does not lead, or has not caught up with what earlier leaders left: try again.',
)
const BUSY = refused('busy', 'Too many changes are waiting for the managers: try again.')
const OUTDATED = refused('outdated', 'Another change came first: plan again.')
const NOT_COPIED = refused(
  'not-copied',
  'The history is still being copied to the new manager: try again in a moment.',
)
const MEMBERS_BUSY = refused(
  'busy',
  'Another change of the managers is under way: try again in a moment.',
)
