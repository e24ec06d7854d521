// How a change becomes the next epoch, at the leader (design §4): the rules, then the storage
// servers it touches, then the other managers, then the commit. A refusal on the way says who
// refused and why, and changes nothing. Decisions are voted on one at a time; facts pass them by.
//
// Votes are about one configuration, the *base*, and are good for nothing else: the commit is made
// on condition that the base is still the newest, else all vote again. A storage server that
// approves stops serving what the change takes from it until an epoch beyond the base says what
// became of it, or a heartbeat tells it that no proposal on that base is under way any more
// (`underWay`; failure-detection.ts).
import { assert } from '../../base/assert.js'
import type { Epoch, PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { PROPOSALS_WAITING_MAX, VOTE_DEADLINE_MS, VOTE_ROUNDS_MAX } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { apply } from '../../layout/apply.js'
import type { Change } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'
import { touchedServers } from '../../layout/effects-of-change.js'
import type { Refusal } from '../../layout/outcome.js'
import type { ProposalVoteRequest } from '../../net/manager-messages.js'
import { LOST, type Peers } from '../../net/peers.js'
import type { ProposalResult, Vote } from '../history/configuration-history.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import { untilEpochIsNot, whileEpochIs } from './await-epoch.js'
import type { Draft } from './draft.js'
import { APPROVED, managerOpinion } from './manager-opinion.js'
import { managerView } from './manager-view.js'
import { recorded, managersProblem, refused, storageProblem, type Cast } from './verdict.js'
import { isVotedOn } from './vote-rules.js'

export interface ProposalsOptions {
  readonly clock: Clock
  readonly log: Log
  readonly peers: Peers
  readonly history: ReplicatedHistory
  /** No lease of this storage server runs, nor will before it has registered (again). */
  readonly leaseOver: (server: PeerId) => boolean
}

export interface ProposalManner {
  /** For people: "storage server a", "operator at client 3f2a91c0". */
  readonly proposer: string
  /** Overrides refusals about degree or room, never those for safety. */
  readonly force: boolean
}

export class Proposals {
  readonly #o: ProposalsOptions
  #waiting = 0
  #turn: Promise<unknown> = Promise.resolve()
  #base: Epoch | null = null

  constructor(options: ProposalsOptions) {
    this.#o = options
  }

  /**
   * Resolves when the change is committed or refused. Rejects as the history does: then it may or
   * may not have been done.
   */
  propose(change: Change, manner: ProposalManner): Promise<ProposalResult> {
    const { history } = this.#o
    const current = history.current()
    if (!history.leads || !current) return Promise.resolve(NO_LEADER)
    if (!isVotedOn(current, change)) {
      return history.propose(change, { proposer: manner.proposer, votes: [this.#ownApproval()] })
    }
    if (this.#waiting >= PROPOSALS_WAITING_MAX) return Promise.resolve(BUSY)
    this.#waiting++
    const decided = this.#turn.then(() => this.#decide(change, manner))
    const next = (): void => {
      this.#waiting--
    }
    this.#turn = decided.then(next, next)
    return decided
  }

  /** Whether storage servers may have stopped serving for a proposal that may yet be committed. */
  underWay(base: Epoch): boolean {
    return this.#base === base
  }

  async #decide(change: Change, manner: ProposalManner): Promise<ProposalResult> {
    const { log } = this.#o
    for (let round = 0; round < VOTE_ROUNDS_MAX; round++) {
      const base = this.#leadFrom()
      if (!base) return NO_LEADER
      const result = await this.#round(base, change, manner)
      if (result?.kind === 'committed') return result
      if (result) {
        const { code, reason } = result
        log.info('a proposal was refused', { kind: change.kind, code, reason })
        return result
      }
      if (isPlan(change)) return OVERTAKEN
      // What came first may not be committed yet; until it is, no vote could count.
      if (!(await untilEpochIsNot(this.#o, base.epoch, VOTE_DEADLINE_MS))) break
    }
    return this.#leadFrom() ? BUSY : NO_LEADER
  }

  /** Null: another change was committed first, and all have to vote again. */
  async #round(
    before: Configuration,
    change: Change,
    manner: ProposalManner,
  ): Promise<ProposalResult | null> {
    const outcome = apply(before, change)
    if (outcome.kind === 'refused') return this.#refusedByRule(before, change, outcome)
    const draft = { before, change, after: outcome.configuration }
    assert(this.#base === null, 'one proposal is voted on at a time')
    this.#base = before.epoch
    try {
      return await this.#voteOn(draft, manner)
    } finally {
      this.#base = null
    }
  }

  /**
   * Votes about an epoch that is over are not waited for: whoever is silent would hold up all that
   * wait for their turn.
   */
  async #voteOn(draft: Draft, { proposer, force }: ProposalManner): Promise<ProposalResult | null> {
    const { history, leaseOver } = this.#o
    const { before, change } = draft
    const { epoch } = before
    const storage = await whileEpochIs(this.#o, epoch, () => this.#storageVotes(draft))
    if (storage === null) return null
    const stopped = storageProblem(draft, { casts: storage, force, leaseOver })
    if (stopped) return stopped
    const managers = await whileEpochIs(this.#o, epoch, () => this.#managerVotes(draft))
    if (managers === null) return null
    const outvoted = managersProblem(draft, { casts: managers, force })
    if (outvoted) return outvoted
    const votes = [...recorded(storage, 'storage'), ...recorded(managers, 'manager')]
    const result = await history.propose(change, { proposer, votes }, epoch)
    return result.kind === 'refused' && result.code === 'outdated' ? null : result
  }

  /**
   * The rules know that copies would be lost; the servers that hold them say it best, by name. None
   * of their votes could save the change.
   */
  async #refusedByRule(
    before: Configuration,
    change: Change,
    refusal: Refusal,
  ): Promise<ProposalResult> {
    if (refusal.code !== 'data-loss' || change.kind !== 'server-removed') return refusal
    const holders = holdersBeside(before, change.server)
    const request = { base: before.epoch, change }
    const casts = await this.#askServers(before, holders, request)
    const problem = storageProblem(
      { before, change, after: before },
      { casts, force: false, leaseOver: () => true },
    )
    return problem ?? refusal
  }

  #storageVotes({ before, after, change }: Draft): Promise<readonly Cast[]> {
    const request = { base: before.epoch, change }
    return this.#askServers(before, touchedServers(before, after), request)
  }

  /** All that are connected as the start that is on record; others serve nothing of it. */
  #askServers(
    before: Configuration,
    servers: readonly PeerId[],
    request: ProposalVoteRequest,
  ): Promise<readonly Cast[]> {
    const { servers: connected } = managerView(this.#o.peers, before.cluster)
    const asked = servers.filter(
      id => connected.has(id) && connected.get(id) === before.servers.get(id)?.incarnation,
    )
    return Promise.all(asked.map(id => this.#ask(id, 'storage-vote', request)))
  }

  /** Every member has its place in the answer, the silent and the unreachable too. */
  async #managerVotes(draft: Draft): Promise<readonly Cast[]> {
    const { peers } = this.#o
    const { before, change } = draft
    const view = managerView(peers, before.cluster)
    const request = { base: before.epoch, change }
    return Promise.all(
      before.managers.map(({ id }): Promise<Cast> => {
        if (id === peers.self) {
          return Promise.resolve({ voter: id, reply: managerOpinion(draft, view) })
        }
        if (!view.managers.has(id)) return Promise.resolve({ voter: id, reply: null })
        return this.#ask(id, 'manager-vote', request)
      }),
    )
  }

  async #ask(
    voter: PeerId,
    operation: 'storage-vote' | 'manager-vote',
    request: ProposalVoteRequest,
  ): Promise<Cast> {
    const deadline = VOTE_DEADLINE_MS
    const reply = await this.#o.peers.request(voter, operation, request, { deadline })
    return { voter, reply: reply === LOST || reply.vote === 'abstain' ? null : reply }
  }

  #leadFrom(): Configuration | null {
    const { history } = this.#o
    return history.leads ? history.current() : null
  }

  #ownApproval(): Vote {
    return recorded([{ voter: this.#o.peers.self, reply: APPROVED }], 'manager')[0]!
  }
}

/** This server, and whoever has a copy, in whatever state, of a shard of which it has one. */
function holdersBeside({ volumes }: Configuration, server: PeerId): readonly PeerId[] {
  // Itself first: its refusal is the one to be heard.
  const holders = new Set<PeerId>([server])
  for (const { shards } of volumes.values()) {
    for (const { replicas, stale } of shards) {
      const all = [...replicas.map(replica => replica.server), ...stale]
      if (all.includes(server)) for (const holder of all) holders.add(holder)
    }
  }
  return [...holders]
}

/** Who made it can make a better one now, and the next in the queue has its turn. */
function isPlan({ kind }: Change): boolean {
  return kind === 'shards-moved' || kind === 'replicas-suspended'
}

const OVERTAKEN = refused('outdated', 'Another change came first: plan again.')
const NO_LEADER = refused(
  'no-leader',
  'This manager does not lead, or has not caught up with what earlier leaders left: try again.',
)
const BUSY = refused('busy', 'Other changes keep coming first: try again in a moment.')
