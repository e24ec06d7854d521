// Votes of this server on proposals (design §4): waits until it has the configuration that the
// proposal is about, looks at what it really holds, and stops serving what its approval gives away
// before it says so.
import { epoch as toEpoch, type Epoch, type Incarnation, type PeerId } from '../../base/brands.js'
import { volumeId, type VolumeId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { VOTE_DEADLINE_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Configuration } from '../../layout/configuration.js'
import { shardsTaken } from '../../layout/effects-of-change.js'
import type { ProposalVoteReply, ProposalVoteRequest } from '../../net/manager-messages.js'
import type { PeerInfo, Peers } from '../../net/peers.js'
import type { Parking } from '../parking.js'
import type { ShardHoldings } from '../shard-holdings.js'
import type { BlockStore } from '../shard-store.js'
import type { FenceState } from './fence-state.js'
import { ABSTENTION, opinionOf } from './opinion.js'
import type { OwnView } from './own-view.js'

export interface VoterOptions {
  readonly clock: Clock
  readonly log: Log
  readonly peers: Peers
  readonly incarnation: Incarnation
  /** The configuration that this server acts by. */
  readonly configuration: () => Configuration | null
  readonly wanted: (epoch: Epoch) => void
  /** Resumed with every new configuration. */
  readonly waiting: Parking
  readonly holdings: Pick<ShardHoldings, 'find' | 'stores'>
  readonly store: Pick<BlockStore, 'stored'>
  readonly fence: FenceState
  /** Why nothing new may be placed here; empty if there is room. */
  readonly noRoom: () => string
}

export type AnswerVote = (reply: ProposalVoteReply) => void

export class Voter {
  readonly #o: VoterOptions

  constructor(options: VoterOptions) {
    this.#o = options
  }

  vote(request: ProposalVoteRequest, from: PeerInfo, answer: AnswerVote): void {
    // Half the time the leader waits: the other half is for the way, and for its own work.
    const until = this.#o.clock.now() + VOTE_DEADLINE_MS / 2
    const abstain = (): void => answer(ABSTENTION)
    const decide = (): void => {
      const known = this.#o.configuration()?.epoch ?? toEpoch(0)
      if (known > request.base) return abstain()
      if (known === request.base) return void this.#decide(request, from.id).then(answer)
      this.#o.wanted(request.base)
      this.#o.waiting.park({ resume: decide, refuse: abstain }, until)
    }
    decide()
  }

  async #decide({ base, change }: ProposalVoteRequest, from: PeerId): Promise<ProposalVoteReply> {
    const { log, fence, peers } = this.#o
    const isNew = change.kind === 'volume-created' || change.kind === 'volume-cloned'
    const stored = isNew ? await this.#stored() : new Set<VolumeId>()
    const before = this.#o.configuration()
    if (before?.epoch !== base || stored === null) return ABSTENTION
    if (!before.managers.some(({ id }) => id === from)) return ABSTENTION
    const { reply, after } = opinionOf(before, change, this.#view(stored))
    if (reply.vote === 'refuse') {
      log.warn('a proposal was refused', { base, kind: change.kind, reason: reply.reason })
    }
    // From here on nothing of this is served: no answer to a read may leave between the two.
    if (after) fence.raise(base, shardsTaken(before, after).get(peers.self) ?? [])
    return reply
  }

  #view(stored: ReadonlySet<VolumeId>): OwnView {
    const { peers, incarnation, holdings, noRoom } = this.#o
    return {
      self: peers.self,
      incarnation,
      noRoom: noRoom(),
      stored,
      held: shard => holdings.find(shard)?.held(),
      stores: shard => holdings.stores(shard),
      connected: server => peers.find(server) !== undefined,
      reaches: (server, start) => peers.find(server)?.incarnation === start,
    }
  }

  /** Null while the disk does not say. */
  async #stored(): Promise<ReadonlySet<VolumeId> | null> {
    try {
      return new Set((await this.#o.store.stored()).map(({ volume }) => volumeId(volume)))
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#o.log.error('no vote: the disk does not say what it holds', { error: error.message })
      return null
    }
  }
}
