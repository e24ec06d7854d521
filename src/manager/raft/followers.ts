// Whom a leader replicates to: the other members, learners (who do not vote yet), and those that an
// entry removed, until they have heard of it. Bounded: a leader has at most MANAGERS_MAX members
// and RAFT_LEARNERS_MAX of all others.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import { RAFT_LEARNERS_MAX } from '../../base/limits.js'
import type { LogIndex } from '../../net/manager-messages.js'
import { Progress } from './progress.js'
import { reached } from './quorum.js'
import { logIndex } from './raft-log.js'
import type { RaftState } from './raft-state.js'

export class Followers {
  readonly #s: RaftState
  readonly #all = new Map<PeerId, Progress>()
  // Removed by the entry of that index.
  readonly #leaving = new Map<PeerId, LogIndex>()

  constructor(state: RaftState) {
    this.#s = state
    for (const peer of state.others) this.#add(peer)
  }

  [Symbol.iterator](): IterableIterator<[PeerId, Progress]> {
    return this.#all.entries()
  }

  get isEmpty(): boolean {
    return this.#all.size === 0
  }

  get(peer: PeerId): Progress | null {
    return this.#all.get(peer) ?? null
  }

  addLearner(peer: PeerId): void {
    if (peer === this.#s.self || this.#s.log.members.includes(peer)) return
    this.#leaving.delete(peer)
    if (this.#all.has(peer) || !this.#hasRoomFor(peer)) return
    this.#add(peer)
  }

  removeLearner(peer: PeerId): void {
    if (this.#s.log.members.includes(peer)) return
    this.#all.delete(peer)
    this.#leaving.delete(peer)
  }

  /** The entry appended last says who is a member now. */
  membersChanged(removed: readonly PeerId[]): void {
    for (const peer of this.#s.others) {
      this.#leaving.delete(peer)
      if (!this.#all.has(peer)) this.#add(peer)
    }
    for (const peer of removed) {
      if (!this.#all.has(peer)) continue
      if (this.#hasRoomFor(peer)) this.#leaving.set(peer, this.#s.log.lastIndex)
      else this.#all.delete(peer)
    }
  }

  /** Who knows that it was removed needs no more. */
  letGo(): void {
    for (const [peer, index] of this.#leaving) {
      const progress = this.get(peer)
      if (!progress || Math.min(progress.match, progress.told) >= index) this.removeLearner(peer)
    }
  }

  /**
   * What a majority of the members has reached, the leader (if it is one of them) with `own`. Those
   * who do not vote are not counted.
   */
  reached(own: number, value: (progress: Progress) => number): number {
    const { log, self } = this.#s
    return reached(
      log.members.map(member => {
        if (member === self) return own
        const progress = this.get(member)
        assert(progress, 'a leader replicates to all members')
        return value(progress)
      }),
    )
  }

  /** The member that has most. */
  get best(): PeerId | null {
    const match = (peer: PeerId): number => this.get(peer)?.match ?? 0
    const members = [...this.#s.others].sort((a, b) => match(b) - match(a))
    return members[0] ?? null
  }

  #add(peer: PeerId): void {
    this.#all.set(peer, new Progress(logIndex(this.#s.log.lastIndex + 1), this.#s.now))
  }

  /** One that is leaving makes room for one that comes. */
  #hasRoomFor(peer: PeerId): boolean {
    const { members } = this.#s.log
    const others = [...this.#all.keys()].filter(id => id !== peer && !members.includes(id))
    if (others.length < RAFT_LEARNERS_MAX) return true
    const [leaving] = this.#leaving.keys()
    if (leaving === undefined) return false
    this.removeLearner(leaving)
    return true
  }
}
