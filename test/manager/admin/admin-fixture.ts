// The desk of a leader: scripted peers, a history that commits at once, and what was proposed how.
import { byteCount, clusterId, incarnation, type PeerId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import { apply } from '../../../src/layout/apply.js'
import type { Change } from '../../../src/layout/change.js'
import type {
  Configuration,
  ManagerRecord,
  VolumeRecord,
} from '../../../src/layout/configuration.js'
import { AdminDesk } from '../../../src/manager/admin/admin.js'
import type { ProposalResult, Vote } from '../../../src/manager/history/configuration-history.js'
import type { ClientSeen } from '../../../src/manager/leases/access-desk.js'
import type { ProposalManner } from '../../../src/manager/proposals/proposals.js'
import { Reports } from '../../../src/manager/reports.js'
import type { AdminCommand, AdminResult } from '../../../src/net/admin.js'
import type { StorageReport } from '../../../src/net/messages.js'
import { NOTHING_SERVED } from '../../helpers/configurations.js'
import { ScriptedPeers } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { CLIENT } from '../manager-fixture.js'
import { FakeHistory } from '../proposals/fake-history.js'
import { A, B, C, M2, M3, SELF } from '../proposals/proposals-fixture.js'

const CLUSTER = clusterId('c'.repeat(32))

export class AdminBench {
  readonly clock = new VirtualClock()
  readonly peers = new ScriptedPeers(this.clock)
  /** Why the last move of copies was refused. */
  refusal = ''
  readonly history: FakeHistory
  readonly reports = new Reports()
  readonly proposed: (readonly [Change['kind'], ProposalManner])[] = []
  readonly votes: Vote[] = []
  newerElsewhere = 0
  readonly expired = new Set<PeerId>()
  /** Instead of what the history answers. */
  answer: ProposalResult | Error | null = null
  readonly #desk: AdminDesk

  constructor(managers: readonly PeerId[] = [SELF]) {
    this.history = new FakeHistory(SELF, newCluster(managers))
    const { peers, history, reports } = this
    peers.script = ({ operation, answer }) => {
      if (operation === 'usage') answer({ used: byteCount(0), layers: [] })
    }
    this.#desk = new AdminDesk({
      ...{ self: SELF, peers, history, reports, log: silentLog, access: this },
      clock: this.clock,
      refusal: () => this.refusal,
      connected: () => new Map(this.#connectedServers()),
      propose: (change, manner) => this.#propose(change, manner),
      addManager: (manager, manner) => this.#propose({ kind: 'manager-added', manager }, manner),
      newerElsewhere: () => this.newerElsewhere,
      snapshots: { create: () => Promise.reject(new Error('no snapshots here')) },
    })
  }

  static async withServers(managers?: readonly PeerId[]): Promise<AdminBench> {
    const bench = new AdminBench(managers)
    for (const id of [A, B, C]) await bench.server(id)
    return bench
  }

  /** Registers a storage server that is connected. */
  async server(id: PeerId, start = 1): Promise<void> {
    this.peers.connect(id, ['storage'], { incarnation: incarnation(start) })
    const name = id.slice(-1)
    const change: Change = {
      kind: 'server-registered',
      server: {
        ...{ id, name, domain: name, weight: 1, state: 'up', incarnation: incarnation(start) },
        ...{ addresses: [{ host: '127.0.0.1', port: 4000 }], capacity: byteCount(2 ** 40) },
      },
    }
    await this.history.propose(change, { proposer: `storage server ${name}`, votes: [] })
  }

  /** A storage server says how it is. */
  report(
    id: PeerId,
    used: number,
    { syncing = [], merging = [] }: Partial<Pick<StorageReport, 'syncing' | 'merging'>> = {},
  ): void {
    const start = this.history.current().servers.get(id)!.incarnation
    const space = { used: byteCount(used), free: byteCount(2 ** 30) }
    const well = { corruptBlocks: 0, problem: '', served: NOTHING_SERVED, recovered: byteCount(0) }
    const { epoch } = this.history.current()
    this.reports.storage(id, { incarnation: start, epoch, ...space, ...well, syncing, merging })
    this.#desk.reported()
  }

  admin(command: AdminCommand): Promise<AdminResult> {
    return this.adminText(JSON.stringify(command))
  }

  async adminText(json: string): Promise<AdminResult> {
    return JSON.parse(
      await this.#desk.carryOut(json, { id: CLIENT, roles: ['client'] }),
    ) as AdminResult
  }

  seen(client: PeerId): ClientSeen {
    return { lastSeen: null, expired: this.expired.has(client) }
  }

  async untilVacant({ id, attachments }: VolumeRecord, proposer: string): Promise<void> {
    for (const { client } of attachments.filter(held => this.expired.has(held.client))) {
      const change: Change = { kind: 'volume-detached', volume: id, client }
      await this.#propose(change, { proposer, force: false })
    }
  }

  #propose(change: Change, manner: ProposalManner): Promise<ProposalResult> {
    this.proposed.push([change.kind, manner])
    const { answer } = this
    if (answer instanceof Error) return Promise.reject(answer)
    if (answer) return Promise.resolve(answer)
    return this.history.propose(change, { proposer: manner.proposer, votes: this.votes })
  }

  *#connectedServers(): Iterable<readonly [PeerId, PeerInfoIncarnation]> {
    const { servers } = this.history.current()
    for (const { id, incarnation: start } of this.peers.list()) {
      if (servers.get(id)?.incarnation === start) yield [id, start]
    }
  }
}

type PeerInfoIncarnation = ReturnType<typeof incarnation>

function newCluster(managers: readonly PeerId[]): Configuration {
  const [first, ...others] = managers.map(recordOf)
  if (!first) throw new Error('a cluster has a manager')
  let configuration = applied(null, { kind: 'cluster-created', cluster: CLUSTER, manager: first })
  for (const manager of others) {
    configuration = applied(configuration, { kind: 'manager-added', manager })
  }
  return configuration
}

/** Its address names it, so that tests see whose it is. */
export function recordOf(id: PeerId): ManagerRecord {
  return { id, addresses: [{ host: `host${id.replace(/^0*/, '').slice(0, 1)}`, port: 7000 }] }
}

function applied(configuration: Configuration | null, change: Change): Configuration {
  const outcome = apply(configuration, change)
  if (outcome.kind === 'refused') throw new Error(outcome.reason)
  return outcome.configuration
}

/** "code: message", or 'accepted'. */
export function refusal(answer: AdminResult): string {
  return answer.ok ? 'accepted' : `${answer.code}: ${answer.message}`
}

export const THREE_MANAGERS = [SELF, M2, M3]
