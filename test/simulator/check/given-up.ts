// I5, of one change of the configuration: a copy that is in-sync, of a server that lives, is given
// up only where as many others are in-sync as its volume wants, or as there were before. Whom an
// operator takes out of the cluster leaves its copies at once: that is judged by votes.
import type { Configuration, ShardAllocation } from '../../../src/layout/configuration.js'
import { inSyncOf, isDown, keepsMemory } from '../../../src/layout/replicas.js'

/** `after` is the next epoch. */
export function givenUpTooEarly(before: Configuration, after: Configuration): string[] {
  const found: string[] = []
  for (const [id, { shards, replicas }] of after.volumes) {
    for (const [i, shard] of shards.entries()) {
      const old = before.volumes.get(id)?.shards[i]
      if (!old || old === shard || !losesACopy({ before, after }, { old, shard })) continue
      const [had, left] = [kept(before, old), kept(after, shard)]
      if (left >= Math.min(replicas, had)) continue
      found.push(
        `I5: epoch ${after.epoch} gives up a copy of ${id}/${i}: ${left} in-sync ones are left`,
      )
    }
  }
  return found
}

function losesACopy(
  { before, after }: { readonly before: Configuration; readonly after: Configuration },
  { old, shard }: { readonly old: ShardAllocation; readonly shard: ShardAllocation },
): boolean {
  return inSyncOf(old).some(
    ({ server }) =>
      !isDown(before, server) &&
      after.servers.has(server) &&
      !shard.stale.includes(server) &&
      !shard.replicas.some(replica => replica.server === server),
  )
}

function kept(configuration: Configuration, shard: ShardAllocation): number {
  return inSyncOf(shard).filter(replica => keepsMemory(configuration, replica)).length
}
