// What is held, and why, in words for people: derived from the configuration, from who is
// connected, and from the last answers. Pure.
import type { PeerId } from '../base/brands.js'
import { HELD_AFTER_MS } from '../base/limits.js'
import type { Configuration, ShardAllocation, VolumeRecord } from '../layout/configuration.js'
import { isDown } from '../layout/replicas.js'
import { inSyncServers, primaryOf } from './shard/routing.js'
import type { ShardRequest } from './shard/shard-request.js'
import type { HeldState } from './volume-driver.js'

export interface Surroundings {
  readonly now: number
  readonly configuration: Configuration | null
  /** Whether there is a link to this peer. */
  readonly connected: (peer: PeerId) => boolean
}

/** Null when nothing waits for longer than a hiccup. The oldest request gives the reason. */
export function heldState(
  requests: Iterable<ShardRequest>,
  around: Surroundings,
): HeldState | null {
  let oldest: ShardRequest | null = null
  let count = 0
  for (const request of requests) {
    if (around.now - request.since < HELD_AFTER_MS) break // the others are younger
    oldest ??= request
    count++
  }
  if (!oldest) return null
  return { requests: count, reason: heldReason(oldest, around), since: oldest.date }
}

export function heldReason(request: ShardRequest, around: Surroundings): string {
  const { configuration } = around
  if (request.obstacle?.kind === 'epoch') return waitingForEpoch(request.obstacle.epoch, around)
  if (request.obstacle?.kind === 'access') {
    return `waiting for the managers to give access to volume ${request.name.volumeName}`
  }
  if (request.obstacle?.kind === 'size') {
    return `waiting for the managers to resize volume ${request.name.volumeName}`
  }
  const volume = configuration?.volumes.get(request.name.volume)
  const allocation = volume?.shards[request.name.shard]
  if (!configuration || !volume || !allocation) return 'waiting for a configuration'
  return (
    waitingForServers({ request, volume, allocation }, { ...around, configuration }) ??
    waitingForAnswer(request, { configuration, allocation })
  )
}

function waitingForEpoch(epoch: number, { configuration, connected }: Surroundings): string {
  const managers = configuration?.managers ?? []
  const none = managers.every(manager => !connected(manager.id))
  return `waiting for configuration ${epoch}` + (none ? ', but no manager is reachable' : '')
}

interface Wanted {
  readonly request: ShardRequest
  readonly volume: VolumeRecord
  readonly allocation: ShardAllocation
}

function waitingForServers(
  { request, volume, allocation }: Wanted,
  { configuration, connected }: Surroundings & { readonly configuration: Configuration },
): string | null {
  const inSync = inSyncServers(allocation)
  const missing = inSync.filter(server => !connected(server))
  const answered = request.obstacle?.kind === 'answer' ? request.obstacle.status : null
  const noGoodCopy = answered === 'corrupt' || answered === 'disk-error'
  const read = request.name.kind === 'read'
  // A write needs all in-sync replicas, a read any one that has a good copy.
  if (missing.length > 0 && (!read || missing.length === inSync.length || noGoodCopy)) {
    const many = missing.length > 1
    const names = missing.map(server => serverName(configuration, server)).join(', ')
    const down = missing.every(server => isDown(configuration, server))
    return (
      `waiting for storage server${many ? 's' : ''} ${names}, which ${many ? 'are' : 'is'} ` +
      `${down ? 'down' : 'not reachable'} and hold${many ? '' : 's'} an in-sync copy of ` +
      `volume ${volume.name}`
    )
  }
  if (!read && inSync.length < volume.minInSync) {
    return (
      `waiting for more in-sync copies of volume ${volume.name}: shard ${request.name.shard} ` +
      `has ${inSync.length} of the ${volume.minInSync} it needs for writing`
    )
  }
  return null
}

function waitingForAnswer(
  { obstacle, name }: ShardRequest,
  where: { readonly configuration: Configuration; readonly allocation: ShardAllocation },
): string {
  const asked = obstacle?.kind === 'answer' ? obstacle.server : primaryOf(where.allocation)
  const server = `storage server ${serverName(where.configuration, asked)}`
  const volume = `volume ${name.volumeName}`
  const status = obstacle?.kind === 'answer' ? obstacle.status : null
  if (status === 'disk-full') return `${server} is full and takes no writes of ${volume}`
  if (status === 'disk-error') return `${server} cannot use its disk for ${volume}`
  if (status === 'not-serving') return `waiting for ${server}, which does not serve ${volume} yet`
  return `waiting for an answer of ${server} for ${volume}`
}

function serverName(configuration: Configuration, server: PeerId): string {
  return configuration.servers.get(server)?.name ?? server.slice(0, 8)
}
