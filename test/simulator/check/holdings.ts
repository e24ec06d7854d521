// What servers hold in the end (I7): replicas are equal, and nobody has what is somewhere else.
import { volumeId, type PeerId } from '../../../src/base/brands.js'
import type { Configuration, ShardAllocation } from '../../../src/layout/configuration.js'
import { inSyncOf } from '../../../src/layout/replicas.js'
import type { BlockStore } from '../../../src/storage/shard-store.js'
import { compareShard } from '../equal-replicas.js'
import type { SimulatedCluster } from '../simulated-cluster.js'

type Damage = (server: PeerId, shard: string) => boolean

/** What servers hold, and what they are to hold by the configuration of that moment. */
export interface Holdings {
  readonly volumes: Configuration['volumes']
  /** Of the moment when the last server had ended. */
  readonly after: Configuration['volumes']
  readonly stores: ReadonlyMap<PeerId, BlockStore>
}

/** Ends the servers. */
export async function holdingsOf(cluster: SimulatedCluster): Promise<Holdings> {
  // Servers that end are down from then on.
  const { volumes } = cluster.configuration
  const stores = await cluster.stores()
  return { volumes, after: cluster.configuration.volumes, stores }
}

/** Between replicas that are not known to be damaged. Ends the servers. */
export async function differences(cluster: SimulatedCluster): Promise<string[]> {
  return differencesIn(await holdingsOf(cluster), () => false)
}

export async function differencesIn(
  { volumes, after, stores }: Holdings,
  isDamaged: Damage,
): Promise<string[]> {
  const found: string[] = []
  for (const volume of volumes.values()) {
    for (const [shard, allocation] of volume.shards.entries()) {
      const held = inSyncOf(allocation)
        .map(replica => replica.server)
        .filter(server => isThere(after.get(volume.id)?.shards[shard], server))
        .filter(server => !isDamaged(server, `${volume.id}/${shard}`))
        .map(server => stores.get(server)!)
      found.push(
        ...(await compareShard({ volume: volume.id, shard, layers: volume.layers, stores: held })),
      )
    }
  }
  return found.map(line => `I7: ${line}`)
}

/** A move may have ended while the servers did: whose copy was dropped then has none. */
function isThere(allocation: ShardAllocation | undefined, server: PeerId): boolean {
  const { replicas = [], stale = [] } = allocation ?? {}
  return stale.includes(server) || replicas.some(replica => replica.server === server)
}

/** Copies that the configuration gives to nobody. */
export async function leftoversIn({ volumes, stores }: Holdings): Promise<string[]> {
  const found: string[] = []
  for (const [server, store] of stores) {
    for (const { volume, shard } of await store.stored()) {
      const allocation = volumes.get(volumeId(volume))?.shards[shard]
      if (allocation?.replicas.some(replica => replica.server === server)) continue
      found.push(`I7: ${server.slice(-4)} still has ${volume}/${shard}`)
    }
  }
  return found
}
