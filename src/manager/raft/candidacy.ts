// One attempt to be elected, or to find out whether an election could be won (pre-vote: nothing
// changes anywhere, so a manager that was cut off disturbs nobody with it when it is back).
import type { PeerId } from '../../base/brands.js'
import type { RaftMessage } from '../../net/manager-messages.js'
import { majority } from './quorum.js'
import { raftTerm } from './raft-log.js'
import type { RaftState } from './raft-state.js'

export type VoteReply = Extract<RaftMessage, { kind: 'vote-reply' }>

export interface CandidacyKind {
  readonly pre: boolean
  /** The leader asked for it, and has given up its lease. */
  readonly takeOver: boolean
}

export type Standing = 'open' | 'won' | 'lost'

export class Candidacy {
  readonly #s: RaftState
  readonly #kind: CandidacyKind
  readonly #votes = new Map<PeerId, boolean>()

  constructor(state: RaftState, kind: CandidacyKind) {
    this.#s = state
    this.#kind = kind
    this.#votes.set(state.self, true)
  }

  get pre(): boolean {
    return this.#kind.pre
  }

  askAll(): void {
    for (const peer of this.#s.others) this.ask(peer)
  }

  ask(peer: PeerId): void {
    const { pre, takeOver } = this.#kind
    const { term, log } = this.#s
    const { index: lastIndex, term: lastTerm } = log.last
    const wanted = pre ? raftTerm(term + 1) : term
    this.#s.send(peer, { kind: 'vote-request', term: wanted, pre, takeOver, lastIndex, lastTerm })
  }

  /** An answer to what was asked here. */
  count(from: PeerId, { granted }: VoteReply): void {
    // A late refusal takes back no vote.
    if (!this.#votes.get(from)) this.#votes.set(from, granted)
  }

  get standing(): Standing {
    const { members } = this.#s.log
    const quorum = majority(members.length)
    const votes = members.map(member => this.#votes.get(member))
    if (votes.filter(vote => vote === true).length >= quorum) return 'won'
    return votes.filter(vote => vote === false).length >= quorum ? 'lost' : 'open'
  }
}
