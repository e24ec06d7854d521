// The last resort of an operator (--accept-data-loss): all in-sync copies of a shard are gone for
// good, and it goes on from one that was behind. The only change that gives up acknowledged writes;
// so it is refused while a server that has an in-sync copy is not down, whatever it may hold. The
// generation rises, as when all memory was lost: clients repeat what they have not flushed, and
// whoever was in-sync is stale, to be overwritten if it ever comes back.
import { generation, type Epoch } from '../../base/brands.js'
import type { ChangeOf } from '../change.js'
import type { Configuration, Replica, ShardAllocation } from '../configuration.js'
import { refuse, type Refusal } from '../outcome.js'
import { inSyncOf, isDown } from '../replicas.js'

export function shardPromoted(
  before: Configuration,
  change: ChangeOf<'shard-promoted'>,
  epoch: Epoch,
): Configuration | Refusal {
  const volume = before.volumes.get(change.volume)
  if (volume === undefined) {
    return refuse('no-such-volume', `There is no volume number ${change.volume} (any more).`)
  }
  const old = volume.shards[change.shard]
  const text = `shard ${change.shard} of volume "${volume.name}"`
  if (old === undefined) {
    const last = volume.shards.length - 1
    return refuse('no-such-shard', `There is no ${text}: it has shards 0 to ${last}.`)
  }
  if (old.epoch !== change.expected) {
    return refuse('outdated', `The allocation of ${text} has changed meanwhile: look again.`)
  }
  const problem = keptProblem(before, old, text) ?? chosenProblem(before, old, { ...change, text })
  if (problem !== null) return problem
  const chosen: Replica = {
    server: change.server,
    state: 'in-sync',
    incarnation: before.servers.get(change.server)!.incarnation,
  }
  const others = old.replicas.filter(({ server }) => server !== change.server)
  const syncing = others.filter(({ state }) => state === 'syncing')
  const given = inSyncOf(old).map(({ server }) => server)
  const allocation: ShardAllocation = {
    epoch,
    generation: generation(old.generation + 1),
    replicas: [chosen, ...syncing],
    stale: [...old.stale.filter(server => server !== change.server), ...given],
  }
  const shards = volume.shards.map((shard, i) => (i === change.shard ? allocation : shard))
  const volumes = new Map(before.volumes).set(volume.id, { ...volume, shards })
  return { ...before, epoch, volumes }
}

/** Nothing has to be given up while a server with an in-sync copy is there, or may be. */
function keptProblem(before: Configuration, old: ShardAllocation, text: string): Refusal | null {
  const kept = inSyncOf(old).find(({ server }) => !isDown(before, server))
  if (kept === undefined) return null
  const name = before.servers.get(kept.server)?.name ?? 'unknown'
  return refuse(
    'data-loss',
    `Storage server "${name}" has an in-sync copy of ${text} and is not down: nothing need be ` +
      'given up, wait for it.',
  )
}

function chosenProblem(
  before: Configuration,
  old: ShardAllocation,
  chosen: Pick<ChangeOf<'shard-promoted'>, 'server'> & { readonly text: string },
): Refusal | null {
  const { server, text } = chosen
  const record = before.servers.get(server)
  if (record === undefined) {
    return refuse('no-such-server', `${server} is no storage server of this cluster (any more).`)
  }
  if (inSyncOf(old).some(replica => replica.server === server)) {
    return refuse(
      'data-loss',
      `The copy of ${text} on storage server "${record.name}" is in-sync: start that server, and ` +
        'nothing is given up.',
    )
  }
  const behind = old.replicas.some(replica => replica.server === server)
  if (!behind && !old.stale.includes(server)) {
    return refuse(
      'bad-allocation',
      `Storage server "${record.name}" has no copy of ${text}: see \`swarmdisk volume show\`.`,
    )
  }
  if (!isDown(before, server)) return null
  return refuse(
    'bad-allocation',
    `Storage server "${record.name}" is down: start it, then ask again.`,
  )
}
