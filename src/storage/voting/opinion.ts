// What a storage server thinks of a proposal, by what it really holds (design §4). Pure.
//
// Refusals for safety (an acknowledged write could be lost, a copy that is not in-sync would become
// it) come first: nothing overrides them. Those of policy (room, a copy that is being taken) come
// after, since --force overrides them and must not hide the others.
import { shardIndex, type PeerId } from '../../base/brands.js'
import { apply } from '../../layout/apply.js'
import type { Change, ChangeKind, ChangeOf } from '../../layout/change.js'
import type { Configuration, Replica, ShardAllocation } from '../../layout/configuration.js'
import type { ShardPlace } from '../../layout/effects-of-change.js'
import { equal } from '../../layout/equal.js'
import { inSyncOf, keepsMemory } from '../../layout/replicas.js'
import type { ProposalVoteReply } from '../../net/manager-messages.js'
import type { OwnView } from './own-view.js'
import { promotionProblem } from './promotion.js'

export interface Opinion {
  readonly reply: ProposalVoteReply
  /** What the change would make of the configuration, if it is approved. */
  readonly after: Configuration | null
}

interface Proposed {
  readonly before: Configuration
  readonly after: Configuration
  readonly change: Change
}

interface Place extends ShardPlace {
  readonly name: string
  readonly allocation: ShardAllocation
}

export const ABSTENTION: ProposalVoteReply = { vote: 'abstain', policy: false, reason: '' }
const APPROVAL: ProposalVoteReply = { vote: 'approve', policy: false, reason: '' }

const unsafe = (reason: string): ProposalVoteReply => ({ vote: 'refuse', policy: false, reason })
const unwise = (reason: string): ProposalVoteReply => ({ vote: 'refuse', policy: true, reason })

export function opinionOf(before: Configuration, change: Change, view: OwnView): Opinion {
  const leaves = change.kind === 'server-removed' && change.server === view.self
  const lost = leaves ? lastCopies(before, view) : null
  if (lost !== null) return { reply: lost, after: null }
  const outcome = apply(before, change)
  if (outcome.kind === 'refused') return { reply: unsafe(outcome.reason), after: null }
  const after = outcome.configuration
  if (change.kind === 'shard-promoted') {
    const lost = promotionProblem(before, change, view)
    return lost === null ? { reply: APPROVAL, after } : { reply: unsafe(lost), after: null }
  }
  const proposed = { before, after, change }
  const reply =
    copyProblem(proposed, view) ??
    movingProblem(proposed, view) ??
    volumeProblem(proposed, view) ??
    flatteningProblem(proposed, view)
  if (reply !== null) return { reply, after: null }
  const source =
    roomProblem(proposed, view) ??
    growingProblem(proposed, view) ??
    replacingProblem(proposed, view) ??
    sourceProblem(proposed, view)
  return source === null ? { reply: APPROVAL, after } : { reply: source, after: null }
}

// ---- safety ------------------------------------------------------------------------------------

/** Copies here of which no other one is in-sync, by the configuration or as far as we can reach. */
function lastCopies(before: Configuration, view: OwnView): ProposalVoteReply | null {
  const only: string[] = []
  const unreached: string[] = []
  for (const place of places(before)) {
    const inSync = inSyncOf(place.allocation)
    if (!inSync.some(replica => replica.server === view.self)) continue
    const others = inSync.filter(r => r.server !== view.self && keepsMemory(before, r))
    if (others.length === 0) only.push(textOf(place))
    else if (!others.some(replica => works(replica, place, view))) unreached.push(textOf(place))
  }
  const shards = only.length > 0 ? only : unreached
  const [first, ...more] = shards
  if (first === undefined) return null
  const which = only.length > 0 ? first : `${first} that can be reached`
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`
  return unsafe(
    `${nameOf(before, view.self)} holds the last in-sync copy of ${which}${others}: ` +
      'wait until another server has one',
  )
}

/** A copy that is in-sync in reality too: its server is there, and stores what it is sent. */
function works(replica: Replica, place: ShardPlace, view: OwnView): boolean {
  const { server, incarnation } = replica
  const failing = view.held(place)?.failing.includes(server) ?? false
  return view.reaches(server, incarnation) && !failing
}

/** The change says that a copy here is in-sync, which it did not say before. */
function copyProblem({ before, after, change }: Proposed, view: OwnView): ProposalVoteReply | null {
  for (const place of places(after, before)) {
    const old = before.volumes.get(place.volume)?.shards[place.shard]
    if (old === place.allocation) continue
    const own = inSyncOf(place.allocation).find(({ server }) => server === view.self)
    if (!old || own === undefined || old.replicas.some(known => equal(known, own))) continue
    if (own.incarnation !== view.incarnation) return ABSTENTION
    const held = view.held(place)
    if (held?.role === 'in-sync' || held?.role === 'primary') continue
    if (change.kind === 'replicas-caught-up') {
      if (held?.counted) continue
      return ABSTENTION
    }
    // The shard goes on from what one of its in-sync copies has on disk after a restart.
    const resumes = inSyncOf(old).some(({ server }) => server === view.self)
    if (resumes && held !== undefined) continue
    const problem = resumes ? 'cannot open its copy of' : 'holds no in-sync copy of'
    return unsafe(`${nameOf(before, view.self)} ${problem} ${textOf(place)}`)
  }
  return null
}

/**
 * A copy of a shard of which we have one is given up: enough of those that stay must work, as far
 * as we can tell. Who has none cannot tell.
 */
function movingProblem(
  { before, after, change }: Proposed,
  view: OwnView,
): ProposalVoteReply | null {
  if (change.kind !== 'shards-moved' && change.kind !== 'replicas-suspended') return null
  for (const place of changedPlaces(before, after)) {
    const { old, now, minInSync } = place
    if (isSuspended(change, place, view)) continue
    const had = inSyncOf(old)
    const stays = new Set(inSyncOf(now).map(({ server }) => server))
    const own = had.some(({ server }) => server === view.self)
    if (!own || had.every(({ server }) => stays.has(server))) continue
    const working = had.filter(
      replica =>
        keepsMemory(before, replica) &&
        (replica.server === view.self || works(replica, place, view)),
    )
    const left = working.filter(({ server }) => stays.has(server)).length
    const who = nameOf(before, view.self)
    if (left === 0) {
      return unsafe(`${who} knows of no other in-sync copy of ${textOf(place)} that works`)
    }
    if (left < Math.min(minInSync, working.length)) {
      return unwise(
        `as far as ${who} can tell, ${left} in-sync copies of ${textOf(place)} would work, and ` +
          `its writes need ${minInSync}`,
      )
    }
  }
  return null
}

/** We are said to be in the way: who is out of reach of the others cannot tell how they are. */
function isSuspended(change: Change, { volume, shard }: ShardPlace, { self }: OwnView): boolean {
  return (
    change.kind === 'replicas-suspended' &&
    change.replicas.some(r => r.server === self && r.volume === volume && r.shard === shard)
  )
}

// ---- new volumes -------------------------------------------------------------------------------

function volumeProblem({ before, change }: Proposed, view: OwnView): ProposalVoteReply | null {
  if (change.kind === 'volume-cloned') return earlierProblem(before, view)
  if (change.kind !== 'volume-created' || !isPlacedAt(change, view)) return null
  const earlier = earlierProblem(before, view)
  if (earlier !== null) return earlier
  const name = nameOf(before, view.self)
  return view.noRoom === '' ? null : unwise(`${name} has no room for it: ${view.noRoom}`)
}

function earlierProblem(before: Configuration, view: OwnView): ProposalVoteReply | null {
  if (!view.stored.has(before.nextVolume)) return null
  return unsafe(
    `${nameOf(before, view.self)} holds data of an earlier volume number ` +
      `${before.nextVolume}: the managers run from an old copy of their data, restore the newest`,
  )
}

/**
 * Once a clone is flattened nobody knows where it began: a copy that is in-sync, in whatever start
 * of this server, has to have its layers by then.
 */
function flatteningProblem({ before, change }: Proposed, view: OwnView): ProposalVoteReply | null {
  if (change.kind !== 'volume-flattened') return null
  for (const place of places(before)) {
    if (place.volume !== change.volume || view.held(place) !== undefined) continue
    if (!inSyncOf(place.allocation).some(({ server }) => server === view.self)) continue
    return unsafe(`${nameOf(before, view.self)} has not begun its copy of ${textOf(place)}`)
  }
  return null
}

function isPlacedAt({ placement }: ChangeOf<'volume-created'>, { self }: OwnView): boolean {
  return placement.some(servers => servers.includes(self))
}

// ---- new copies --------------------------------------------------------------------------------

/** One that was here before takes little more; a new one takes as much as the shard holds. */
function roomProblem({ before, after, change }: Proposed, view: OwnView): ProposalVoteReply | null {
  if (change.kind !== 'shards-moved' || view.noRoom === '') return null
  for (const place of changedPlaces(before, after)) {
    const known = [...place.old.replicas.map(({ server }) => server), ...place.old.stale]
    const gets = place.now.replicas.some(({ server }) => server === view.self)
    if (!gets || known.includes(view.self)) continue
    const who = nameOf(before, view.self)
    return unwise(`${who} has no room for ${textOf(place)}: ${view.noRoom}`)
  }
  return null
}

/** More may be written to a copy here. */
function growingProblem({ before, change }: Proposed, view: OwnView): ProposalVoteReply | null {
  if (change.kind !== 'volume-resized' || view.noRoom === '') return null
  const volume = before.volumes.get(change.volume)
  const has = ({ replicas }: ShardAllocation): boolean =>
    replicas.some(({ server }) => server === view.self)
  if (!volume?.shards.some(has)) return null
  const who = nameOf(before, view.self)
  return unwise(`${who} has no room for more of volume ${volume.name}: ${view.noRoom}`)
}

/** Where all disks are full it does not help to go on without one of them. */
function replacingProblem({ before, change }: Proposed, view: OwnView): ProposalVoteReply | null {
  if (change.kind !== 'replicas-suspended' || view.noRoom === '') return null
  for (const { volume, shard, server, cause } of change.replicas) {
    const allocation = before.volumes.get(volume)?.shards[shard]
    if (server === view.self || cause !== 'failing' || !allocation) continue
    if (!inSyncOf(allocation).some(replica => replica.server === view.self)) continue
    return unwise(`${nameOf(before, view.self)} has no room either: ${view.noRoom}`)
  }
  return null
}

// ---- copies under way --------------------------------------------------------------------------

/** Changes that take copies from servers. */
const TAKING: ReadonlySet<ChangeKind> = new Set([
  'server-removed',
  'shards-reallocated',
  'shards-moved',
])

/** A copy of which we are taking ours would go. One that has restarted gives nothing anyway. */
function sourceProblem(
  { before, after, change }: Proposed,
  view: OwnView,
): ProposalVoteReply | null {
  if (!TAKING.has(change.kind)) return null
  for (const place of places(before, after)) {
    const source = view.held(place)?.source ?? null
    const now = after.volumes.get(place.volume)?.shards[place.shard]
    if (source === null || now === undefined || now === place.allocation) continue
    const given = inSyncOf(place.allocation).find(({ server }) => server === source)
    const stays = inSyncOf(now).some(({ server }) => server === source)
    const wanted = now.replicas.some(({ server }) => server === view.self)
    if (given === undefined || stays || !wanted || !keepsMemory(before, given)) continue
    const from = nameOf(before, source)
    return unwise(`${textOf(place)} is being copied from ${from}: wait until that is done`)
  }
  return null
}

/** All shards, but those of volumes that are the same in the other configuration. */
function* places({ volumes }: Configuration, other: Configuration | null = null): Iterable<Place> {
  for (const volume of volumes.values()) {
    const { id, name, shards } = volume
    if (other?.volumes.get(id) === volume) continue
    for (const [i, allocation] of shards.entries()) {
      yield { volume: id, shard: shardIndex(i), name, allocation }
    }
  }
}

interface ChangedPlace extends Place {
  readonly old: ShardAllocation
  readonly now: ShardAllocation
  readonly minInSync: number
}

/** Shards of known volumes whose allocation is another one. */
function* changedPlaces(before: Configuration, after: Configuration): Iterable<ChangedPlace> {
  for (const place of places(after, before)) {
    const volume = before.volumes.get(place.volume)
    const old = volume?.shards[place.shard]
    if (!volume || old === undefined || old === place.allocation) continue
    yield { ...place, old, now: place.allocation, minInSync: volume.minInSync }
  }
}

function textOf({ shard, name }: Place): string {
  return `shard ${shard} of volume ${name}`
}

function nameOf({ servers }: Configuration, server: PeerId): string {
  return `storage server ${servers.get(server)?.name ?? server.slice(0, 8)}`
}
