// What operators ask for about volumes.
import { assert } from '../../base/assert.js'
import { byteCount, type Incarnation, type PeerId } from '../../base/brands.js'
import type { Change } from '../../layout/change.js'
import type { Configuration, VolumeRecord } from '../../layout/configuration.js'
import { majority } from '../../layout/names.js'
import { isRefusal } from '../../layout/outcome.js'
import { LoadLedger } from '../../layout/placement/load-ledger.js'
import { planVolume } from '../../layout/placement/planner.js'
import type { AdminCommand, AdminResult } from '../../net/admin.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { AccessDesk } from '../leases/access-desk.js'
import type { ProposalManner } from '../proposals/proposals.js'
import { failure, onVolume, refused, success } from './answers.js'
import { withAttachments, type View } from './status.js'

export interface VolumeAdminOptions {
  readonly access: Pick<AccessDesk, 'untilVacant'>
  readonly propose: (change: Change, manner: ProposalManner) => Promise<ProposalResult>
  readonly view: () => View | null
}

type CommandOf<Name extends AdminCommand['command']> = Extract<AdminCommand, { command: Name }>
type VolumeCommand = CommandOf<'volume-create' | 'volume-delete' | 'volume-resize' | 'volume-set'>

export class VolumeAdmin {
  readonly #o: VolumeAdminOptions
  readonly #ledger = new LoadLedger()

  constructor(options: VolumeAdminOptions) {
    this.#o = options
  }

  carryOut(
    view: View,
    command: VolumeCommand,
    proposer: string,
  ): Promise<AdminResult> | AdminResult {
    switch (command.command) {
      case 'volume-create':
        return this.#create(view, command, proposer)
      case 'volume-delete':
        return onVolume(view, command.name, volume => this.#delete(volume, proposer))
      case 'volume-resize':
        return onVolume(view, command.name, volume => this.#resize(volume, command, proposer))
      case 'volume-set':
        return onVolume(view, command.name, volume => this.#set(volume, command, proposer))
    }
  }

  async #create(
    { configuration, connected }: View,
    command: CommandOf<'volume-create'>,
    proposer: string,
  ): Promise<AdminResult> {
    const { name, replicas, force } = command
    const minInSync = command.minInSync ?? majority(replicas)
    const volume = { name, size: byteCount(command.size), replicas, minInSync }
    // A new copy on a server that is away would hold up the volume's first write.
    const reachable = onlyReachable(configuration, connected)
    const plan = planVolume(reachable, volume, this.#ledger)
    if (isRefusal(plan)) {
      const all = configuration.servers.size
      if (plan.code !== 'too-few-servers' || all < replicas) return refused(plan)
      const message =
        `Only ${connected.size} of ${all} storage servers are reachable: start the others, or ` +
        'create the volume with fewer --replicas.'
      return failure('refused', message)
    }
    return this.#carryOut(plan, { proposer, force }, name)
  }

  async #delete(volume: VolumeRecord, proposer: string): Promise<AdminResult> {
    const { id, name } = volume
    await this.#o.access.untilVacant(volume, proposer)
    const change: Change = { kind: 'volume-deleted', volume: id }
    const outcome = await this.#o.propose(change, { proposer, force: false })
    if (outcome.kind === 'refused') return refused(outcome)
    return success({ name, id, epoch: outcome.record.epoch })
  }

  /** Whoever has it open goes on; what has that size already is no failure. */
  async #resize(
    { id: volume, name }: VolumeRecord,
    { size, force }: CommandOf<'volume-resize'>,
    proposer: string,
  ): Promise<AdminResult> {
    const change: Change = { kind: 'volume-resized', volume, size: byteCount(size) }
    return this.#carryOut(change, { proposer, force }, name)
  }

  /** What is so already is no failure: a script may ask again. */
  async #set(
    { id: volume, name }: VolumeRecord,
    { minInSync, snapshots: schedules, force }: CommandOf<'volume-set'>,
    proposer: string,
  ): Promise<AdminResult> {
    const change: Change = { kind: 'volume-set', volume, minInSync, schedules }
    return this.#carryOut(change, { proposer, force }, name)
  }

  /** Answers with the volume of this name, as it is then. */
  async #carryOut(change: Change, manner: ProposalManner, name: string): Promise<AdminResult> {
    const result = await this.#o.propose(change, manner)
    if (result.kind === 'refused' && result.code !== 'no-change') return refused(result)
    const view = this.#o.view()
    assert(view, 'what has committed a change has a configuration')
    const { epoch } = result.kind === 'refused' ? view.configuration : result.record
    return onVolume(view, name, made => success({ ...withAttachments(view, made), epoch }))
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
