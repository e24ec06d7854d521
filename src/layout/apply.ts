// The only way from one configuration to the next: a pure function of the configuration and a
// change, which gives the configuration of the next epoch or a refusal with its reason. The changes
// are in apply/ and apply-shards.ts; what none may ever break is asserted in invariants.ts.
import { exhaustive } from '../base/assert.js'
import {
  epoch as toEpoch,
  EPOCH_LIMIT,
  generation,
  volumeId,
  type Epoch,
  type VolumeId,
} from '../base/brands.js'
import { DELETED_VOLUMES_REMEMBERED, SHARDS_MAX, SHARDS_MIN, VOLUMES_MAX } from '../base/limits.js'
import { caughtUp, reallocated } from './apply-shards.js'
import { addressesProblem } from './apply/addresses.js'
import { managerAdded, managerRemoved, managerUpdated } from './apply/managers.js'
import { serverDown, serverRegistered, serverRemoved } from './apply/servers.js'
import type { Change, ChangeOf } from './change.js'
import type { Configuration, ShardAllocation, VolumeRecord } from './configuration.js'
import { checkConfiguration } from './invariants.js'
import { minInSyncProblem, nameProblem, replicasProblem, sizeProblem } from './names.js'
import { isRefusal, refuse, type Outcome, type Refusal } from './outcome.js'

/** The layer that a new volume starts with, its head. */
export const FIRST_LAYER = 1

/** `configuration` is null only before 'cluster-created', which makes epoch 1. */
export function apply(configuration: Configuration | null, change: Change): Outcome {
  if (configuration === null) return create(change)
  if (configuration.epoch + 1 >= EPOCH_LIMIT) {
    return refuse('too-many', 'The cluster has used up its epochs: move its volumes to a new one.')
  }
  const next = changed(configuration, change, toEpoch(configuration.epoch + 1))
  if (isRefusal(next)) return next
  checkConfiguration(next, configuration)
  return { kind: 'applied', configuration: next }
}

function create(change: Change): Outcome {
  if (change.kind !== 'cluster-created') {
    return refuse('no-cluster', 'There is no cluster yet: start its first manager with --new.')
  }
  const problem = addressesProblem(change.manager.addresses)
  if (problem !== null) return problem
  const configuration: Configuration = {
    epoch: toEpoch(1),
    cluster: change.cluster,
    managers: [change.manager],
    servers: new Map(),
    volumes: new Map(),
    nextVolume: volumeId(1),
    deletedVolumes: [],
  }
  checkConfiguration(configuration)
  return { kind: 'applied', configuration }
}

function changed(before: Configuration, change: Change, epoch: Epoch): Configuration | Refusal {
  switch (change.kind) {
    case 'cluster-created':
      return refuse('already-created', 'The cluster exists already: join it without --new.')
    case 'manager-updated':
      return managerUpdated(before, change, epoch)
    case 'manager-added':
      return managerAdded(before, change, epoch)
    case 'manager-removed':
      return managerRemoved(before, change, epoch)
    case 'server-registered':
      return serverRegistered(before, change, epoch)
    case 'server-down':
      return serverDown(before, change, epoch)
    case 'server-removed':
      return serverRemoved(before, change, epoch)
    case 'volume-created':
      return volumeCreated(before, change, epoch)
    case 'volume-deleted':
      return volumeDeleted(before, change, epoch)
    case 'shards-reallocated':
      return reallocated(before, change.shards, epoch)
    case 'replicas-caught-up':
      return caughtUp(before, change.replicas, epoch)
    default:
      return exhaustive(change)
  }
}

function volumeCreated(
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
    replicas: servers.map(server => ({
      server,
      state: 'in-sync',
      incarnation: before.servers.get(server)!.incarnation,
    })),
    stale: [],
  }))
  const layers = [{ id: FIRST_LAYER }]
  const volume: VolumeRecord = {
    ...{ id, name, size, replicas, minInSync },
    ...{ created: epoch, layers, shards },
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
  const named = nameProblem('volume name', name)
  if (named !== null) return refuse('bad-name', named)
  const sized = sizeProblem(size)
  if (sized !== null) return refuse('bad-size', sized)
  const replicated = replicasProblem(replicas)
  if (replicated !== null) return refuse('bad-replicas', replicated)
  const kept = minInSyncProblem(minInSync, replicas)
  if (kept !== null) return refuse('bad-min-in-sync', kept)
  for (const volume of before.volumes.values()) {
    if (volume.name !== name) continue
    return refuse('name-taken', `There is a volume "${name}" already: choose another name.`)
  }
  if (before.volumes.size >= VOLUMES_MAX) {
    return refuse('too-many', `The cluster has ${VOLUMES_MAX} volumes: delete one first.`)
  }
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

function volumeDeleted(
  before: Configuration,
  { volume }: ChangeOf<'volume-deleted'>,
  epoch: Epoch,
): Configuration | Refusal {
  if (!before.volumes.has(volume)) {
    return refuse('no-such-volume', `There is no volume number ${volume}: it may be deleted.`)
  }
  const volumes = new Map(before.volumes)
  volumes.delete(volume)
  return { ...before, epoch, volumes, deletedVolumes: remember(before.deletedVolumes, [volume]) }
}

/** The newest deletions, oldest first. */
export function remember(
  known: readonly VolumeId[],
  added: readonly VolumeId[],
): readonly VolumeId[] {
  return [...known, ...added].slice(-DELETED_VOLUMES_REMEMBERED)
}
