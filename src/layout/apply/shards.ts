// The changes of allocations, and with them the guard of invariant I5: no change gives up an
// acknowledged write, and no copy becomes in-sync but one that has caught up.
import { generation, type Epoch, type VolumeId } from '../../base/brands.js'
import {
  ALLOCATION_SERVERS_MAX,
  REALLOCATIONS_PER_CHANGE,
  REPLICAS_ON_THE_WAY,
} from '../../base/limits.js'
import type { CaughtUpReplica, ShardReallocation, SuspendedReplica } from '../change.js'
import type { Configuration, Replica, ShardAllocation, VolumeRecord } from '../configuration.js'
import { equal } from '../equal.js'
import { isRefusal, refuse, type Refusal } from '../outcome.js'
import { inSyncFirst, inSyncOf, isDown, keepsMemory } from '../replicas.js'

/** A configuration under change: each volume's list of shards is copied once. */
class Draft {
  readonly #before: Configuration
  readonly #shards = new Map<VolumeId, ShardAllocation[]>()

  constructor(before: Configuration) {
    this.#before = before
  }

  /** The allocation before this change; refused if it is not the one the change was made for. */
  expect(
    item: Pick<ShardReallocation, 'volume' | 'shard' | 'expected'>,
  ): Refusal | ShardAllocation {
    const volume = this.#before.volumes.get(item.volume)
    if (volume === undefined) {
      return refuse('no-such-volume', `There is no volume number ${item.volume} (any more).`)
    }
    const shard = volume.shards[item.shard]
    if (shard === undefined) {
      return refuse('no-such-shard', `Volume "${volume.name}" has no shard ${item.shard}.`)
    }
    if (shard.epoch === item.expected) return shard
    return refuse(
      'outdated',
      `Shard ${item.shard} of volume "${volume.name}" has changed since epoch ` +
        `${item.expected}: plan again.`,
    )
  }

  /** The allocation as this change has made it so far. */
  current(item: Pick<ShardReallocation, 'volume' | 'shard'>): ShardAllocation {
    return this.#list(item.volume)[item.shard]!
  }

  put(item: Pick<ShardReallocation, 'volume' | 'shard'>, allocation: ShardAllocation): void {
    this.#list(item.volume)[item.shard] = allocation
  }

  finish(epoch: Epoch): Configuration {
    const volumes = new Map<VolumeId, VolumeRecord>(this.#before.volumes)
    for (const [id, shards] of this.#shards) volumes.set(id, { ...volumes.get(id)!, shards })
    return { ...this.#before, epoch, volumes }
  }

  #list(volume: VolumeId): ShardAllocation[] {
    const known = this.#shards.get(volume)
    if (known !== undefined) return known
    const copy = [...this.#before.volumes.get(volume)!.shards]
    this.#shards.set(volume, copy)
    return copy
  }
}

type Rule = (before: Configuration, old: ShardAllocation, item: ShardReallocation) => Refusal | null

/** What follows from servers having gone or come back. */
export function reallocated(
  before: Configuration,
  shards: readonly ShardReallocation[],
  epoch: Epoch,
): Configuration | Refusal {
  return allocate(before, { shards, epoch }, (_, old, item) =>
    item.generation === old.generation
      ? keepingProblem(before, old, item)
      : resumingProblem(before, old, item),
  )
}

/** Copies made anew or given up, also of servers that live. */
export function moved(
  before: Configuration,
  shards: readonly ShardReallocation[],
  epoch: Epoch,
): Configuration | Refusal {
  return allocate(before, { shards, epoch }, movingProblem)
}

function allocate(
  before: Configuration,
  { shards, epoch }: { readonly shards: readonly ShardReallocation[]; readonly epoch: Epoch },
  rule: Rule,
): Configuration | Refusal {
  if (shards.length === 0) return refuse('no-change', 'No shard is to be reallocated.')
  if (shards.length > REALLOCATIONS_PER_CHANGE) {
    return refuse('too-many', `One change has at most ${REALLOCATIONS_PER_CHANGE} shards.`)
  }
  const draft = new Draft(before)
  for (const item of shards) {
    const old = draft.expect(item)
    if (isRefusal(old)) return old
    if (draft.current(item) !== old) {
      return refuse('bad-allocation', 'A change names each shard once: plan again.')
    }
    const problem = shapeProblem(before, old, item) ?? rule(before, old, item)
    if (problem !== null) return problem
    const { replicas, stale } = item
    draft.put(item, { epoch, generation: item.generation, replicas, stale })
  }
  return draft.finish(epoch)
}

/** Whatever the reason of the change: a list of replicas that could exist. */
function shapeProblem(
  before: Configuration,
  old: ShardAllocation,
  item: ShardReallocation,
): Refusal | null {
  const { replicas, stale } = item
  if (equal(replicas, old.replicas) && equal(stale, old.stale)) {
    return refuse('no-change', `Shard ${item.shard} is allocated like this already.`)
  }
  const holders = [...replicas.map(replica => replica.server), ...stale]
  const wellFormed =
    replicas[0]?.state === 'in-sync' &&
    inSyncFirst(item) &&
    replicas.length <= before.volumes.get(item.volume)!.replicas + REPLICAS_ON_THE_WAY &&
    new Set(holders).size === holders.length &&
    holders.length <= ALLOCATION_SERVERS_MAX &&
    holders.every(server => before.servers.has(server))
  if (!wellFormed) {
    return refuse(
      'bad-allocation',
      `The new allocation of shard ${item.shard} is not a list of different known ` +
        'servers, the in-sync ones first: plan again.',
    )
  }
  const added = replicas.filter(replica => !old.replicas.some(known => equal(known, replica)))
  const down = added.find(replica => isDown(before, replica.server))
  if (down !== undefined) {
    const { name } = before.servers.get(down.server)!
    return refuse(
      'outdated',
      `Shard ${item.shard} was planned for storage server "${name}", which is down: plan again.`,
    )
  }
  if (added.every(replica => keepsMemory(before, replica))) return null
  return refuse(
    'bad-allocation',
    `The new allocation of shard ${item.shard} names a start of a server that is not ` +
      'on record: plan again.',
  )
}

/** Nobody becomes in-sync. */
function promotingProblem(old: ShardAllocation, item: ShardReallocation): Refusal | null {
  const was = inSyncOf(old)
  if (inSyncOf(item).every(replica => was.some(known => equal(known, replica)))) return null
  return refuse(
    'data-loss',
    `Shard ${item.shard}: a copy becomes in-sync only by catching up, so acknowledged ` +
      'writes could be lost.',
  )
}

/**
 * No shard is left with fewer in-sync copies that kept their memory than its volume wants, or than
 * it has if those are fewer already. Without any, nobody knows what could be given up.
 */
function movingProblem(
  before: Configuration,
  old: ShardAllocation,
  item: ShardReallocation,
): Refusal | null {
  if (item.generation !== old.generation) {
    return refuse('bad-allocation', `A move does not resume shard ${item.shard}: plan again.`)
  }
  const promoting = promotingProblem(old, item)
  if (promoting !== null) return promoting
  const kept = (allocation: Pick<ShardAllocation, 'replicas'>): number =>
    inSyncOf(allocation).filter(replica => keepsMemory(before, replica)).length
  const wanted = before.volumes.get(item.volume)!.replicas
  const [had, left] = [kept(old), kept(item)]
  if (left >= 1 && left >= Math.min(wanted, had)) return null
  return refuse(
    'data-loss',
    `Shard ${item.shard}: ${left} in-sync copies that kept the newest writes would be left, of ` +
      `${had}: wait until other servers have caught up.`,
  )
}

/** Not a resume: nobody becomes in-sync, and somebody who kept the newest writes stays. */
function keepingProblem(
  before: Configuration,
  old: ShardAllocation,
  item: ShardReallocation,
): Refusal | null {
  const promoting = promotingProblem(old, item)
  if (promoting !== null) return promoting
  const was = inSyncOf(old)
  const stays = inSyncOf(item)
  const holdsAll = (replica: Replica): boolean => keepsMemory(before, replica)
  if (stays.some(holdsAll)) return null
  // All in-sync servers have restarted: each may be the one to resume from, so none is dropped.
  if (!was.some(holdsAll) && stays.length === was.length) return null
  return refuse(
    'data-loss',
    `Shard ${item.shard}: no in-sync copy that kept the newest writes would be left.`,
  )
}

/** Every in-sync server has restarted, and the shard goes on from what one of them has on disk. */
function resumingProblem(
  before: Configuration,
  old: ShardAllocation,
  item: ShardReallocation,
): Refusal | null {
  if (item.generation !== generation(old.generation + 1)) {
    return refuse(
      'bad-allocation',
      `The generation of shard ${item.shard} goes from ${old.generation} to ` +
        `${old.generation + 1} or stays: plan again.`,
    )
  }
  const was = inSyncOf(old)
  const [chosen, ...others] = inSyncOf(item)
  if (was.some(replica => keepsMemory(before, replica))) {
    return refuse(
      'data-loss',
      `Shard ${item.shard}: an in-sync copy may still hold the newest writes, so it is ` +
        'not resumed without it.',
    )
  }
  const fits =
    chosen !== undefined &&
    others.length === 0 &&
    keepsMemory(before, chosen) &&
    was.some(replica => replica.server === chosen.server)
  if (fits) return null
  return refuse(
    'data-loss',
    `Shard ${item.shard} is resumed from exactly one server that was in-sync, with its ` +
      'newest start: plan again.',
  )
}

export function caughtUp(
  before: Configuration,
  replicas: readonly CaughtUpReplica[],
  epoch: Epoch,
): Configuration | Refusal {
  return eachReplica(before, { replicas, epoch }, (current, item) => {
    const replica = current.replicas.find(({ server }) => server === item.server)
    if (replica?.state !== 'syncing' || !keepsMemory(before, replica)) {
      return refuse(
        'not-syncing',
        `Shard ${item.shard}: this server is not catching up, or has restarted since.`,
      )
    }
    const rest = current.replicas.filter(other => other !== replica)
    const caught: Replica = { ...replica, state: 'in-sync' }
    return [...inSyncOf(current), caught, ...rest.filter(other => other.state === 'syncing')]
  })
}

/**
 * In-sync replicas become syncing, as the last ones; where the primary does, the next in-sync one
 * takes its place. As many in-sync ones as the volume needs for writing stay: else nothing would go
 * on, and it is better to wait for the replica.
 */
export function suspended(
  before: Configuration,
  replicas: readonly SuspendedReplica[],
  epoch: Epoch,
): Configuration | Refusal {
  return eachReplica(before, { replicas, epoch }, (current, item) => {
    const replica = current.replicas.find(({ server }) => server === item.server)
    if (replica?.state !== 'in-sync') {
      return refuse('not-in-sync', `Shard ${item.shard}: this server has no in-sync copy.`)
    }
    const stay = current.replicas.filter(other => other !== replica)
    const kept = inSyncOf({ replicas: stay }).filter(
      other => keepsMemory(before, other) && !isDown(before, other.server),
    )
    const { minInSync, name } = before.volumes.get(item.volume)!
    if (kept.length < minInSync) {
      return refuse(
        'data-loss',
        `Shard ${item.shard} of volume "${name}": ${kept.length} in-sync copies that kept the ` +
          `newest writes would be left, and it needs ${minInSync}.`,
      )
    }
    const syncing: Replica = { ...replica, state: 'syncing' }
    return [...stay, syncing]
  })
}

/** One replica after the other, each in the allocation as the ones before it have left it. */
function eachReplica<Item extends CaughtUpReplica>(
  before: Configuration,
  { replicas, epoch }: { readonly replicas: readonly Item[]; readonly epoch: Epoch },
  next: (current: ShardAllocation, item: Item) => readonly Replica[] | Refusal,
): Configuration | Refusal {
  if (replicas.length === 0) return refuse('no-change', 'The change names no replica.')
  if (replicas.length > REALLOCATIONS_PER_CHANGE) {
    return refuse('too-many', `One change has at most ${REALLOCATIONS_PER_CHANGE} replicas.`)
  }
  const draft = new Draft(before)
  for (const item of replicas) {
    const old = draft.expect(item)
    if (isRefusal(old)) return old
    const current = draft.current(item)
    const changed = next(current, item)
    if (isRefusal(changed)) return changed
    draft.put(item, { ...current, epoch, replicas: changed })
  }
  return draft.finish(epoch)
}
