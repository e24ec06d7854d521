// What a manager thinks of a proposed change, by its own view of who can be reached: could every
// volume still be replicated to its degree, would a shard lose the in-sync copies it needs, would
// the managers keep a majority? Only what the change itself makes impossible is refused: what is
// so already is no reason to forbid a change, which may be the way out of it. These refusals are
// policy: an operator who knows better overrides them with --force. The one that is not is about
// giving up acknowledged writes (`keptProblem`). Pure.
import type { Incarnation, PeerId } from '../../base/brands.js'
import type { ChangeOf } from '../../layout/change.js'
import type { Configuration, ShardAllocation, VolumeRecord } from '../../layout/configuration.js'
import { majority } from '../../layout/names.js'
import { holds } from '../../layout/movement/waiting.js'
import { inSyncOf, isDrainingState } from '../../layout/replicas.js'
import type { ProposalVoteReply } from '../../net/manager-messages.js'
import { serverName, shortId } from '../describe-change.js'
import { firstAndMore, type Draft } from './draft.js'

export interface ManagerView {
  readonly self: PeerId
  /** Storage servers that are connected, with the incarnation they say they run as. */
  readonly servers: ReadonlyMap<PeerId, Incarnation>
  /** Managers that are connected, members or not, and this one. */
  readonly managers: ReadonlySet<PeerId>
}

export const APPROVED: ProposalVoteReply = { vote: 'approve', policy: false, reason: '' }

export function managerOpinion(draft: Draft, view: ManagerView): ProposalVoteReply {
  const kept = keptProblem(draft, view)
  if (kept !== null) return { vote: 'refuse', policy: false, reason: kept }
  // What keeps its shard waiting is no copy that writes could count on: the primary knows best.
  if (draft.change.kind === 'replicas-suspended') return APPROVED
  const problem =
    degreeProblem(draft, view) ?? copiesProblem(draft, view) ?? majorityProblem(draft, view)
  return problem === null ? APPROVED : { vote: 'refuse', policy: true, reason: problem }
}

/**
 * About data, and so never overridden: a shard would go on from a copy that was behind, while a
 * server with an in-sync one is there, in whatever start of it.
 */
function keptProblem({ before, change }: Draft, view: ManagerView): string | null {
  if (change.kind !== 'shard-promoted') return null
  const volume = before.volumes.get(change.volume)
  const shard = volume?.shards[change.shard]
  const there = shard && inSyncOf(shard).find(({ server }) => view.servers.has(server))
  if (volume === undefined || there === undefined) return null
  return (
    `manager ${shortId(view.self)} reaches storage server ${serverName(before, there.server)}, ` +
    `which holds an in-sync copy of shard ${change.shard} of volume ${volume.name}: wait for it`
  )
}

/** Counted twice: those that this manager reaches, and those that there are, if all come back. */
function degreeProblem({ before, after, change }: Draft, view: ManagerView): string | null {
  const reached = { before: reachedServers(before, view), after: reachedServers(after, view) }
  const known = { before: knownServers(before), after: knownServers(after) }
  const leaves = change.kind === 'server-removed' || change.kind === 'server-state'
  const without = leaves ? ` without ${serverName(before, change.server)}` : ''
  const problems: string[] = []
  for (const volume of after.volumes.values()) {
    const { name, replicas } = volume
    // Servers that are being emptied are none to move to; what they still have goes with them.
    const removes = change.kind === 'server-removed'
    const more = {
      before: removes ? emptiedHolders(before, volume) : 0,
      after: removes ? emptiedHolders(after, volume) : 0,
    }
    // A volume that is being created has no degree before, so that it could not be held up.
    const lost = (count: { readonly before: number; readonly after: number }): boolean =>
      count.after + more.after < replicas &&
      (count.before + more.before >= replicas || !before.volumes.has(volume.id))
    const needs = `volume ${name} needs ${replicas} storage servers for its ${replicas} replicas`
    if (lost(known)) problems.push(`${needs}, and there would be ${known.after}${without}`)
    else if (lost(reached)) {
      problems.push(
        `${needs}, and manager ${shortId(view.self)} reaches ${reached.after}${without}`,
      )
    }
  }
  return firstAndMore(problems)
}

/** How many servers that are being emptied still have copies of a volume. */
function emptiedHolders({ servers, volumes }: Configuration, { id }: VolumeRecord): number {
  const shards = volumes.get(id)?.shards ?? []
  return [...servers.values()].filter(
    server => isDrainingState(server.state) && shards.some(shard => holds(shard, server.id)),
  ).length
}

/** Those that could be given copies now. */
function reachedServers({ servers }: Configuration, view: ManagerView): number {
  return [...servers.values()].filter(
    ({ id, state, incarnation }) => state === 'up' && view.servers.get(id) === incarnation,
  ).length
}

/** Those that could be given copies if they came back. */
function knownServers({ servers }: Configuration): number {
  return [...servers.values()].filter(({ state }) => !isDrainingState(state)).length
}

/** Shards that have enough in-sync copies within reach, and would not any more. */
function copiesProblem({ before, after }: Draft, view: ManagerView): string | null {
  const problems: string[] = []
  for (const volume of after.volumes.values()) {
    const known = before.volumes.get(volume.id)
    if (known === undefined || known === volume) continue
    volume.shards.forEach((shard, i) => {
      const old = known.shards[i]
      if (old === undefined || old === shard) return
      const left = reachedInSync(shard, view)
      if (reachedInSync(old, view) < volume.minInSync || left >= volume.minInSync) return
      problems.push(copiesSentence(volume, { shard: i, left }))
    })
  }
  return firstAndMore(problems)
}

function copiesSentence(
  { name, minInSync }: VolumeRecord,
  { shard, left }: { readonly shard: number; readonly left: number },
): string {
  return (
    `writes to shard ${shard} of volume ${name} would wait: it needs ${minInSync} in-sync copies ` +
    `and would have ${left} within reach`
  )
}

function reachedInSync(shard: ShardAllocation, { servers }: ManagerView): number {
  return inSyncOf(shard).filter(({ server, incarnation }) => servers.get(server) === incarnation)
    .length
}

function majorityProblem({ after, change }: Draft, view: ManagerView): string | null {
  if (change.kind === 'manager-added') return joiningProblem(change, view)
  if (change.kind !== 'manager-removed') return null
  const all = after.managers.length
  const reached = after.managers.filter(({ id }) => view.managers.has(id)).length
  if (reached >= majority(all)) return null
  return (
    `of the ${all} managers that remain, ${shortId(view.self)} reaches ${reached}, and ` +
    `${majority(all)} must agree to every change`
  )
}

function joiningProblem(
  { manager }: ChangeOf<'manager-added'>,
  { self, managers }: ManagerView,
): string | null {
  if (managers.has(manager.id)) return null
  return `manager ${shortId(self)} does not reach ${shortId(manager.id)}`
}
