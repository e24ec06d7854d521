// Carries out the commands of operators: reads the configuration, or plans a change and has it
// committed. Every answer is an AdminResult as JSON; what goes wrong is a sentence in it.
import { byteCount, epoch as toEpoch } from '../../base/brands.js'
import { assert, exhaustive } from '../../base/assert.js'
import { isSwarmdiskError, type ErrorCode } from '../../base/errors.js'
import { ADMIN_JSON_BYTES_MAX } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import type { Incarnation, PeerId } from '../../base/brands.js'
import type { Change } from '../../layout/change.js'
import type { Configuration, VolumeRecord } from '../../layout/configuration.js'
import { majority } from '../../layout/names.js'
import { isRefusal } from '../../layout/outcome.js'
import { planVolume } from '../../layout/planner.js'
import type { AdminCommand, AdminResult, EpochResult } from '../../net/admin.js'
import type { PeerInfo } from '../../net/peers.js'
import { shortId } from '../describe-change.js'
import type {
  ConfigurationHistory,
  HistoryRecord,
  ProposalResult,
} from '../history/configuration-history.js'
import type { Reports } from '../reports.js'
import { parseCommand } from './admin-input.js'
import { serverResults, statusOf, volumeDetail, bytesLeft, type View } from './status.js'
import { volumeResult } from './volume-health.js'

export interface AdminDeskOptions {
  readonly self: PeerId
  readonly history: ConfigurationHistory
  readonly log: Log
  readonly reports: Reports
  readonly connected: () => ReadonlyMap<PeerId, Incarnation>
  readonly propose: (change: Change, proposer: string) => Promise<ProposalResult>
  readonly newerElsewhere: () => number
}

type CommandOf<Name extends AdminCommand['command']> = Extract<AdminCommand, { command: Name }>

/** Whose operator asks: a connected peer, or this manager itself through its control socket. */
export type Asker = Pick<PeerInfo, 'id' | 'roles'>

export class AdminDesk {
  readonly #options: AdminDeskOptions

  constructor(options: AdminDeskOptions) {
    this.#options = options
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
    switch (command.command) {
      case 'status':
        return success(statusOf(view))
      case 'server-list':
        return success({ servers: serverResults(view) })
      case 'volume-list':
        return success({ volumes: statusOf(view).volumes })
      case 'volume-show':
        return onVolume(view, command.name, volume => success(volumeDetail(view, volume)))
      case 'volume-create':
        return this.#createVolume(command, from)
      case 'volume-delete':
        return this.#deleteVolume(command, from)
      case 'epoch-list':
        return this.#listEpochs(command)
      case 'epoch-show':
        return this.#showEpoch(command.epoch)
      default:
        return exhaustive(command)
    }
  }

  async #createVolume(command: CommandOf<'volume-create'>, from: Asker): Promise<AdminResult> {
    const { name, replicas } = command
    const minInSync = command.minInSync ?? majority(replicas)
    const volume = { name, size: byteCount(command.size), replicas, minInSync }
    const { configuration, connected } = this.#view()
    // A new copy on a server that is away would hold up the volume's first write.
    const plan = planVolume(onlyReachable(configuration, connected), volume)
    if (isRefusal(plan)) {
      const all = configuration.servers.size
      if (plan.code !== 'too-few-servers' || all < replicas) return refused(plan)
      const message =
        `Only ${connected.size} of ${all} storage servers are reachable: start the others, or ` +
        'create the volume with fewer --replicas.'
      return failure('refused', message)
    }
    const result = await this.#options.propose(plan, operator(from))
    if (result.kind === 'refused') return refused(result)
    const view = this.#view()
    return onVolume(view, name, made =>
      success({
        ...volumeResult(made, view.connected, bytesLeft(view)),
        epoch: result.record.epoch,
      }),
    )
  }

  async #deleteVolume(command: CommandOf<'volume-delete'>, from: Asker): Promise<AdminResult> {
    return onVolume(this.#view(), command.name, async ({ id, name }) => {
      const change: Change = { kind: 'volume-deleted', volume: id }
      const result = await this.#options.propose(change, operator(from))
      if (result.kind === 'refused') return refused(result)
      return success({ name, id, epoch: result.record.epoch })
    })
  }

  async #listEpochs({ from, limit }: CommandOf<'epoch-list'>): Promise<AdminResult> {
    const newest = this.#view().configuration.epoch
    const first = from ?? Math.max(1, newest - limit + 1)
    const records = await this.#options.history.records(toEpoch(first), limit)
    return success({ epochs: records.map(epochResult) })
  }

  async #showEpoch(wanted: number): Promise<AdminResult> {
    const [record] = await this.#options.history.records(toEpoch(wanted), 1)
    if (record?.epoch === wanted) return success(epochResult(record))
    const newest = this.#view().configuration.epoch
    if (wanted > newest) {
      return failure('not-found', `There is no epoch ${wanted} yet: the newest one is ${newest}.`)
    }
    const others = 'see `swarmdisk epoch list` for those that are.'
    return failure('not-found', `Epoch ${wanted} is no longer kept: ${others}`)
  }

  #view(): View {
    const { self, history, reports, connected, newerElsewhere } = this.#options
    const configuration = history.current()
    assert(configuration, 'a serving manager has a configuration')
    return {
      ...{ configuration, self },
      connected: connected(),
      storageReports: reports.servers,
      clientReports: reports.clients,
      newerElsewhere: newerElsewhere(),
    }
  }
}

/** For planning: a server that is not reachable takes no new copies. */
function onlyReachable(
  configuration: Configuration,
  connected: ReadonlyMap<PeerId, Incarnation>,
): Configuration {
  const servers = [...configuration.servers].map(([id, server]) => {
    return [id, connected.has(id) ? server : { ...server, state: 'down' as const }] as const
  })
  return { ...configuration, servers: new Map(servers) }
}

function onVolume<R>(
  { configuration }: View,
  name: string,
  then: (volume: VolumeRecord) => R,
): R | AdminResult {
  for (const volume of configuration.volumes.values()) if (volume.name === name) return then(volume)
  return failure('not-found', `There is no volume "${name}": see \`swarmdisk volume list\`.`)
}

function epochResult({ epoch, at, text, change, proposer, votes }: HistoryRecord): EpochResult {
  return { epoch, at, change: text, kind: change.kind, proposer, votes }
}

function operator({ roles, id }: Asker): string {
  return `operator at ${roles[0] ?? 'peer'} ${shortId(id)}`
}

function success(result: unknown): AdminResult {
  return { ok: true, result }
}

function failure(code: ErrorCode, message: string): AdminResult {
  return { ok: false, code, message }
}

/** Refusals that say that the command itself cannot be right. */
const BAD_INPUT = new Set([
  ...['bad-name', 'name-taken', 'bad-size', 'bad-replicas', 'bad-min-in-sync'],
  ...['too-few-servers', 'too-many'],
])

function refused({
  code,
  reason,
}: {
  readonly code: string
  readonly reason: string
}): AdminResult {
  if (code === 'no-such-volume') return failure('not-found', reason)
  return failure(BAD_INPUT.has(code) ? 'bad-input' : 'refused', reason)
}
