// Servers that are to get their share of what others hold, by what has just changed: those that
// have joined, those that are no longer being emptied, and those whose old copies were given up
// because others were made in their place. Nobody else: small differences of balance, as between
// volumes of different sizes, are not worth the copying.
import type { PeerId } from '../../base/brands.js'
import type { Configuration, ShardAllocation } from '../configuration.js'
import { inSyncOf, isDraining } from '../replicas.js'

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
    if (!before.servers.has(id) || undrained) found.add(id)
  }
  for (const server of givenUp(before, after)) found.add(server)
  return new Set([...found].filter(id => after.servers.has(id) && !isDraining(after, id)))
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

function holders({ replicas, stale }: ShardAllocation): readonly PeerId[] {
  return [...replicas.map(({ server }) => server), ...stale]
}
