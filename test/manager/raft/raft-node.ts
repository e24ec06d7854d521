// One manager as the tests of the Raft core have it: the core, a disk that is as slow as a test
// wants, and a state machine that remembers what was applied. It performs the effects of the core
// in their order, as the driver of a real manager does.
import { assert } from '../../../src/base/assert.js'
import type { PeerId } from '../../../src/base/brands.js'
import type {
  LogEntry,
  LogIndex,
  LogSnapshot,
  RaftMessage,
  Term,
} from '../../../src/net/manager-messages.js'
import { RaftCore } from '../../../src/manager/raft/raft-core.js'
import { logIndex, raftTerm } from '../../../src/manager/raft/raft-log.js'
import type {
  HardState,
  Moment,
  RaftEffects,
  RaftEvent,
  RaftTimings,
} from '../../../src/manager/raft/raft-types.js'

/** What is durable. */
export interface RaftDisk {
  readonly hardState: HardState
  readonly snapshot: LogSnapshot | null
  readonly entries: readonly LogEntry[]
  readonly commit: LogIndex
}

export const EMPTY_DISK: RaftDisk = {
  hardState: { term: raftTerm(0), vote: null },
  snapshot: null,
  entries: [],
  commit: logIndex(0),
}

/** What was applied: values in order, and who voted at that point. */
export interface Applied {
  readonly index: LogIndex
  readonly term: Term
  readonly members: readonly PeerId[]
  readonly values: readonly string[]
}

/** Is told everything that happens; of a step, before its effects are performed. */
export interface NodeObserver {
  stepped(node: RaftNode, effects: RaftEffects): void
  wrote(node: RaftNode, effects: RaftEffects): void
  applied(node: RaftNode, entries: readonly LogEntry[]): void
  installed(node: RaftNode, snapshot: LogSnapshot): void
  send(node: RaftNode, to: PeerId, message: RaftMessage): void
}

/** Effects that wait for the disk, and what they commit, as it was in that step. */
interface Waiting {
  readonly effects: RaftEffects
  readonly committed: readonly LogEntry[]
}

const NOTHING_APPLIED: Applied = {
  index: logIndex(0),
  term: raftTerm(0),
  members: [],
  values: [],
}

export class RaftNode {
  readonly id: PeerId
  readonly #timings: RaftTimings
  readonly #observer: NodeObserver
  #disk: RaftDisk
  // Those of the disk.
  #entries: LogEntry[] = []
  #core: RaftCore | null = null
  #queue: Waiting[] = []
  #applied = NOTHING_APPLIED
  // Those of what was applied.
  #values: string[] = []
  #committed = logIndex(0)
  /** Every write is durable at once. */
  fastDisk = true

  constructor(id: PeerId, timings: RaftTimings, observer: NodeObserver) {
    this.id = id
    this.#timings = timings
    this.#observer = observer
    this.#disk = EMPTY_DISK
  }

  get isUp(): boolean {
    return this.#core !== null
  }

  get core(): RaftCore {
    assert(this.#core, `${this.id} is up`)
    return this.#core
  }

  /** As it is now; changes later. */
  get disk(): RaftDisk {
    return { ...this.#disk, entries: this.#entries }
  }

  get applied(): Applied {
    return { ...this.#applied, values: this.#values }
  }

  /** Steps whose effects are not durable yet. */
  get waiting(): number {
    return this.#queue.length
  }

  start(moment: Moment, disk = this.disk): void {
    assert(!this.#core, `${this.id} is down`)
    this.#setDisk(disk)
    const { snapshot, entries, commit } = disk
    this.#setApplied(snapshot ? appliedBy(snapshot) : NOTHING_APPLIED)
    this.#apply(entries.filter(entry => entry.index <= commit))
    this.#committed = this.#applied.index
    this.#core = new RaftCore({ self: this.id, ...disk }, this.#timings, moment)
  }

  /** `written`: so many of the writes under way became durable, though nobody heard of it. */
  crash(written = 0): void {
    for (const { effects } of this.#queue.slice(0, written)) this.#write(effects)
    this.#core = null
    this.#queue = []
  }

  wipe(disk = EMPTY_DISK): void {
    assert(!this.#core, `${this.id} is down`)
    this.#setDisk(disk)
  }

  step(event: RaftEvent, moment: Moment): void {
    const effects = this.core.step(event, moment)
    this.#observer.stepped(this, effects)
    this.#take(effects)
    if (this.fastDisk) this.persist(Infinity, moment)
  }

  /** So many writes become durable, together. */
  persist(count: number, moment: Moment): void {
    const batch = this.#queue.slice(0, count)
    if (batch.length === 0) return
    for (const { effects } of batch) this.#write(effects)
    this.#queue = this.#queue.slice(batch.length)
    for (const waiting of batch) this.#finish(waiting)
    const last = batch.flatMap(({ effects }) => effects.entries).at(-1)
    if (last) this.step({ kind: 'persisted', index: last.index, term: last.term }, moment)
  }

  /** A snapshot of what was applied is durable, and the entries in it are dropped. */
  compact(moment: Moment): void {
    const snapshot = this.#snapshot()
    const { hardState, commit } = this.#disk
    assert(commit <= this.core.commit, 'the disk knows no more than the core')
    const entries = this.#entries.filter(entry => entry.index > snapshot.index)
    this.#setDisk({ hardState, snapshot, entries, commit: greater(commit, snapshot.index) })
    this.step({ kind: 'compacted', snapshot }, moment)
  }

  #take(effects: RaftEffects): void {
    const committed = this.#entriesUpTo(effects.commit)
    const pending = effects.hardState !== null || this.#queue.some(hasHardState)
    const send = effects.send.filter(({ urgent }) => !urgent || pending)
    const urgent = effects.send.filter(message => !send.includes(message))
    for (const { to, message } of urgent) this.#send(to, message)
    const waiting = { effects: { ...effects, send }, committed }
    if (isDurable(effects) || this.#queue.length > 0) this.#queue.push(waiting)
    else this.#finish(waiting)
  }

  #entriesUpTo(commit: LogIndex | null): readonly LogEntry[] {
    if (commit === null) return []
    const entries = this.core
      .entriesAfter(this.#committed)
      .filter(({ index }) => index > this.#committed && index <= commit)
    this.#committed = commit
    return entries
  }

  #write(effects: RaftEffects): void {
    const { hardState, snapshot, entries, commit } = effects
    if (snapshot) this.#setDisk({ ...this.#disk, snapshot, entries: [] })
    const first = entries[0]?.index ?? Infinity
    while ((this.#entries.at(-1)?.index ?? 0) >= first) this.#entries.pop()
    this.#entries.push(...entries)
    this.#disk = {
      ...this.#disk,
      hardState: hardState ?? this.#disk.hardState,
      commit: greater(commit ?? logIndex(0), this.#disk.commit),
    }
    this.#observer.wrote(this, effects)
  }

  #setDisk(disk: RaftDisk): void {
    this.#disk = disk
    this.#entries = [...disk.entries]
  }

  #setApplied(applied: Applied): void {
    this.#applied = applied
    this.#values = [...applied.values]
  }

  #finish({ effects, committed }: Waiting): void {
    if (effects.snapshot && effects.snapshot.index > this.#applied.index) {
      this.#setApplied(appliedBy(effects.snapshot))
      this.#observer.installed(this, effects.snapshot)
    }
    for (const { to, message } of effects.send) this.#send(to, message)
    this.#apply(committed)
    if (committed.length > 0) this.#observer.applied(this, committed)
  }

  #apply(entries: readonly LogEntry[]): void {
    for (const { index, term, members, data } of entries) {
      assert(index === this.#applied.index + 1, `${this.id} applies without gaps: ${index}`)
      this.#applied = { ...this.#applied, index, term, members: members ?? this.#applied.members }
      if (data.length > 0) this.#values.push(valueOf(data))
    }
  }

  #send(to: PeerId, message: RaftMessage): void {
    const filled: RaftMessage =
      message.kind === 'snapshot' ? { ...message, snapshot: this.#snapshot() } : message
    this.#observer.send(this, to, filled)
  }

  #snapshot(): LogSnapshot {
    const { index, term, members } = this.#applied
    return { index, term, members, data: new TextEncoder().encode(this.#values.join(' ')) }
  }
}

export function valueOf(data: Uint8Array): string {
  return new TextDecoder().decode(data)
}

function appliedBy({ index, term, members, data }: LogSnapshot): Applied {
  const text = valueOf(data)
  return { index, term, members, values: text === '' ? [] : text.split(' ') }
}

function hasHardState({ effects }: Waiting): boolean {
  return effects.hardState !== null
}

function isDurable({ hardState, snapshot, entries }: RaftEffects): boolean {
  return hardState !== null || snapshot !== null || entries.length > 0
}

function greater(a: LogIndex, b: LogIndex): LogIndex {
  return a > b ? a : b
}
