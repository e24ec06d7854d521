// A manager's vote, when the leader asks for it. The leader asks about a configuration that this
// manager may not have applied yet: it waits a moment for it, and abstains if it does not come, or
// if it knows a newer one already.
import type { Clock } from '../../base/clock.js'
import { VOTE_DEADLINE_MS } from '../../base/limits.js'
import { apply } from '../../layout/apply.js'
import type { ProposalVoteReply, ProposalVoteRequest } from '../../net/manager-messages.js'
import type { Peers } from '../../net/peers.js'
import type { ConfigurationHistory } from '../history/configuration-history.js'
import { untilEpochReaches } from './await-epoch.js'
import { managerOpinion } from './manager-opinion.js'
import { managerView } from './manager-view.js'

export interface VotingDeskOptions {
  readonly clock: Clock
  readonly peers: Pick<Peers, 'list' | 'self'>
  readonly history: Pick<ConfigurationHistory, 'current' | 'subscribe'>
}

/** Half of the leader's patience, so that the answer is there in time. */
const PATIENCE_MS = VOTE_DEADLINE_MS / 2

const ABSTAINED: ProposalVoteReply = { vote: 'abstain', policy: false, reason: '' }

export class VotingDesk {
  readonly #o: VotingDeskOptions

  constructor(options: VotingDeskOptions) {
    this.#o = options
  }

  async vote({ base, change }: ProposalVoteRequest): Promise<ProposalVoteReply> {
    await untilEpochReaches(this.#o, base, PATIENCE_MS)
    const { history, peers } = this.#o
    const before = history.current()
    if (before?.epoch !== base) return ABSTAINED
    const outcome = apply(before, change)
    if (outcome.kind === 'refused') {
      return { vote: 'refuse', policy: false, reason: outcome.reason }
    }
    const draft = { before, change, after: outcome.configuration }
    return managerOpinion(draft, managerView(peers, before.cluster))
  }
}
