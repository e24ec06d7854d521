// A change of the configuration as one line for people, with the names that were valid at the time.
// It is kept with the change, so that `epoch list` still names a volume that was deleted since.
import { exhaustive } from '../base/assert.js'
import type { PeerId, VolumeId } from '../base/brands.js'
import { inTheWayOf } from '../layout/apply/attachments.js'
import type {
  CaughtUpReplica,
  Change,
  ChangeOf,
  ShardReallocation,
  SnapshotName,
  SuspensionCause,
} from '../layout/change.js'
import type { Configuration, ServerRecord } from '../layout/configuration.js'
import { formatSchedules } from '../layout/names.js'

export function describeChange(
  change: Change,
  after: Configuration,
  before: Configuration | null,
): string {
  switch (change.kind) {
    case 'cluster-created':
      return `cluster created: ${change.cluster}, first manager ${shortId(change.manager.id)}`
    case 'manager-updated':
      return `manager ${shortId(change.manager.id)} updated: ${addresses(change.manager)}`
    case 'server-registered':
      return describeServer(change.server, before?.servers.get(change.server.id))
    case 'manager-added':
      return `manager ${shortId(change.manager.id)} added: ${addresses(change.manager)}`
    case 'manager-removed':
      return `manager ${shortId(change.manager)} removed`
    case 'server-down':
      return `storage server ${serverName(after, change.server)} is down: ${change.reason}`
    case 'server-removed':
      return `storage server ${serverName(before ?? after, change.server)} removed`
    case 'volume-created':
      return (
        `volume created: ${change.name}, ${formatBytes(change.size)}, ` +
        `${count(change.replicas, 'replica')} in ${count(change.placement.length, 'shard')}`
      )
    case 'volume-deleted':
      return `volume deleted: ${volumeName(before ?? after, change.volume)}`
    case 'volume-attached':
      return describeAttached(change, after, before)
    case 'volume-detached':
      return describeDetached(change, before ?? after)
    case 'shard-promoted':
      return describePromotion(change, before ?? after)
    case 'shards-reallocated':
      return (
        `${count(change.shards.length, 'shard')} of ${volumes(after, change.shards)} ` +
        `reallocated: ${change.reason}`
      )
    case 'shards-moved':
      return (
        `${count(change.shards.length, 'shard')} of ${volumes(after, change.shards)} ` +
        `moved: ${change.reason}`
      )
    case 'server-state':
      return describeState(change, after)
    case 'replicas-caught-up':
      return (
        `${count(change.replicas.length, 'replica')} of ${volumes(after, change.replicas)} ` +
        `caught up: ${servers(after, change.replicas)}`
      )
    case 'replicas-suspended':
      return (
        `${count(change.replicas.length, 'replica')} of ${volumes(after, change.replicas)} ` +
        `no longer in-sync: ${causes(after, change)}`
      )
    case 'volumes-sealed':
    case 'snapshots-created':
    case 'seals-lifted':
    case 'snapshot-deleted':
    case 'volume-rolled-back':
    case 'volume-cloned':
    case 'volume-flattened':
      return describeSnapshots(change, after)
    case 'volume-set':
    case 'volume-resized':
      return `volume ${volumeName(after, change.volume)} ${describeSet(change)}`
    default:
      return exhaustive(change)
  }
}

function describeState(change: ChangeOf<'server-state'>, after: Configuration): string {
  const said = change.state === 'draining' ? 'to be emptied' : 'no longer to be emptied'
  return `storage server ${serverName(after, change.server)} is ${said}`
}

function describeSet(change: ChangeOf<'volume-set' | 'volume-resized'>): string {
  if (change.kind === 'volume-resized') return `resized to ${formatBytes(change.size)}`
  const { minInSync, schedules } = change
  const said = [
    ...(minInSync === null ? [] : [`min-in-sync ${minInSync}`]),
    ...(schedules === null ? [] : [`snapshots ${formatSchedules(schedules)}`]),
  ]
  return `set to ${said.join(', ')}`
}

function describeSnapshots(
  change: ChangeOf<
    | 'volumes-sealed'
    | 'snapshots-created'
    | 'seals-lifted'
    | 'snapshot-deleted'
    | 'volume-rolled-back'
    | 'volume-cloned'
    | 'volume-flattened'
  >,
  after: Configuration,
): string {
  switch (change.kind) {
    case 'volumes-sealed':
      return `${snapshots(after, change.snapshots)} begun`
    case 'snapshots-created':
      return `${snapshots(after, change.snapshots)} made`
    case 'seals-lifted': {
      const names = atMostThree(change.volumes.map(id => volumeName(after, id)))
      return `no snapshot made of ${names}: ${change.reason}`
    }
    case 'snapshot-deleted':
      return `${snapshots(after, [change])} deleted`
    case 'volume-rolled-back':
      return `volume ${volumeName(after, change.volume)} rolled back to snapshot ${change.name}`
    case 'volume-cloned': {
      const { volume, snapshot, name } = change
      return `volume ${name} cloned from ${volumeName(after, volume)}@${snapshot}`
    }
    case 'volume-flattened':
      return `clone ${volumeName(after, change.volume)} flattened`
    default:
      return exhaustive(change)
  }
}

function snapshots(configuration: Configuration, names: readonly SnapshotName[]): string {
  const said = names.map(({ volume, name }) => `${volumeName(configuration, volume)}@${name}`)
  return `snapshot${said.length === 1 ? '' : 's'} ${atMostThree(said)}`
}

function describeAttached(
  change: ChangeOf<'volume-attached'>,
  after: Configuration,
  before: Configuration | null,
): string {
  const { host, mode, takeover } = change
  const shared = mode === 'shared' ? ', shared' : ''
  const taken = takeover && before ? takenFrom(before, change) : ''
  const client = `client ${shortId(change.client)} at host ${host}`
  return `volume ${volumeName(after, change.volume)} attached by ${client}${shared}${taken}`
}

function describeDetached(
  { volume, client }: ChangeOf<'volume-detached'>,
  before: Configuration,
): string {
  const known = before.volumes.get(volume)?.attachments ?? []
  const host = known.find(attachment => attachment.client === client)?.host ?? 'unknown'
  const who = `client ${shortId(client)} at host ${host}`
  return `volume ${volumeName(before, volume)} detached from ${who}`
}

function describePromotion(
  { volume, shard, server }: ChangeOf<'shard-promoted'>,
  before: Configuration,
): string {
  const replicas = before.volumes.get(volume)?.shards[shard]?.replicas ?? []
  const given = replicas.filter(({ state }) => state === 'in-sync')
  const names = given.map(replica => serverName(before, replica.server))
  return (
    `shard ${shard} of volume ${volumeName(before, volume)} goes on from the copy of storage ` +
    `server ${serverName(before, server)}, which was behind; writes may be lost, accepted by the ` +
    `operator; in-sync were ${atMostThree(names)}, which are down`
  )
}

function takenFrom({ volumes }: Configuration, change: ChangeOf<'volume-attached'>): string {
  const volume = volumes.get(change.volume)
  const hosts = volume ? inTheWayOf(volume, change).map(({ host }) => host) : []
  return hosts.length === 0 ? '' : `, taken over from host ${atMostThree(hosts)}`
}

function describeServer(server: ServerRecord, known: ServerRecord | undefined): string {
  const { name } = server
  if (!known) {
    const { domain, capacity } = server
    return `storage server ${name} joined: ${formatBytes(capacity)}, failure domain ${domain}`
  }
  const news: string[] = []
  if (known.name !== name) news.push(`it was called ${known.name}`)
  if (known.incarnation !== server.incarnation) news.push('it was started again')
  if (known.state !== server.state) news.push(`it is ${server.state}`)
  if (known.capacity !== server.capacity) news.push(`capacity ${formatBytes(server.capacity)}`)
  if (known.weight !== server.weight) news.push(`weight ${server.weight}`)
  if (known.domain !== server.domain) news.push(`failure domain ${server.domain}`)
  if (addresses(known) !== addresses(server)) news.push(addresses(server))
  return `storage server ${name} registered again: ${news.join(', ')}`
}

function addresses({ addresses: list }: Pick<ServerRecord, 'addresses'>): string {
  if (list.length === 0) return 'no direct address'
  return `at ${list.map(({ host, port }) => formatAddress(host, port)).join(', ')}`
}

function volumes(
  configuration: Configuration,
  shards: readonly (ShardReallocation | CaughtUpReplica)[],
): string {
  const ids = [...new Set(shards.map(({ volume }) => volume))]
  return atMostThree(ids.map(id => volumeName(configuration, id)))
}

function servers(configuration: Configuration, replicas: readonly CaughtUpReplica[]): string {
  const ids = [...new Set(replicas.map(({ server }) => server))]
  return atMostThree(ids.map(id => serverName(configuration, id)))
}

const CAUSES: Readonly<Record<SuspensionCause, string>> = {
  failing: 'cannot store what it is sent',
  unreachable: 'has no path to the others',
  stuck: 'does not get on',
}

function causes(
  configuration: Configuration,
  { replicas }: ChangeOf<'replicas-suspended'>,
): string {
  const said = replicas.map(
    ({ server, cause }) => `${serverName(configuration, server)} ${CAUSES[cause]}`,
  )
  return atMostThree([...new Set(said)])
}

function atMostThree(names: readonly string[]): string {
  if (names.length <= 3) return names.join(', ')
  return `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}

export function volumeName(configuration: Configuration, id: VolumeId): string {
  return configuration.volumes.get(id)?.name ?? `number ${id}`
}

export function serverName(configuration: Configuration, id: PeerId): string {
  return configuration.servers.get(id)?.name ?? shortId(id)
}

/** Enough digits of an identity for people to tell peers apart. */
export function shortId(id: PeerId): string {
  return id.slice(0, 8)
}

export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function count(number: number, thing: string): string {
  return number === 1 ? `1 ${thing}` : `${number} ${thing}s`
}

/** In the largest unit of which there are two: nobody knows better how long it will take. */
export function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Two digits after the point at most, in the largest unit that leaves at least one whole. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${Math.round(value * 100) / 100} ${UNITS[unit]}`
}
