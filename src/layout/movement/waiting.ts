// Why a server that is to be emptied is not, in one sentence, as far as the configuration and who
// is there say it; what a vote refused is for the manager to add. Pure.
import type { PeerId } from '../../base/brands.js'
import type { Configuration, ShardAllocation, VolumeRecord } from '../configuration.js'
import { inSyncOf, isDraining, isHere, keepsMemory, type Observed } from '../replicas.js'

/** Whether a server has a copy of a shard, in whatever state. */
export function holds({ replicas, stale }: ShardAllocation, server: PeerId): boolean {
  return stale.includes(server) || replicas.some(replica => replica.server === server)
}

/** Null: nothing stands in the way, or nothing is left to do. */
export function whatDrainWaitsFor(observed: Observed, server: PeerId): string | null {
  const { configuration } = observed
  let later: string | null = null
  for (const volume of configuration.volumes.values()) {
    const held = volume.shards.filter(shard => holds(shard, server))
    if (held.length === 0) continue
    const few = tooFewServers(observed, volume)
    if (few !== null) return few
    // Where one is on its way, it is not waiting, whatever is with the others.
    for (const shard of held) {
      if (isMoving(observed, shard)) return null
      later ??= whoIsAway(observed, volume, shard)
    }
  }
  return later
}

function tooFewServers(observed: Observed, { name, replicas }: VolumeRecord): string | null {
  const takers = [...observed.configuration.servers.values()].filter(
    ({ id, state }) => state === 'up' && isHere(observed, id),
  )
  if (takers.length >= replicas) return null
  return (
    `volume ${name} needs ${replicas} storage servers for its ${replicas} replicas, and only ` +
    `${takers.length} can take copies now: start another one, or end this with ` +
    '`swarmdisk server undrain`'
  )
}

/** A copy is being made on a server that stays. */
function isMoving(observed: Observed, { replicas }: ShardAllocation): boolean {
  return replicas.some(
    ({ server, state }) =>
      state === 'syncing' &&
      isHere(observed, server) &&
      !isDraining(observed.configuration, server),
  )
}

/** Nothing is moved of a shard of which an in-sync copy is away: that comes first. */
function whoIsAway(
  observed: Observed,
  { name, shards }: VolumeRecord,
  shard: ShardAllocation,
): string | null {
  const { configuration } = observed
  const away = inSyncOf(shard).find(
    replica => !keepsMemory(configuration, replica) || !isHere(observed, replica.server),
  )
  if (away === undefined) return null
  const who = nameOf(configuration, away.server)
  return `shard ${shards.indexOf(shard)} of volume ${name} waits for storage server ${who}`
}

function nameOf({ servers }: Configuration, server: PeerId): string {
  return servers.get(server)?.name ?? server.slice(0, 8)
}
