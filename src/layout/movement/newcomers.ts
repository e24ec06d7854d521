// Servers that are to get their share of what others hold, by what has just changed: those that
// have joined, those that are no longer being emptied, those whose old copies were given up because
// others were made in their place, and those that come back with nothing; and all of them when a
// weight has changed, since that changes every share. Nobody else: small differences of balance, as
// between volumes of different sizes, are not worth the copying.
import type { PeerId } from '../../base/brands.js'
import type { Configuration, ShardAllocation } from '../configuration.js'
import { candidatesOf } from '../placement/candidates.js'
import { loadsOf } from '../placement/load-ledger.js'
import { inSyncOf, isDown, isDraining } from '../replicas.js'
import { sharesOf } from './targets.js'
import { holds } from './waiting.js'

/** `joining` as it is after this change. */
export function newcomers(
  joining: ReadonlySet<PeerId>,
  before: Configuration,
  after: Configuration,
): ReadonlySet<PeerId> {
  // Without volumes there is nothing to have a share of, and new ones are placed evenly.
  if (after.volumes.size === 0) return new Set()
  const found = new Set(joining)
  for (const id of after.servers.keys()) {
    const undrained = isDraining(before, id) && !isDraining(after, id)
    const empty = isDown(before, id) && !isDown(after, id) && heldBy(after, id) === 0
    if (!before.servers.has(id) || undrained || empty) found.add(id)
  }
  if (weightChanged(before, after)) for (const id of after.servers.keys()) found.add(id)
  for (const server of givenUp(before, after)) found.add(server)
  return new Set([...found].filter(id => after.servers.has(id) && !isDraining(after, id)))
}

function weightChanged(before: Configuration, after: Configuration): boolean {
  if (before.servers === after.servers) return false
  return [...after.servers.values()].some(({ id, weight }) => {
    const known = before.servers.get(id)
    return known !== undefined && known.weight !== weight
  })
}

/** Everybody has a share: new is still who is away, and could not be given one. */
export function stillNew(
  joining: ReadonlySet<PeerId>,
  configuration: Configuration,
): ReadonlySet<PeerId> {
  return new Set([...joining].filter(server => isDown(configuration, server)))
}

/**
 * For a manager that has just started, and has not seen who joined: who holds less than half of its
 * share.
 */
export function farBehind(configuration: Configuration): ReadonlySet<PeerId> {
  const candidates = candidatesOf(configuration.servers.values())
  const shares = sharesOf(configuration, candidates)
  const loads = loadsOf(configuration)
  return new Set(candidates.ids.filter((id, i) => 2 * (loads.get(id)?.replicas ?? 0) < shares[i]!))
}

/** Servers whose copies, not in-sync ones, are named no more in a volume that is still there. */
function* givenUp(before: Configuration, after: Configuration): Iterable<PeerId> {
  if (before.volumes === after.volumes) return
  for (const [id, { shards }] of before.volumes) {
    const now = after.volumes.get(id)?.shards
    if (now === undefined || now === shards) continue
    for (const [i, old] of shards.entries()) {
      const shard = now[i]
      if (shard === undefined || shard === old) continue
      const inSync = new Set(inSyncOf(old).map(({ server }) => server))
      for (const server of holders(old)) {
        if (!inSync.has(server) && !holders(shard).includes(server)) yield server
      }
    }
  }
}

/** Shards of which a server has a copy, in whatever state. */
export function heldBy({ volumes }: Configuration, server: PeerId): number {
  let count = 0
  for (const { shards } of volumes.values()) {
    for (const shard of shards) if (holds(shard, server)) count++
  }
  return count
}

/** The same for every server. */
export function heldByEach({ servers, volumes }: Configuration): ReadonlyMap<PeerId, number> {
  const counts = new Map([...servers.keys()].map(id => [id, { held: 0 }]))
  for (const { shards } of volumes.values()) {
    for (const { replicas, stale } of shards) {
      for (const { server } of replicas) counts.get(server)!.held++
      for (const server of stale) counts.get(server)!.held++
    }
  }
  return new Map([...counts].map(([id, { held }]) => [id, held]))
}

function holders({ replicas, stale }: ShardAllocation): readonly PeerId[] {
  return [...replicas.map(({ server }) => server), ...stale]
}
