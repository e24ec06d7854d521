// A leader with two more managers and three storage servers, whose votes the test decides.
import { incarnation, peerId, type PeerId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import type { ProposalResult } from '../../../src/manager/history/configuration-history.js'
import { Proposals } from '../../../src/manager/proposals/proposals.js'
import type { ProposalVoteReply, ProposalVoteRequest } from '../../../src/net/manager-messages.js'
import { SERVER_A, SERVER_B, SERVER_C, testConfiguration } from '../../helpers/configurations.js'
import { ScriptedPeers, testPeer } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { FakeHistory } from './fake-history.js'

export const SELF = testPeer(0xffff)
export const M2 = peerId('2'.padEnd(64, '0'))
export const M3 = peerId('3'.padEnd(64, '0'))
export const M4 = peerId('4'.padEnd(64, '0'))
export const [A, B, C] = [SERVER_A, SERVER_B, SERVER_C]
export const D = testPeer(0xd)

export const APPROVE: ProposalVoteReply = { vote: 'approve', policy: false, reason: '' }
export const ABSTAIN: ProposalVoteReply = { vote: 'abstain', policy: false, reason: '' }

export function refuse(reason: string, policy = false): ProposalVoteReply {
  return { vote: 'refuse', policy, reason }
}

export const REMOVE_C: Change = { kind: 'server-removed', server: C }
export const DELETE: Change = {
  kind: 'volume-deleted',
  volume: [...testConfiguration().volumes.keys()][0]!,
}

export function configuration(fields: Partial<Configuration> = {}): Configuration {
  const managers = [SELF, M2, M3].map(id => ({ id, addresses: [] }))
  return testConfiguration({ managers, ...fields })
}

/** A fourth server, so that nothing that needs three becomes impossible without one. */
export function fourServers(fields: Partial<Configuration> = {}): Configuration {
  const made = configuration()
  const record = made.servers.get(A)!
  const servers = new Map(made.servers).set(D, { ...record, id: D, name: 'd', domain: 'd' })
  return configuration({ servers, ...fields })
}

export class ProposalsBench {
  readonly clock = new VirtualClock()
  readonly peers = new ScriptedPeers(this.clock)
  readonly history: FakeHistory
  readonly proposals: Proposals
  /** By identity; 'silent' never answers. Everybody else approves. */
  readonly votes = new Map<PeerId, ProposalVoteReply | 'silent'>()
  /** In the order in which they were asked: "storage a@5", "manager 2@5". */
  readonly asked: string[] = []
  readonly leaseOver = new Set<PeerId>()
  /** Called with each question before it is answered. */
  onAsked: (to: PeerId) => void = () => undefined

  constructor(current = fourServers()) {
    this.history = new FakeHistory(SELF, current)
    const { clock, peers, history } = this
    this.proposals = new Proposals({
      ...{ clock, peers, history, log: silentLog },
      leaseOver: server => this.leaseOver.has(server),
    })
    for (const id of current.servers.keys()) this.connectServer(id)
    for (const { id } of current.managers) if (id !== SELF) peers.connect(id, ['manager'])
    peers.script = ({ to, operation, request, answer }) => {
      const role = operation.split('-')[0]!
      const { base } = request as ProposalVoteRequest
      this.asked.push(`${role} ${to.replace(/^0*/, '').slice(0, 1)}@${base}`)
      this.onAsked(to)
      const vote = this.votes.get(to) ?? APPROVE
      if (vote !== 'silent') answer(vote)
    }
  }

  connectServer(id: PeerId, start = 1): void {
    this.peers.connect(id, ['storage'], { incarnation: incarnation(start) })
  }

  propose(change: Change, force = false): Promise<ProposalResult> {
    const result = this.proposals.propose(change, { proposer: 'a test', force })
    return this.clock.settle(change.kind, result)
  }
}

/** "code: reason", or what was committed. */
export function said(result: ProposalResult): string {
  if (result.kind === 'refused') return `${result.code}: ${result.reason}`
  return `committed as ${result.record.epoch}`
}
