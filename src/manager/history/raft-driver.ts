// Performs what the Raft core wants done, in its order: makes durable, then sends, then hands over
// what is committed. What comes while the disk is busy is made durable together. A disk that fails
// silences this manager, so that the others elect one that can write; it is tried again now and
// then, since people make space on full disks.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { Clock, Timer } from '../../base/clock.js'
import { wait } from '../../base/clock.js'
import { isSwarmdiskError, type SwarmdiskError } from '../../base/errors.js'
import { STORE_RETRY_MAX_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Random } from '../../base/random.js'
import type { LogEntry, LogIndex, LogSnapshot, RaftMessage } from '../../net/manager-messages.js'
import type { RaftCore } from '../raft/raft-core.js'
import type { HardState, RaftEffects, RaftEvent, RaftSend } from '../raft/raft-types.js'
import type { RaftStore } from './raft-store.js'

export interface RaftDriverOptions {
  readonly core: Pick<RaftCore, 'step' | 'entry' | 'commit' | 'deadline'>
  readonly store: RaftStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly send: (to: PeerId, message: RaftMessage) => void
  /** What was applied last, for the store and for followers that are too far behind. */
  readonly snapshot: () => LogSnapshot
  /** Committed and durable here, in order, each once. */
  readonly apply: (entries: readonly LogEntry[]) => void
  /** A snapshot came from the leader and replaces what was applied. */
  readonly install: (snapshot: LogSnapshot) => void
  /** Something of the core's state may be different now. */
  readonly stepped: () => void
}

/** Effects that wait for the disk. `committed`: what they commit, as it was in that step. */
interface Waiting {
  readonly effects: RaftEffects
  readonly committed: readonly LogEntry[]
}

const JITTER_STEPS = 2 ** 20

export class RaftDriver {
  readonly #o: RaftDriverOptions
  #queue: Waiting[] = []
  #draining: Promise<void> | null = null
  /** Hard states that are not durable yet: until then nothing may be said in their terms. */
  #promises = 0
  #committed: LogIndex
  /** As far as what was made durable knows; behind `#committed` while effects wait. */
  #durableCommit: LogIndex
  #timer: Timer | null = null
  #timerAt = Infinity
  #failure: SwarmdiskError | null = null
  #stopped = false

  /** `committed`: applied by whoever opened the store. */
  constructor(options: RaftDriverOptions, committed: LogIndex) {
    this.#o = options
    this.#committed = committed
    this.#durableCommit = committed
  }

  /** Why nothing can be made durable at present. */
  get failure(): SwarmdiskError | null {
    return this.#failure
  }

  start(): void {
    this.#setTimer()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    // A failing disk would be tried for ever: what waits for it was never acknowledged.
    if (!this.#failure) await this.#draining
  }

  receive(from: PeerId, message: RaftMessage): void {
    // Whoever cannot write must not answer; see the top of the file.
    if (!this.#failure) this.step({ kind: 'message', from, message })
  }

  step(event: RaftEvent): void {
    if (this.#stopped) return
    const { core, clock, random, stepped } = this.#o
    const jitter = random.below(JITTER_STEPS) / JITTER_STEPS
    const effects = core.step(event, { now: clock.now(), jitter })
    this.#take(effects)
    this.#setTimer()
    stepped()
  }

  #take(effects: RaftEffects): void {
    const committed = this.#entriesUpTo(effects.commit)
    const writes = isDurable(effects)
    const send: RaftSend[] = []
    for (const message of effects.send) {
      if (message.urgent && this.#promises === 0 && effects.hardState === null) this.#send(message)
      else send.push(message)
    }
    const rest = { ...effects, send }
    if (!writes && !this.#draining) return this.#finish({ effects: rest, committed })
    if (!writes && send.length === 0 && committed.length === 0) return
    if (effects.hardState) this.#promises++
    this.#queue.push({ effects: rest, committed })
    this.#draining ??= this.#drain()
  }

  #entriesUpTo(commit: LogIndex | null): readonly LogEntry[] {
    if (commit === null || commit <= this.#committed) return []
    const entries: LogEntry[] = []
    for (let i = this.#committed + 1; i <= commit; i++) {
      const entry = this.#o.core.entry(i as LogIndex)
      // What a snapshot brought is applied with it.
      if (entry) entries.push(entry)
    }
    this.#committed = commit
    return entries
  }

  async #drain(): Promise<void> {
    // What comes in the same turn goes along.
    await Promise.resolve()
    while (this.#queue.length > 0 && !this.#stopped) {
      const batch = this.#nextBatch()
      if (!(await this.#persist(batch))) return
      for (const { effects } of batch) if (effects.hardState) this.#promises--
      for (const waiting of batch) this.#finish(waiting)
      const last = batch.flatMap(({ effects }) => effects.entries).at(-1)
      if (last) this.step({ kind: 'persisted', index: last.index, term: last.term })
      await this.#compact()
    }
    this.#draining = null
  }

  /** Everything that waits, but a snapshot begins a batch of its own. */
  #nextBatch(): readonly Waiting[] {
    const next = this.#queue.findIndex(({ effects }, i) => i > 0 && effects.snapshot !== null)
    return this.#queue.splice(0, next < 0 ? this.#queue.length : next)
  }

  /** False: stopped meanwhile. */
  async #persist(batch: readonly Waiting[]): Promise<boolean> {
    if (!batch.some(({ effects }) => isDurable(effects))) return true
    // Not what later steps commit: a snapshot that waits may replace the entries of this batch.
    const commit = batch.reduce(
      (known, { effects }) => effects.commit ?? known,
      this.#durableCommit,
    )
    const write = {
      hardState: lastHardState(batch),
      snapshot: batch[0]?.effects.snapshot ?? null,
      entries: joined(batch),
      commit,
    }
    this.#durableCommit = commit
    for (;;) {
      try {
        await this.#o.store.persist(write)
        if (this.#failure) this.#o.log.info('the disk of this manager works again')
        this.#failure = null
        return true
      } catch (error) {
        if (!isSwarmdiskError(error)) throw error
        this.#fail(error)
      }
      await wait(this.#o.clock, STORE_RETRY_MAX_MS)
      if (this.#stopped) return false
    }
  }

  #fail(error: SwarmdiskError): void {
    if (!this.#failure) {
      this.#o.log.error('the history cannot be written: this manager takes no part', {
        error: error.message,
      })
    }
    this.#failure = error
    this.#o.stepped()
  }

  #finish({ effects, committed }: Waiting): void {
    if (effects.snapshot) this.#o.install(effects.snapshot)
    for (const message of effects.send) this.#send(message)
    if (committed.length > 0) this.#o.apply(committed)
  }

  #send({ to, message }: RaftSend): void {
    if (this.#failure || this.#stopped) return
    const { send, snapshot } = this.#o
    send(to, message.kind === 'snapshot' ? { ...message, snapshot: snapshot() } : message)
  }

  async #compact(): Promise<void> {
    const { store, core, log } = this.#o
    if (!store.full || this.#stopped) return
    const snapshot = this.#o.snapshot()
    assert(snapshot.index <= core.commit, 'only what is committed is compacted')
    try {
      await store.compact(snapshot)
    } catch (error) {
      // What was committed is safe in the log as it is; the next commit tries again.
      if (!isSwarmdiskError(error)) throw error
      log.warn('the configuration history could not be compacted', { error: error.message })
      return
    }
    this.step({ kind: 'compacted', snapshot })
  }

  #setTimer(): void {
    const { core, clock } = this.#o
    const { deadline } = core
    if (this.#stopped || deadline === null) return
    // One that comes too early finds nothing to do and is set again.
    if (this.#timer && this.#timerAt <= deadline) return
    this.#timer?.cancel()
    this.#timerAt = deadline
    this.#timer = clock.after(Math.max(0, deadline - clock.now()), () => {
      this.#timer = null
      this.#timerAt = Infinity
      this.step({ kind: 'tick' })
    })
  }
}

function isDurable({ hardState, snapshot, entries }: RaftEffects): boolean {
  return hardState !== null || snapshot !== null || entries.length > 0
}

function lastHardState(batch: readonly Waiting[]): HardState | null {
  return batch.reduce<HardState | null>((last, { effects }) => effects.hardState ?? last, null)
}

/** A later step may replace the tail of an earlier one. */
function joined(batch: readonly Waiting[]): readonly LogEntry[] {
  const entries: LogEntry[] = []
  for (const { effects } of batch) {
    const first = effects.entries[0]
    if (!first) continue
    while (entries.length > 0 && entries.at(-1)!.index >= first.index) entries.pop()
    entries.push(...effects.entries)
  }
  return entries
}
