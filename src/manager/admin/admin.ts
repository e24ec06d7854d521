// Carries out the commands of operators: reads the configuration, or plans a change and has it
// committed. Every answer is an AdminResult as JSON; what goes wrong is a sentence in it.
import { exhaustive } from '../../base/assert.js'
import { epoch as toEpoch, shardIndex, type Incarnation, type PeerId } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import { ADMIN_JSON_BYTES_MAX } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Change } from '../../layout/change.js'
import type {
  Configuration,
  ManagerRecord,
  ServerRecord,
  VolumeRecord,
} from '../../layout/configuration.js'
import { isDraining } from '../../layout/replicas.js'
import type { AdminCommand, AdminResult, EpochResult, ServerDrainResult } from '../../net/admin.js'
import type { Peers } from '../../net/peers.js'
import { serverName, shortId } from '../describe-change.js'
import type { HistoryRecord, ProposalResult, Vote } from '../history/configuration-history.js'
import type { ReplicatedHistory } from '../history/replicated-history.js'
import { connectedPeers } from '../proposals/manager-view.js'
import type { ProposalManner } from '../proposals/proposals.js'
import type { AccessDesk } from '../leases/access-desk.js'
import { Progress } from '../movement/progress.js'
import type { Reports } from '../reports.js'
import { parseCommand } from './admin-input.js'
import { SnapshotAdmin, type SnapshotAdminOptions } from './snapshots.js'
import { failure, onVolume, operator, refused, success, type Asker } from './answers.js'
import { beginningWith, candidatesOf, managerList } from './managers.js'
import { serverResults, statusOf, volumeDetail, withAttachments, type View } from './status.js'
import { askUsage, type UsagePeers } from './usage.js'
import { VolumeAdmin, type VolumeAdminOptions } from './volumes.js'

export interface AdminDeskOptions {
  readonly self: PeerId
  readonly clock: Clock
  readonly history: Pick<ReplicatedHistory, 'current' | 'records' | 'leader' | 'leads'>
  readonly peers: Pick<Peers, 'list'> & UsagePeers
  readonly log: Log
  readonly reports: Reports
  readonly snapshots: SnapshotAdminOptions['snapshots']
  readonly access: Pick<AccessDesk, 'seen'> & VolumeAdminOptions['access']
  /** Storage servers that are connected and registered, with the incarnation they run as. */
  readonly connected: () => ReadonlyMap<PeerId, Incarnation>
  readonly propose: (change: Change, manner: ProposalManner) => Promise<ProposalResult>
  /** Copies the history to a manager that is connected, then proposes it. */
  readonly addManager: (manager: ManagerRecord, manner: ProposalManner) => Promise<ProposalResult>
  readonly newerElsewhere: () => number
  /** Why the last move of copies was refused; empty if it was not. */
  readonly refusal: () => string
}

type CommandOf<Name extends AdminCommand['command']> = Extract<AdminCommand, { command: Name }>

export class AdminDesk {
  readonly #options: AdminDeskOptions
  readonly #progress: Progress
  readonly #snapshots: SnapshotAdmin
  readonly #volumes: VolumeAdmin

  constructor(options: AdminDeskOptions) {
    this.#options = options
    this.#progress = new Progress(options)
    const { history, snapshots, propose, access } = options
    this.#volumes = new VolumeAdmin({ access, propose, view: () => this.#view() })
    this.#snapshots = new SnapshotAdmin({
      current: () => history.current(),
      ...{ access, snapshots },
      propose: (change, proposer) => propose(change, { proposer, force: false }),
      resultOf: volume => withAttachments(this.#view()!, volume),
    })
  }

  /** A storage server has reported. */
  reported(): void {
    this.#progress.reported()
  }

  async carryOut(json: string, from: Asker): Promise<string> {
    const parsed = parseCommand(json)
    if (!parsed.ok) return JSON.stringify(failure('bad-input', parsed.message))
    try {
      const answer = JSON.stringify(await this.#answer(parsed.command, from))
      if (Buffer.byteLength(answer) <= ADMIN_JSON_BYTES_MAX) return answer
      const message = 'The answer is too large for one message: ask for less, with --limit.'
      return JSON.stringify(failure('refused', message))
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#options.log.error('a command was not carried out', { error: error.message })
      return JSON.stringify(failure(error.code, error.message))
    }
  }

  async #answer(command: AdminCommand, from: Asker): Promise<AdminResult> {
    const view = this.#view()
    if (!view) return failure('unreachable', NO_MEMBER)
    switch (command.command) {
      case 'status':
        return success(statusOf(view))
      case 'server-list':
        return success({ servers: serverResults(view) })
      case 'volume-list':
        return success({ volumes: statusOf(view).volumes })
      case 'volume-show':
        return onVolume(view, command.name, volume => this.#showVolume(view, volume))
      case 'volume-create':
      case 'volume-delete':
      case 'volume-resize':
      case 'volume-set':
        return this.#volumes.carryOut(view, command, operator(from))
      case 'shard-promote':
        return this.#promoteShard(view, command, from)
      case 'snapshot-create':
      case 'snapshot-list':
      case 'snapshot-delete':
      case 'snapshot-rollback':
      case 'snapshot-clone':
      case 'volume-flatten':
        return this.#snapshots.carryOut(command, operator(from))
      case 'server-drain':
      case 'server-undrain':
        return this.#drainServer(view, command, from)
      case 'server-remove':
        return this.#removeServer(view, command, from)
      case 'manager-list':
        return success(managerList(view))
      case 'manager-add':
        return this.#addManager(view, command, from)
      case 'manager-remove':
        return this.#removeManager(view, command, from)
      case 'epoch-list':
        return this.#listEpochs(view, command)
      case 'epoch-show':
        return this.#showEpoch(view, command.epoch)
      default:
        return exhaustive(command)
    }
  }

  async #showVolume(view: View, volume: VolumeRecord): Promise<AdminResult> {
    const name = (server: PeerId): string => serverName(view.configuration, server)
    const usage = await askUsage(this.#options.peers, volume, name)
    return success(volumeDetail(view, volume, usage))
  }

  #promoteShard(
    view: View,
    { volume: name, shard, server, acceptDataLoss }: CommandOf<'shard-promote'>,
    from: Asker,
  ): Promise<AdminResult> | AdminResult {
    if (!acceptDataLoss) return failure('refused', NOT_ACCEPTED)
    return onVolume(view, name, ({ id, shards }) => {
      const expected = shards[shard]?.epoch
      if (expected === undefined) {
        const message = `Volume "${name}" has no shard ${shard}: it has 0 to ${shards.length - 1}.`
        return failure('not-found', message)
      }
      const chosen = serverNamed(view.configuration, server)
      if (isAnswer(chosen)) return chosen
      const place = { volume: id, shard: shardIndex(shard), server: chosen.id, expected }
      const result = { volume: name, shard, server }
      const manner = { proposer: operator(from), force: false }
      return this.#carryOut({ kind: 'shard-promoted', ...place }, manner, result)
    })
  }

  /** What is so already is no failure: a script may ask again. */
  async #drainServer(
    { configuration }: View,
    command: CommandOf<'server-drain' | 'server-undrain'>,
    from: Asker,
  ): Promise<AdminResult> {
    const found = serverNamed(configuration, command.name)
    if (isAnswer(found)) return found
    const { id, name } = found
    const drains = command.command === 'server-drain'
    let { epoch } = configuration
    if (isDraining(configuration, id) !== drains) {
      const state = drains ? 'draining' : 'up'
      const manner = { proposer: operator(from), force: drains && command.force }
      const change: Change = { kind: 'server-state', server: id, state }
      const outcome = await this.#options.propose(change, manner)
      if (outcome.kind === 'refused') return refused(outcome)
      epoch = outcome.record.epoch
    }
    const drain = this.#progress.drainOf(id)
    return success({ name, id, epoch, drain } satisfies ServerDrainResult)
  }

  #removeServer(
    { configuration }: View,
    { name, force }: CommandOf<'server-remove'>,
    from: Asker,
  ): Promise<AdminResult> | AdminResult {
    const found = serverNamed(configuration, name)
    if (isAnswer(found)) return found
    const { id } = found
    const change: Change = { kind: 'server-removed', server: id }
    return this.#carryOut(change, { proposer: operator(from), force }, { name, id })
  }

  async #addManager(
    view: View,
    { manager, force }: CommandOf<'manager-add'>,
    from: Asker,
  ): Promise<AdminResult> {
    const [found, ...others] = beginningWith(candidatesOf(view), manager)
    if (others.length > 0) return ambiguous(manager)
    if (found === undefined) {
      const [member] = beginningWith(view.configuration.managers, manager)
      return failure(
        'not-found',
        member === undefined
          ? `No manager ${manager} is running that could be added: see \`swarmdisk manager list\`.`
          : `Manager ${shortId(member.id)} is a member already.`,
      )
    }
    const { id } = found
    const result = await this.#options.addManager(found, { proposer: operator(from), force })
    if (result.kind === 'refused') return refused(result)
    return success({ id, epoch: result.record.epoch })
  }

  #removeManager(
    { configuration }: View,
    { manager, force }: CommandOf<'manager-remove'>,
    from: Asker,
  ): Promise<AdminResult> | AdminResult {
    const [found, ...others] = beginningWith(configuration.managers, manager)
    if (others.length > 0) return ambiguous(manager)
    if (found === undefined) {
      const message = `There is no manager ${manager}: see \`swarmdisk manager list\`.`
      return failure('not-found', message)
    }
    const { id } = found
    const change: Change = { kind: 'manager-removed', manager: id }
    return this.#carryOut(change, { proposer: operator(from), force }, { id })
  }

  /** `result`: what the operator is told besides the epoch. */
  async #carryOut(change: Change, manner: ProposalManner, result: object): Promise<AdminResult> {
    const outcome = await this.#options.propose(change, manner)
    if (outcome.kind === 'refused') return refused(outcome)
    return success({ ...result, epoch: outcome.record.epoch })
  }

  async #listEpochs(
    { configuration }: View,
    { from, limit }: CommandOf<'epoch-list'>,
  ): Promise<AdminResult> {
    const first = from ?? Math.max(1, configuration.epoch - limit + 1)
    const records = await this.#options.history.records(toEpoch(first), limit)
    return success({ epochs: records.map(record => epochResult(record, configuration)) })
  }

  async #showEpoch({ configuration }: View, wanted: number): Promise<AdminResult> {
    const [record] = await this.#options.history.records(toEpoch(wanted), 1)
    if (record?.epoch === wanted) return success(epochResult(record, configuration))
    const newest = configuration.epoch
    if (wanted > newest) {
      return failure('not-found', `There is no epoch ${wanted} yet: the newest one is ${newest}.`)
    }
    const others = 'see `swarmdisk epoch list` for those that are.'
    return failure('not-found', `Epoch ${wanted} is no longer kept: ${others}`)
  }

  /** Null at a manager that was not taken in yet. */
  #view(): View | null {
    const { self, history, peers, reports, access, connected, newerElsewhere } = this.#options
    const configuration = history.current()
    if (!configuration) return null
    return {
      ...{ configuration, self },
      leader: history.leader,
      managers: connectedPeers(peers, 'manager', configuration.cluster),
      connected: connected(),
      storageReports: reports.servers,
      clientReports: reports.clients,
      seen: client => access.seen(client),
      progress: this.#progress,
      newerElsewhere: newerElsewhere(),
    }
  }
}

function serverNamed({ servers }: Configuration, name: string): ServerRecord | AdminResult {
  for (const server of servers.values()) if (server.name === name) return server
  const message = `There is no storage server "${name}": see \`swarmdisk server list\`.`
  return failure('not-found', message)
}

function isAnswer(found: ServerRecord | AdminResult): found is AdminResult {
  return 'ok' in found
}

function epochResult(
  { epoch, at, text, change, proposer, votes }: HistoryRecord,
  configuration: Configuration,
): EpochResult {
  const named = votes.map(vote => ({ ...vote, name: voterName(vote, configuration) }))
  return { epoch, at, change: text, kind: change.kind, proposer, votes: named }
}

/** A server that was removed since is no longer known by its name. */
function voterName({ voter, role }: Vote, configuration: Configuration): string {
  const id = voter as PeerId
  return role === 'storage' ? serverName(configuration, id) : shortId(id)
}

function ambiguous(manager: string): AdminResult {
  const message = `Several managers begin with ${manager}: give more of the identity.`
  return failure('bad-input', message)
}

export const NOT_ACCEPTED =
  'A copy that was behind lacks acknowledged writes, which would be lost for good: say ' +
  '--accept-data-loss if no server with an in-sync copy will ever be back.'
const NO_MEMBER =
  'This manager is not a member of a cluster yet, so it knows nothing: ask another one, or wait.'
