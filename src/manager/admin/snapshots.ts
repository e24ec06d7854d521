// What operators ask for about snapshots.
import type { Change } from '../../layout/change.js'
import type { Configuration, SnapshotRecord, VolumeRecord } from '../../layout/configuration.js'
import type {
  AdminCommand,
  AdminResult,
  SnapshotChanged,
  SnapshotListResult,
  SnapshotResult,
  SnapshotsCreated,
  VolumeCloned,
  VolumeFlattened,
  VolumeResult,
} from '../../net/admin.js'
import type { ProposalResult } from '../history/configuration-history.js'
import type { AccessDesk } from '../leases/access-desk.js'
import type { Snapshots } from '../snapshots.js'
import { failure, refused, success } from './answers.js'

export type SnapshotCommand = Extract<
  AdminCommand,
  { readonly command: `snapshot-${string}` | 'volume-flatten' }
>
type CommandOf<Name> = Extract<SnapshotCommand, { readonly command: Name }>

export interface SnapshotAdminOptions {
  readonly access: Pick<AccessDesk, 'untilVacant'>
  readonly current: () => Configuration | null
  readonly snapshots: Pick<Snapshots, 'create'>
  readonly propose: (change: Change, proposer: string) => Promise<ProposalResult>
  /** As `volume list` has it. */
  readonly resultOf: (volume: VolumeRecord) => VolumeResult
}

export class SnapshotAdmin {
  readonly #o: SnapshotAdminOptions

  constructor(options: SnapshotAdminOptions) {
    this.#o = options
  }

  carryOut(command: SnapshotCommand, proposer: string): Promise<AdminResult> | AdminResult {
    switch (command.command) {
      case 'snapshot-list':
        return this.#list(command)
      case 'snapshot-create':
        return this.#create(command, proposer)
      case 'snapshot-delete':
        return this.#change('snapshot-deleted', command, proposer)
      case 'snapshot-rollback':
        return this.#change('volume-rolled-back', command, proposer)
      case 'snapshot-clone':
        return this.#clone(command, proposer)
      case 'volume-flatten':
        return this.#flatten(command, proposer)
    }
  }

  #list({ volume: name }: CommandOf<'snapshot-list'>): AdminResult {
    const volumes = [...(this.#o.current()?.volumes.values() ?? [])]
    const chosen = name === null ? volumes : volumes.filter(volume => volume.name === name)
    if (name !== null && chosen.length === 0) return noVolume(name)
    const snapshots = chosen.flatMap(volume =>
      volume.snapshots.map(snapshot => resultOf(volume, snapshot)),
    )
    return success({ snapshots } satisfies SnapshotListResult)
  }

  async #create(
    { snapshots }: CommandOf<'snapshot-create'>,
    proposer: string,
  ): Promise<AdminResult> {
    const asked = []
    for (const { volume: name, name: snapshot, source = null } of snapshots) {
      const volume = this.#volume(name)
      if (!volume) return noVolume(name)
      asked.push({ volume: volume.id, name: snapshot, source })
    }
    const result = await this.#o.snapshots.create(asked, proposer)
    if (result.kind === 'refused') return refused(result)
    const { epoch } = result.record
    const made = asked.flatMap(({ volume: id, name }) => {
      const volume = this.#o.current()?.volumes.get(id)
      const snapshot = volume?.snapshots.find(one => one.name === name && one.epoch === epoch)
      return volume && snapshot ? [resultOf(volume, snapshot)] : []
    })
    return success({ snapshots: made, epoch } satisfies SnapshotsCreated)
  }

  async #change(
    kind: 'snapshot-deleted' | 'volume-rolled-back',
    { volume: volumeName, name }: SnapshotChangeInput,
    proposer: string,
  ): Promise<AdminResult> {
    const volume = this.#volume(volumeName)
    if (!volume) return noVolume(volumeName)
    // Who has died, or is just leaving, would stand in the way of a rollback.
    if (kind === 'volume-rolled-back') await this.#o.access.untilVacant(volume, proposer)
    const result = await this.#o.propose({ kind, volume: volume.id, name }, proposer)
    if (result.kind === 'refused') return refused(result)
    const { epoch } = result.record
    return success({ volume: volumeName, name, epoch } satisfies SnapshotChanged)
  }

  async #clone(
    { volume: from, snapshot, name }: CommandOf<'snapshot-clone'>,
    proposer: string,
  ): Promise<AdminResult> {
    const origin = this.#volume(from)
    if (!origin) return noVolume(from)
    const change: Change = { kind: 'volume-cloned', volume: origin.id, snapshot, name }
    const result = await this.#o.propose(change, proposer)
    if (result.kind === 'refused') return refused(result)
    const { epoch } = result.record
    const clone = this.#volume(name)
    // Somebody was quicker to delete it.
    if (clone?.created !== epoch) return noVolume(name)
    return success({ ...this.#o.resultOf(clone), epoch } satisfies VolumeCloned)
  }

  async #flatten({ name }: CommandOf<'volume-flatten'>, proposer: string): Promise<AdminResult> {
    const volume = this.#volume(name)
    if (!volume) return noVolume(name)
    const { origin } = this.#o.resultOf(volume)
    const change: Change = { kind: 'volume-flattened', volume: volume.id }
    const result = await this.#o.propose(change, proposer)
    if (result.kind === 'refused') return refused(result)
    const { epoch } = result.record
    return success({ name, origin: origin ?? '', epoch } satisfies VolumeFlattened)
  }

  #volume(name: string): VolumeRecord | undefined {
    return [...(this.#o.current()?.volumes.values() ?? [])].find(volume => volume.name === name)
  }
}

type SnapshotChangeInput = CommandOf<'snapshot-delete' | 'snapshot-rollback'>

function resultOf({ name: volume }: VolumeRecord, snapshot: SnapshotRecord): SnapshotResult {
  const { name, at, epoch, size } = snapshot
  return { volume, name, at, epoch, size }
}

function noVolume(name: string): AdminResult {
  return failure('not-found', `There is no volume "${name}": see \`swarmdisk volume list\`.`)
}
