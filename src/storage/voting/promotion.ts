// What a storage server says when a shard is to go on from a copy that was behind. Everything it
// knows that speaks against it is about data, which nothing overrides. Pure.
import type { ChangeOf } from '../../layout/change.js'
import type { Configuration } from '../../layout/configuration.js'
import { inSyncOf } from '../../layout/replicas.js'
import type { OwnView } from './own-view.js'

/** One sentence, or null. */
export function promotionProblem(
  { volumes, servers }: Configuration,
  { volume, shard, server }: ChangeOf<'shard-promoted'>,
  view: OwnView,
): string | null {
  const record = volumes.get(volume)
  const allocation = record?.shards[shard]
  const text = `shard ${shard} of volume ${record?.name ?? volume}`
  const nameOf = (id: typeof server): string => `storage server ${servers.get(id)?.name ?? id}`
  const inSync = allocation ? inSyncOf(allocation).map(replica => replica.server) : []
  const me = nameOf(view.self)
  if (inSync.includes(view.self)) {
    return `${me} holds an in-sync copy of ${text}: wait until it has registered`
  }
  // Whatever start of it: what it has on its disk is newer than what would be taken in its place.
  const reached = inSync.find(other => view.connected(other))
  if (reached !== undefined) {
    return `${me} reaches ${nameOf(reached)}, which holds an in-sync copy of ${text}: wait for it`
  }
  if (server !== view.self || view.stores({ volume, shard })) return null
  return `${me} has no copy of ${text} on its disk`
}
