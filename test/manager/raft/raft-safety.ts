// What must hold whatever happens, checked after every step of every manager, with knowledge that
// no manager has: all disks at once, and true time. Throws when something does not hold.
import { assert } from '../../../src/base/assert.js'
import type { PeerId } from '../../../src/base/brands.js'
import { majority } from '../../../src/manager/raft/quorum.js'
import type { RaftEffects } from '../../../src/manager/raft/raft-types.js'
import type {
  LogEntry,
  LogIndex,
  LogSnapshot,
  RaftMessage,
  Term,
} from '../../../src/net/manager-messages.js'
import { logIndex } from '../../../src/manager/raft/raft-log.js'
import type { RaftGroup } from './raft-group.js'
import { valueOf, type RaftNode } from './raft-node.js'

/** What an entry is, and the term of the one before it: by induction, the whole log up to it. */
interface Print {
  readonly previousTerm: number
  readonly content: string
}

export class RaftSafety {
  readonly #group: () => RaftGroup
  readonly #leaders = new Map<Term, PeerId>()
  readonly #votes = new Map<string, PeerId>()
  readonly #prints = new Map<string, Print>()
  readonly #committed: Term[] = []
  readonly #values: string[] = []
  #commits = 0

  constructor(group: () => RaftGroup) {
    this.#group = group
  }

  /** Entries that somebody knew to be committed. */
  get committed(): number {
    return this.#committed.length - 1
  }

  /** Different values that were applied somewhere. */
  get values(): number {
    return this.#values.length
  }

  get elections(): number {
    return this.#leaders.size
  }

  get commits(): number {
    return this.#commits
  }

  /** Logs that were there before the first step. */
  started(node: RaftNode): void {
    const { entries, commit } = node.disk
    this.#logMatching(node.id, entries, -1)
    this.#stateMachineSafety(node, entries.slice(0, commit))
  }

  stepped(node: RaftNode, effects: RaftEffects): void {
    if (effects.snapshot) this.#snapshotIsCommitted(node, effects.snapshot)
    if (effects.commit !== null) this.#committedTo(node, effects.commit)
    this.#electionSafety(node)
    this.#leases()
  }

  /** Entries of a term that was never durable, and that nobody heard of, may be another's. */
  wrote({ id, disk }: RaftNode, { entries }: RaftEffects): void {
    const before = disk.entries.at(-entries.length - 1)
    this.#logMatching(id, entries, before?.term ?? -1)
  }

  sent(node: RaftNode, to: PeerId, message: RaftMessage): void {
    const { hardState } = node.disk
    if (message.kind === 'append') {
      this.#logMatching(node.id, message.entries, message.previousTerm)
    }
    if ('pre' in message && message.pre) return
    assert(hardState.term >= message.term, `${node.id} sends in a term that is not durable`)
    if (message.kind !== 'vote-reply' || !message.granted) return
    const isDurable = hardState.vote === to || hardState.term > message.term
    assert(isDurable, `the vote of ${node.id} for ${to} is not durable`)
    const key = `${node.id} in term ${message.term}`
    const before = this.#votes.get(key)
    assert(before === undefined || before === to, `one vote of ${key}: ${before}, ${to}`)
    this.#votes.set(key, to)
  }

  applied(node: RaftNode, entries: readonly LogEntry[]): void {
    const values = entries.filter(({ data }) => data.length > 0).length
    this.#commits += values
    this.#applied(node, node.applied.values.length - values)
  }

  installed(node: RaftNode): void {
    this.#applied(node, 0)
  }

  /** State machines that are equally far are equal: a prefix of one another. */
  #applied({ id, applied }: RaftNode, first: number): void {
    for (const [i, value] of applied.values.slice(first).entries()) {
      const known = (this.#values[first + i] ??= value)
      assert(known === value, `${id} applied ${value} as number ${first + i}, not ${known}`)
    }
  }

  #electionSafety(node: RaftNode): void {
    const { id, core } = node
    if (core.role !== 'leader') return
    const { term } = core
    const known = this.#leaders.get(term)
    assert(known === undefined || known === id, `two leaders of term ${term}: ${known}, ${id}`)
    if (known === undefined) this.#leaderCompleteness(node)
    this.#leaders.set(term, id)
  }

  #leaderCompleteness({ id, core }: RaftNode): void {
    const last = logIndex(Math.max(0, this.#committed.length - 1))
    const term = this.#committed[last]
    if (term === undefined) return
    const has = core.lastIndex >= last && (core.entry(last)?.term ?? term) === term
    assert(has, `${id} leads term ${core.term} without committed entry ${last}`)
  }

  /** `previousTerm`: of the entry before the first, -1 if that is not known. */
  #logMatching(id: PeerId, entries: readonly LogEntry[], previousTerm: number): void {
    let previous = previousTerm
    for (const { index, term, members, data } of entries) {
      const content = `${members?.join(',') ?? ''}|${valueOf(data)}`
      const key = `${index}/${term}`
      const known = this.#prints.get(key)
      if (known) {
        assert(known.content === content, `${id} has another entry ${key}`)
        const same = known.previousTerm < 0 || previous < 0 || known.previousTerm === previous
        assert(same, `${id} has another log before ${key}`)
      }
      if (!known || known.previousTerm < 0) {
        this.#prints.set(key, { previousTerm: previous, content })
      }
      previous = term
    }
  }

  #committedTo(node: RaftNode, commit: LogIndex): void {
    const news = node.core.entriesAfter(node.applied.index)
    this.#stateMachineSafety(
      node,
      news.filter(({ index }) => index <= commit),
    )
    if (node.core.role === 'leader') this.#durableAtMajority(node, commit)
  }

  #stateMachineSafety({ id }: RaftNode, entries: readonly LogEntry[]): void {
    for (const { index, term } of entries) {
      const known = this.#committed[index] ?? term
      assert(known === term, `${id} commits ${index}/${term}, not ${index}/${known}`)
      this.#committed[index] = term
    }
  }

  #snapshotIsCommitted({ id }: RaftNode, { index, term }: LogSnapshot): void {
    assert(this.#committed[index] === term, `${id} gets a snapshot of what is not committed`)
  }

  #durableAtMajority({ id, core }: RaftNode, commit: LogIndex): void {
    const term = core.entry(commit)?.term
    const has = ({ disk: { snapshot, entries } }: RaftNode): boolean => {
      const first = entries[0]?.index ?? Infinity
      return (snapshot?.index ?? 0) >= commit || entries[commit - first]?.term === term
    }
    const group = this.#group()
    const holders = core.members.filter(member => group.has(member) && has(group.node(member)))
    const enough = holders.length >= majority(core.members.length)
    assert(enough, `${id} commits ${commit} that only ${holders.join(' ')} can keep`)
  }

  /** Who holds a lease knows of no leader of a later term, since there is none. */
  #leases(): void {
    const { now, up } = this.#group()
    const leaders = up.filter(({ core }) => core.role === 'leader')
    for (const { id, core } of leaders) {
      if (!core.leaseValid(now)) continue
      const newer = leaders.find(other => other.core.term > core.term)
      assert(!newer, `${id} has a lease of term ${core.term}, but ${newer?.id} leads`)
    }
  }
}
