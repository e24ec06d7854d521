// The only way from one configuration to the next: a pure function of the configuration and a
// change, which gives the configuration of the next epoch or a refusal with its reason. The changes
// are in apply/; what none may ever break is asserted in invariants.ts.
import { exhaustive } from '../base/assert.js'
import { epoch as toEpoch, EPOCH_LIMIT, volumeId, type Epoch } from '../base/brands.js'
import { addressesProblem } from './apply/addresses.js'
import { volumeAttached, volumeDetached } from './apply/attachments.js'
import { volumeCloned, volumeFlattened } from './apply/clones.js'
import { managerAdded, managerRemoved, managerUpdated } from './apply/managers.js'
import { shardPromoted } from './apply/promotion.js'
import { serverDown, serverRegistered, serverRemoved, serverState } from './apply/servers.js'
import { caughtUp, moved, reallocated, suspended } from './apply/shards.js'
import {
  sealsLifted,
  snapshotDeleted,
  snapshotsCreated,
  volumeRolledBack,
  volumesSealed,
} from './apply/snapshots.js'
import { volumeResized } from './apply/sizes.js'
import { volumeCreated, volumeDeleted, volumeSet } from './apply/volumes.js'
import type { Change } from './change.js'
import type { Configuration } from './configuration.js'
import { checkConfiguration } from './invariants.js'
import { isRefusal, refuse, type Outcome, type Refusal } from './outcome.js'

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
    case 'volume-resized':
      return volumeResized(before, change, epoch)
    case 'volume-attached':
      return volumeAttached(before, change, epoch)
    case 'volume-detached':
      return volumeDetached(before, change, epoch)
    case 'shard-promoted':
      return shardPromoted(before, change, epoch)
    case 'shards-reallocated':
      return reallocated(before, change.shards, epoch)
    case 'replicas-caught-up':
      return caughtUp(before, change.replicas, epoch)
    case 'shards-moved':
      return moved(before, change.shards, epoch)
    case 'server-state':
      return serverState(before, change, epoch)
    case 'replicas-suspended':
      return suspended(before, change.replicas, epoch)
    case 'volumes-sealed':
      return volumesSealed(before, change, epoch)
    case 'snapshots-created':
      return snapshotsCreated(before, change, epoch)
    case 'seals-lifted':
      return sealsLifted(before, change, epoch)
    case 'snapshot-deleted':
      return snapshotDeleted(before, change, epoch)
    case 'volume-rolled-back':
      return volumeRolledBack(before, change, epoch)
    case 'volume-cloned':
      return volumeCloned(before, change, epoch)
    case 'volume-flattened':
      return volumeFlattened(before, change, epoch)
    case 'volume-set':
      return volumeSet(before, change, epoch)
    default:
      return exhaustive(change)
  }
}
