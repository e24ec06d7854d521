// The only way from one configuration to the next: a pure function of the configuration and a
// change, which gives the configuration of the next epoch or a refusal with its reason. Changes of
// shards are in apply-shards.ts; what no change may ever break is asserted in invariants.ts.
import { exhaustive } from '../base/assert.js'
import {
  epoch as toEpoch,
  EPOCH_LIMIT,
  generation,
  volumeId,
  type Epoch,
  type VolumeId,
} from '../base/brands.js'
import {
  ADDRESSES_MAX,
  DELETED_VOLUMES_REMEMBERED,
  HOST_LENGTH_MAX,
  SERVERS_MAX,
  SHARDS_MAX,
  SHARDS_MIN,
  VOLUMES_MAX,
  WEIGHT_MAX,
} from '../base/limits.js'
import { caughtUp, reallocated } from './apply-shards.js'
import type { Change } from './change.js'
import type {
  Address,
  Configuration,
  ServerRecord,
  ShardAllocation,
  VolumeRecord,
} from './configuration.js'
import { equal } from './equal.js'
import { checkConfiguration } from './invariants.js'
import { minInSyncProblem, nameProblem, replicasProblem, sizeProblem } from './names.js'
import { isRefusal, refuse, type Outcome, type Refusal } from './outcome.js'

type ChangeOf<Kind extends Change['kind']> = Extract<Change, { kind: Kind }>

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
  if (problem !== null) return refuse('bad-server', problem)
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
    case 'server-registered':
      return serverRegistered(before, change, epoch)
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

function managerUpdated(
  before: Configuration,
  { manager }: ChangeOf<'manager-updated'>,
  epoch: Epoch,
): Configuration | Refusal {
  const known = before.managers.find(({ id }) => id === manager.id)
  if (known === undefined) {
    return refuse('no-such-manager', `${manager.id} is no manager of this cluster: add it first.`)
  }
  if (equal(known, manager)) return refuse('no-change', 'The manager is on record like this.')
  const problem = addressesProblem(manager.addresses)
  if (problem !== null) return refuse('bad-server', problem)
  const managers = before.managers.map(other => (other === known ? manager : other))
  return { ...before, epoch, managers }
}

/** Registering says that a server is up, but does not end the draining that an operator began. */
function serverRegistered(
  before: Configuration,
  change: ChangeOf<'server-registered'>,
  epoch: Epoch,
): Configuration | Refusal {
  const known = before.servers.get(change.server.id)
  const draining = known?.state === 'draining'
  const server: ServerRecord = draining ? { ...change.server, state: 'draining' } : change.server
  const problem = serverProblem(server)
  if (problem !== null) return problem
  for (const other of before.servers.values()) {
    if (other.name !== server.name || other.id === server.id) continue
    return refuse(
      'name-taken',
      `Another storage server is called "${server.name}": start this one with another --name.`,
    )
  }
  if (known === undefined && before.servers.size >= SERVERS_MAX) {
    return refuse('too-many', `The cluster has ${SERVERS_MAX} servers: remove one first.`)
  }
  if (known !== undefined && server.incarnation < known.incarnation) {
    return refuse(
      'old-incarnation',
      `Storage server "${server.name}" is an older start than the one on record: its ` +
        'data directory is an old copy, start it with an empty one.',
    )
  }
  if (equal(known, server)) return refuse('no-change', 'The server is on record like this.')
  return { ...before, epoch, servers: new Map(before.servers).set(server.id, server) }
}

function serverProblem(server: ServerRecord): Refusal | null {
  const name = nameProblem('server name', server.name)
  if (name !== null) return refuse('bad-name', name)
  const domain = nameProblem('failure domain', server.domain)
  if (domain !== null) return refuse('bad-name', domain)
  if (server.state === 'down') {
    return refuse('bad-server', 'A server that registers is not down: register it as up.')
  }
  const { weight, capacity } = server
  if (!Number.isSafeInteger(weight) || weight < 1 || weight > WEIGHT_MAX) {
    return refuse('bad-server', `A weight is a whole number from 1 to ${WEIGHT_MAX}: choose one.`)
  }
  if (!Number.isSafeInteger(capacity) || capacity < 0) {
    return refuse('bad-server', 'A capacity is a whole number of bytes: choose another one.')
  }
  const addresses = addressesProblem(server.addresses)
  return addresses === null ? null : refuse('bad-server', addresses)
}

function addressesProblem(addresses: readonly Address[]): string | null {
  if (addresses.length > ADDRESSES_MAX) {
    return `A peer has at most ${ADDRESSES_MAX} addresses: choose with --host.`
  }
  const bad = addresses.find(
    ({ host, port }) =>
      host === '' ||
      host.length > HOST_LENGTH_MAX ||
      !Number.isSafeInteger(port) ||
      port < 1 ||
      port > 65535,
  )
  return bad === undefined
    ? null
    : `${bad.host}:${bad.port} is no address: use HOST:PORT with a port from 1 to 65535.`
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
