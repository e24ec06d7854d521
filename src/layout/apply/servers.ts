// Servers join and come back, are down, and leave. What happens to their copies when they go keeps
// invariant I5: no change gives up an acknowledged write.
import type { Epoch, PeerId, VolumeId } from '../../base/brands.js'
import { SERVERS_MAX, WEIGHT_MAX } from '../../base/limits.js'
import type { ChangeOf } from '../change.js'
import type {
  Configuration,
  ServerRecord,
  ShardAllocation,
  VolumeRecord,
} from '../configuration.js'
import { equal } from '../equal.js'
import { nameProblem } from '../names.js'
import { refuse, type Refusal } from '../outcome.js'
import { inSyncOf, isDown, isDownState, isDrainingState, keepsMemory } from '../replicas.js'
import { addressesProblem } from './addresses.js'

type Volumes = Configuration['volumes']

/** Registering says that a server is up, but does not end the draining that an operator began. */
export function serverRegistered(
  before: Configuration,
  change: ChangeOf<'server-registered'>,
  epoch: Epoch,
): Configuration | Refusal {
  const known = before.servers.get(change.server.id)
  const draining = known !== undefined && isDrainingState(known.state)
  const server: ServerRecord = draining ? { ...change.server, state: 'draining' } : change.server
  const problem = serverProblem(server)
  if (problem !== null) return problem
  for (const other of before.servers.values()) {
    if (other.name !== server.name || other.id === server.id) continue
    return refuse(
      'name-taken',
      `Another storage server is called "${server.name}": start this one with another --name.`,
    )
  }
  if (known === undefined && before.servers.size >= SERVERS_MAX) {
    return refuse('too-many', `The cluster has ${SERVERS_MAX} servers: remove one first.`)
  }
  if (known !== undefined && server.incarnation < known.incarnation) {
    return refuse(
      'old-incarnation',
      `Storage server "${server.name}" is an older start than the one on record: its ` +
        'data directory is an old copy, start it with an empty one.',
    )
  }
  if (equal(known, server)) return refuse('no-change', 'The server is on record like this.')
  const servers = new Map(before.servers).set(server.id, server)
  return { ...before, epoch, servers, volumes: regained(before, server, epoch) }
}

/**
 * A server that was down serves again what it is still in-sync for. Who planned to go on without it
 * counted on that it cannot: these allocations become new, so that such a plan is outdated.
 */
function regained(before: Configuration, server: ServerRecord, epoch: Epoch): Volumes {
  if (!isDown(before, server.id)) return before.volumes
  return mapShards(before, shard => {
    const serves = inSyncOf(shard).some(
      replica => replica.server === server.id && replica.incarnation === server.incarnation,
    )
    return serves ? { ...shard, epoch } : shard
  })
}

function serverProblem(server: ServerRecord): Refusal | null {
  const name = nameProblem('server name', server.name)
  if (name !== null) return refuse('bad-name', name)
  const domain = nameProblem('failure domain', server.domain)
  if (domain !== null) return refuse('bad-name', domain)
  if (isDownState(server.state)) {
    return refuse('bad-server', 'A server that registers is not down: register it as up.')
  }
  const { weight, capacity } = server
  if (!Number.isSafeInteger(weight) || weight < 1 || weight > WEIGHT_MAX) {
    return refuse('bad-server', `A weight is a whole number from 1 to ${WEIGHT_MAX}: choose one.`)
  }
  if (!Number.isSafeInteger(capacity) || capacity < 0) {
    return refuse('bad-server', 'A capacity is a whole number of bytes: choose another one.')
  }
  return addressesProblem(server.addresses)
}

/** Its lease has run out: where the shard can go on without its copy, it is stale from now on. */
export function serverDown(
  before: Configuration,
  change: ChangeOf<'server-down'>,
  epoch: Epoch,
): Configuration | Refusal {
  const known = before.servers.get(change.server)
  if (known === undefined) return noSuchServer(change.server)
  if (isDownState(known.state)) {
    return refuse('no-change', `Storage server "${known.name}" is down already.`)
  }
  if (known.incarnation !== change.incarnation) {
    return refuse('outdated', `Storage server "${known.name}" has registered anew: it is not down.`)
  }
  const live = new Set(change.live)
  const volumes = mapShards(before, shard => {
    const allocation = withoutDown(before, shard, { server: known.id, live })
    return allocation === null ? shard : { ...allocation, epoch }
  })
  const state = isDrainingState(known.state) ? 'down-draining' : 'down'
  const servers = new Map(before.servers).set(known.id, { ...known, state })
  return { ...before, epoch, servers, volumes }
}

/** Nothing is taken from the server by this: what follows is planned, voted on and copied. */
export function serverState(
  before: Configuration,
  change: ChangeOf<'server-state'>,
  epoch: Epoch,
): Configuration | Refusal {
  const known = before.servers.get(change.server)
  if (known === undefined) return noSuchServer(change.server)
  const draining = change.state === 'draining'
  if (draining === isDrainingState(known.state)) {
    const already = draining ? 'is being drained already' : 'is not being drained'
    return refuse('no-change', `Storage server "${known.name}" ${already}.`)
  }
  const down = isDownState(known.state)
  const state = down ? (draining ? 'down-draining' : 'down') : change.state
  return { ...before, epoch, servers: new Map(before.servers).set(known.id, { ...known, state }) }
}

/** Null if the allocation stays as it is: the server has no part in it, or the only newest copy. */
function withoutDown(
  before: Configuration,
  shard: ShardAllocation,
  { server, live }: { readonly server: PeerId; readonly live: ReadonlySet<PeerId> },
): ShardAllocation | null {
  const gone = shard.replicas.find(replica => replica.server === server)
  if (gone === undefined) return null
  const others = shard.replicas.filter(replica => replica !== gone)
  const goesOn = inSyncOf({ replicas: others }).some(
    replica =>
      keepsMemory(before, replica) && live.has(replica.server) && !isDown(before, replica.server),
  )
  if (gone.state === 'in-sync' && !goesOn) return null
  return { ...shard, replicas: others, stale: [...shard.stale, server] }
}

/** The operator's word: it leaves all its shards, unless one of them needs its copy. */
export function serverRemoved(
  before: Configuration,
  change: ChangeOf<'server-removed'>,
  epoch: Epoch,
): Configuration | Refusal {
  const known = before.servers.get(change.server)
  if (known === undefined) return noSuchServer(change.server)
  const problem = lastCopyProblem(before, known)
  if (problem !== null) return problem
  const volumes = mapShards(before, shard => {
    if (!holds(shard, known.id)) return shard
    const replicas = shard.replicas.filter(({ server }) => server !== known.id)
    return { ...shard, epoch, replicas, stale: shard.stale.filter(id => id !== known.id) }
  })
  const servers = new Map(before.servers)
  servers.delete(known.id)
  return { ...before, epoch, servers, volumes }
}

/** Names the first shard that would be left without an in-sync copy that kept its memory. */
function lastCopyProblem(before: Configuration, { id, name }: ServerRecord): Refusal | null {
  const needs = (shard: ShardAllocation): boolean =>
    holds(shard, id) &&
    !inSyncOf(shard).some(replica => replica.server !== id && keepsMemory(before, replica))
  const found: string[] = []
  for (const volume of before.volumes.values()) {
    volume.shards.forEach((shard, i) => {
      if (needs(shard)) found.push(`shard ${i} of volume "${volume.name}"`)
    })
  }
  const [first, ...others] = found
  if (first === undefined) return null
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  return refuse(
    'data-loss',
    `Without storage server "${name}", ${first}${more} would be left without an in-sync copy ` +
      'that kept the newest writes: wait until other servers have caught up.',
  )
}

function holds({ replicas, stale }: ShardAllocation, server: PeerId): boolean {
  return replicas.some(replica => replica.server === server) || stale.includes(server)
}

function noSuchServer(server: PeerId): Refusal {
  return refuse('no-such-server', `${server} is no storage server of this cluster (any more).`)
}

/** All shards anew; volumes of which none changed, and with them the whole map, stay the same. */
function mapShards(
  { volumes }: Configuration,
  change: (shard: ShardAllocation) => ShardAllocation,
): Volumes {
  let changed: Map<VolumeId, VolumeRecord> | null = null
  for (const [id, volume] of volumes) {
    const shards = mapped(volume.shards, change)
    if (shards === volume.shards) continue
    changed ??= new Map(volumes)
    changed.set(id, { ...volume, shards })
  }
  return changed ?? volumes
}

/** The same list if all stay: of the volumes of a large cluster, few are on one server. */
function mapped(
  shards: readonly ShardAllocation[],
  change: (shard: ShardAllocation) => ShardAllocation,
): readonly ShardAllocation[] {
  let changed: ShardAllocation[] | null = null
  for (const [i, shard] of shards.entries()) {
    const next = change(shard)
    if (next === shard) continue
    changed ??= [...shards]
    changed[i] = next
  }
  return changed ?? shards
}
