// What a shard can do right now, given who is connected, and what it waits for: for `status`.
import type { PeerId } from '../base/brands.js'
import type { Configuration, Replica, ShardAllocation, VolumeRecord } from './configuration.js'
import {
  allServe,
  inSyncOf,
  isDown,
  isHere,
  keepsMemory,
  serversHere,
  type Connected,
  type Observed,
} from './replicas.js'

export type ShardCondition =
  /** All replicas are in-sync and connected. */
  | { readonly kind: 'ok' }
  /** Reads and writes go on with fewer copies than wanted. */
  | { readonly kind: 'degraded' }
  /** Reads go on; writes wait for these in-sync servers, until they answer or are declared down. */
  | { readonly kind: 'writes-wait'; readonly servers: readonly PeerId[] }
  /** Reads go on; writes wait until as many of these as are missing have caught up. */
  | {
      readonly kind: 'too-few-in-sync'
      readonly servers: readonly PeerId[]
      readonly missing: number
    }
  /** Everything waits for these servers, which may hold the newest writes. */
  | { readonly kind: 'newest-away'; readonly servers: readonly PeerId[] }
  /** Everything waits for any of these servers: all have restarted, none is connected. */
  | { readonly kind: 'all-restarted'; readonly servers: readonly PeerId[] }
  /** The next configuration brings it back: the managers are about to resume it. */
  | { readonly kind: 'resuming' }

export function conditionOf(
  shard: ShardAllocation,
  volume: VolumeRecord,
  observed: Observed,
): ShardCondition {
  const inSync = inSyncOf(shard)
  const names = (replicas: readonly Replica[]): readonly PeerId[] =>
    replicas.map(({ server }) => server)
  const here = ({ server }: Replica): boolean => isHere(observed, server)
  const kept = inSync.filter(replica => keepsMemory(observed.configuration, replica))
  const serving = kept.filter(here)
  if (serving.length === 0) {
    if (kept.length > 0) return { kind: 'newest-away', servers: names(kept) }
    return inSync.some(here)
      ? { kind: 'resuming' }
      : { kind: 'all-restarted', servers: names(inSync) }
  }
  const away = inSync.filter(replica => !serving.includes(replica))
  if (away.length > 0) return { kind: 'writes-wait', servers: names(away) }
  if (serving.length < volume.minInSync) {
    const others = names(shard.replicas).slice(inSync.length)
    const missing = volume.minInSync - serving.length
    return { kind: 'too-few-in-sync', servers: [...others, ...shard.stale], missing }
  }
  return { kind: serving.length < volume.replicas ? 'degraded' : 'ok' }
}

/** One sentence for each volume and reason why I/O waits. */
export function explainUnavailable(
  configuration: Configuration,
  connected: Connected,
): readonly string[] {
  const lines: string[] = []
  const here = serversHere({ configuration, connected })
  for (const volume of configuration.volumes.values()) {
    const reasons = new Map<string, number>()
    for (const shard of volume.shards) {
      if (shard.replicas.length >= volume.replicas && allServe(shard, here)) continue
      const condition = conditionOf(shard, volume, { configuration, connected })
      const reason = reasonOf(condition, configuration)
      if (reason !== null) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    for (const [reason, count] of reasons) {
      const [shards, wait] = count === 1 ? ['1 shard', 'waits'] : [`${count} shards`, 'wait']
      lines.push(
        `volume ${volume.name}: ${reason.replace('{shards}', shards).replace('{wait}', wait)}`,
      )
    }
  }
  return lines
}

/** `{shards}` and `{wait}` stand for the number of shards for which this is so. */
function reasonOf(condition: ShardCondition, configuration: Configuration): string | null {
  switch (condition.kind) {
    case 'ok':
    case 'degraded':
      return null
    case 'resuming':
      return '{shards} {wait} for the managers to resume'
    case 'writes-wait':
      return (
        `writes to {shards} wait for ${named(condition.servers, configuration, 'and')} ` +
        'to answer, or for the managers to go on without; reads go on'
      )
    case 'too-few-in-sync':
      return `writes to {shards} wait ${untilEnough(condition, configuration)}; reads go on`
    case 'newest-away':
      return (
        `{shards} {wait} for ${named(condition.servers, configuration, 'or')}, ` +
        'which may hold the newest writes'
      )
    case 'all-restarted':
      return `{shards} {wait} for ${named(condition.servers, configuration, 'or')}; start it again`
  }
}

function untilEnough(
  { servers, missing }: Extract<ShardCondition, { kind: 'too-few-in-sync' }>,
  configuration: Configuration,
): string {
  if (servers.length < missing) return 'for more replicas'
  if (servers.length === 1 || missing === 1) {
    return `until ${named(servers, configuration, 'or')} has caught up`
  }
  const some = servers.length === missing ? '' : `${missing} of `
  return `until ${some}${named(servers, configuration, 'and')} have caught up`
}

/** Those that are recorded as down are marked: they must be started first. */
function named(
  servers: readonly PeerId[],
  configuration: Configuration,
  joiner: 'and' | 'or',
): string {
  const names = servers
    .map(server => {
      const name = configuration.servers.get(server)?.name ?? server.slice(0, 8)
      return isDown(configuration, server) ? `${name} (down)` : name
    })
    .sort()
  if (names.length === 1) return `storage server ${names[0]!}`
  return `storage servers ${names.slice(0, -1).join(', ')} ${joiner} ${names.at(-1)!}`
}
