// Volumes are created and deleted. What is asked for is checked here, for the planner as well.
import { generation, volumeId, type Epoch, type VolumeId } from '../../base/brands.js'
import { DELETED_VOLUMES_REMEMBERED, SHARDS_MAX, SHARDS_MIN } from '../../base/limits.js'
import type { ChangeOf } from '../change.js'
import type { Configuration, ShardAllocation, VolumeRecord } from '../configuration.js'
import { equal } from '../equal.js'
import { FIRST_LAYER } from '../layers.js'
import { minInSyncProblem, replicasProblem, schedulesProblem, sizeProblem } from '../names.js'
import { refuse, type Refusal } from '../outcome.js'
import { inSyncOn } from '../replicas.js'
import { holdersText } from './attachments.js'
import { newNameProblem } from './clones.js'
import { eachVolume } from './snapshots.js'

export function volumeCreated(
  before: Configuration,
  change: ChangeOf<'volume-created'>,
  epoch: Epoch,
): Configuration | Refusal {
  const problem = volumeProblem(before, change) ?? placementProblem(before, change)
  if (problem !== null) return problem
  const { name, size, replicas, minInSync, placement } = change
  const id = before.nextVolume
  const shards = placement.map((servers): ShardAllocation => ({
    epoch,
    generation: generation(0),
    replicas: servers.map(server => inSyncOn(before.servers.get(server)!)),
    stale: [],
  }))
  const volume: VolumeRecord = {
    ...{ id, name, size, replicas, minInSync },
    ...{ created: epoch, layers: [FIRST_LAYER], shards, attachments: [] },
    ...{ snapshots: [], seal: null, origin: null, schedules: [] },
  }
  const volumes = new Map(before.volumes).set(id, volume)
  return { ...before, epoch, volumes, nextVolume: volumeId(id + 1) }
}

/** What is wrong with a new volume but for its placement; the planner asks this before it plans. */
export function volumeProblem(
  before: Configuration,
  wish: Pick<VolumeRecord, 'name' | 'replicas' | 'minInSync'> & { readonly size: number },
): Refusal | null {
  const { name, size, replicas, minInSync } = wish
  const named = newNameProblem(before, name)
  if (named !== null) return named
  const sized = sizeProblem(size)
  if (sized !== null) return refuse('bad-size', sized)
  const replicated = replicasProblem(replicas)
  if (replicated !== null) return refuse('bad-replicas', replicated)
  const kept = minInSyncProblem(minInSync, replicas)
  if (kept !== null) return refuse('bad-min-in-sync', kept)
  const up = [...before.servers.values()].filter(server => server.state === 'up').length
  if (up >= replicas) return null
  return refuse(
    'too-few-servers',
    `${replicas} replicas need ${replicas} storage servers that are up, and there are ` +
      `${up}: start more or ask for fewer replicas.`,
  )
}

function placementProblem(
  before: Configuration,
  { placement, replicas }: ChangeOf<'volume-created'>,
): Refusal | null {
  const fits = placement.length >= SHARDS_MIN && placement.length <= SHARDS_MAX
  const wellFormed = placement.every(
    servers =>
      servers.length === replicas &&
      new Set(servers).size === replicas &&
      servers.every(server => before.servers.get(server)?.state === 'up'),
  )
  if (fits && wellFormed) return null
  return refuse(
    'bad-allocation',
    'The volume was planned for servers that are not (or no longer) up, or for other ' +
      `numbers: plan it again with ${SHARDS_MIN} to ${SHARDS_MAX} shards of ${replicas} ` +
      'different servers each.',
  )
}

export function volumeDeleted(
  before: Configuration,
  { volume }: ChangeOf<'volume-deleted'>,
  epoch: Epoch,
): Configuration | Refusal {
  const record = before.volumes.get(volume)
  if (record === undefined) {
    return refuse('no-such-volume', `There is no volume number ${volume}: it may be deleted.`)
  }
  if (record.attachments.length > 0) {
    const holders = holdersText(record.attachments)
    return refuse(
      'in-use',
      `Volume "${record.name}" is attached ${holders}: detach it there first.`,
    )
  }
  if (record.snapshots.length > 0) {
    const { length } = record.snapshots
    const them = length === 1 ? `snapshot "${record.snapshots[0]!.name}"` : `${length} snapshots`
    return refuse('in-use', `Volume "${record.name}" has ${them}: delete what it has first.`)
  }
  const volumes = new Map(before.volumes)
  volumes.delete(volume)
  return { ...before, epoch, volumes, deletedVolumes: remember(before.deletedVolumes, [volume]) }
}

export function volumeSet(
  before: Configuration,
  change: ChangeOf<'volume-set'>,
  epoch: Epoch,
): Configuration | Refusal {
  return eachVolume(before, { of: [change], epoch }, volume => {
    const minInSync = change.minInSync ?? volume.minInSync
    const schedules = change.schedules ?? volume.schedules
    const kept = minInSyncProblem(minInSync, volume.replicas)
    if (kept !== null) return refuse('bad-min-in-sync', kept)
    const scheduled = schedulesProblem(schedules)
    if (scheduled !== null) return refuse('bad-schedule', scheduled)
    const next = { ...volume, minInSync, schedules }
    if (!equal(next, volume)) return next
    return refuse('no-change', `Volume "${volume.name}" is set so already.`)
  })
}

/** The newest deletions, oldest first. */
export function remember(
  known: readonly VolumeId[],
  added: readonly VolumeId[],
): readonly VolumeId[] {
  return [...known, ...added].slice(-DELETED_VOLUMES_REMEMBERED)
}
