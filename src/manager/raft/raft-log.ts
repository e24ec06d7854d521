// The replicated log as it is in memory: everything after the newest snapshot, without gaps, terms
// never going down, and who votes since when. It knows neither what is committed nor what is
// durable; whoever replaces entries here has made sure that they were not committed.
//
//        base        entries
//   ... ───┤ b+1 │ b+2 │ ... │ last
//   (snapshot)
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import { RAFT_APPEND_BYTES_MAX, RAFT_APPEND_ENTRIES_MAX } from '../../base/limits.js'
import type { LogEntry, LogIndex, LogSnapshot, Term } from '../../net/manager-messages.js'

/** Where a log ends, or where a snapshot does. */
export interface Position {
  readonly index: LogIndex
  readonly term: Term
}

/** These vote, from the entry of this index on. */
export interface Membership {
  readonly index: LogIndex
  readonly members: readonly PeerId[]
}

export type SnapshotPosition = Pick<LogSnapshot, 'index' | 'term' | 'members'>

/** What an entry takes in a message beside its data, about. */
const ENTRY_OVERHEAD_BYTES = 64

export function logIndex(n: number): LogIndex {
  assert(Number.isSafeInteger(n) && n >= 0, `not an index of a log: ${n}`)
  return n as LogIndex
}

export function raftTerm(n: number): Term {
  assert(Number.isSafeInteger(n) && n >= 0, `not a term: ${n}`)
  return n as Term
}

export class RaftLog {
  #base: Position = { index: logIndex(0), term: raftTerm(0) }
  #entries: LogEntry[] = []
  // That of the base, if it is known, and those of the entries; oldest first.
  #memberships: Membership[] = []

  constructor(snapshot: SnapshotPosition | null, entries: readonly LogEntry[]) {
    if (snapshot) this.reset(snapshot)
    this.append(entries)
  }

  /** What no entry is kept for any more, up to here. */
  get base(): Position {
    return this.#base
  }

  get last(): Position {
    return this.#entries.at(-1) ?? this.#base
  }

  get lastIndex(): LogIndex {
    return logIndex(this.#base.index + this.#entries.length)
  }

  /** Those who vote according to the newest entry that says so; nobody in an empty log. */
  get members(): readonly PeerId[] {
    return this.#memberships.at(-1)?.members ?? []
  }

  /** The entry (or snapshot) that made them members. */
  get membersSince(): LogIndex {
    return this.#memberships.at(-1)?.index ?? logIndex(0)
  }

  /** Everybody's membership that holds at `index` or was appended after it. */
  membershipsFrom(index: LogIndex): readonly Membership[] {
    const later = this.#memberships.findIndex(membership => membership.index > index)
    if (later < 0) return this.#memberships.slice(-1)
    return this.#memberships.slice(Math.max(0, later - 1))
  }

  entry(index: LogIndex): LogEntry | null {
    return this.#entries[index - this.#base.index - 1] ?? null
  }

  /** Null: beyond the end, or so old that it is not known any more. */
  term(index: LogIndex): Term | null {
    if (index === this.#base.index) return this.#base.term
    return this.entry(index)?.term ?? null
  }

  entriesAfter(index: LogIndex): readonly LogEntry[] {
    return this.#entries.slice(Math.max(0, index - this.#base.index))
  }

  /** From `first` on, as many as one message takes; at least one, if there is one. */
  batch(first: LogIndex): readonly LogEntry[] {
    const start = first - this.#base.index - 1
    assert(start >= 0, 'entries that are sent are still there')
    let end = start
    let bytes = 0
    while (end < this.#entries.length && end - start < RAFT_APPEND_ENTRIES_MAX) {
      bytes += this.#entries[end]!.data.byteLength + ENTRY_OVERHEAD_BYTES
      if (bytes > RAFT_APPEND_BYTES_MAX && end > start) break
      end++
    }
    return this.#entries.slice(start, end)
  }

  /** Is a log that ends there at least as new as this one? */
  isCoveredBy(other: Position): boolean {
    const { index, term } = this.last
    return other.term > term || (other.term === term && other.index >= index)
  }

  /**
   * The last index up to `index` whose term is not above `term`: beyond it, this log and one that
   * has that term at `index` cannot agree. If even the base is too new, the index before it.
   */
  lastAtMost(index: LogIndex, term: Term): LogIndex {
    const base = this.#base.index
    let low = this.#base.term > term ? base - 1 : base
    let high = Math.min(index, this.lastIndex)
    if (low < base || high <= base) return logIndex(Math.max(0, Math.min(low, high)))
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.term(logIndex(middle))! <= term) low = middle
      else high = middle - 1
    }
    return logIndex(low)
  }

  /** The first may have the index of one that is there: it and all after it are replaced. */
  append(entries: readonly LogEntry[]): void {
    const first = entries[0]
    if (!first) return
    assert(first.index > this.#base.index, 'what a snapshot holds is never replaced')
    this.#truncate(first.index)
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, 'a log has no gaps')
      assert(entry.term >= this.last.term, 'terms in a log never go down')
      this.#entries.push(entry)
      if (entry.members) this.#memberships.push({ index: entry.index, members: entry.members })
    }
  }

  /** A snapshot replaces the whole log. */
  reset({ index, term, members }: SnapshotPosition): void {
    this.#base = { index, term }
    this.#entries = []
    this.#memberships = [{ index, members }]
  }

  /** Forgets the entries that a snapshot holds. */
  compact(snapshot: SnapshotPosition): void {
    const { index, term } = snapshot
    if (index <= this.#base.index) return
    assert(this.term(index) === term, 'a snapshot ends with an entry of this log')
    const members = this.membershipsFrom(index)[0]?.members ?? []
    assert(sameMembers(members, snapshot.members), 'a snapshot names those who voted at its end')
    this.#memberships = this.#memberships.filter(membership => membership.index > index)
    this.#memberships.unshift({ index, members })
    this.#entries.splice(0, index - this.#base.index)
    this.#base = { index, term }
  }

  #truncate(first: LogIndex): void {
    if (first > this.lastIndex) return
    this.#entries.length = first - this.#base.index - 1
    while (this.#memberships.at(-1) && this.membersSince >= first) this.#memberships.pop()
  }
}

function sameMembers(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every(member => b.includes(member))
}
