// What the votes on a proposal amount to: the first thing that stops it, as a refusal for people,
// or null. Pure.
import type { PeerId } from '../../base/brands.js'
import type { ChangeKind } from '../../layout/change.js'
import { shardsTaken } from '../../layout/effects-of-change.js'
import { majority } from '../../layout/names.js'
import { inSyncOf, keepsMemory } from '../../layout/replicas.js'
import type { ProposalVoteReply } from '../../net/manager-messages.js'
import { serverName, shortId } from '../describe-change.js'
import type { ProposalResult, Vote } from '../history/configuration-history.js'
import { firstAndMore, sentence, type Draft } from './draft.js'

export type Refused = Extract<ProposalResult, { kind: 'refused' }>

/** Who was asked and what came back; null is silence, and so is an abstention. */
export interface Cast {
  readonly voter: PeerId
  readonly reply: ProposalVoteReply | null
}

export interface StorageVotes {
  /** Of all touched servers that are connected. */
  readonly casts: readonly Cast[]
  readonly force: boolean
  /** No lease of this server runs, and it is given none before it has registered (again). */
  readonly leaseOver: (server: PeerId) => boolean
}

export interface ManagerVotes {
  /** Of all members, this manager's own among them. */
  readonly casts: readonly Cast[]
  readonly force: boolean
}

export function refused(code: string, reason: string): Refused {
  return { kind: 'refused', code, reason }
}

export function storageProblem(draft: Draft, votes: StorageVotes): Refused | null {
  const refusal = refusalOf(votes)
  if (refusal) {
    const name = serverName(draft.before, refusal.voter)
    const reason = refusedBy(`storage server ${name}`, refusal)
    return { ...refused('refused-by-server', reason), by: refusal.voter }
  }
  return (
    servingProblem(draft, votes) ??
    vouchingProblem(draft, votes) ??
    chosenProblem(draft, votes) ??
    begunProblem(draft, votes)
  )
}

export function managersProblem({ before }: Draft, votes: ManagerVotes): Refused | null {
  const refusal = refusalOf(votes)
  if (refusal) {
    return refused('refused-by-manager', refusedBy(`manager ${shortId(refusal.voter)}`, refusal))
  }
  // A refusal that --force overrides is still a voice that was heard.
  const heard = votes.casts.filter(({ reply }) => reply !== null).length
  const all = before.managers.length
  if (heard >= majority(all)) return null
  const silent = votes.casts
    .filter(({ reply }) => reply === null)
    .map(({ voter }) => shortId(voter))
  const managers = `manager${silent.length === 1 ? '' : 's'} ${silent.join(' and ')}`
  return refused(
    'no-majority',
    `${heard} of ${all} managers voted, and ${majority(all)} must: start ${managers} again, or ` +
      'try again when they can be reached.',
  )
}

/** What is kept with the change; silence is no vote. */
export function recorded(casts: readonly Cast[], role: Vote['role']): readonly Vote[] {
  return casts.flatMap(({ voter, reply }) => {
    if (reply === null) return []
    const approve = reply.vote === 'approve'
    return [{ voter, role, approve, policy: !approve && reply.policy, reason: reply.reason }]
  })
}

/** The first refusal that stops the change: --force overrides those about degree or room. */
function refusalOf({ casts, force }: Pick<StorageVotes, 'casts' | 'force'>): Refusal | null {
  for (const { voter, reply } of casts) {
    if (reply?.vote !== 'refuse' || (reply.policy && force)) continue
    return { voter, reply }
  }
  return null
}

interface Refusal extends Cast {
  readonly reply: ProposalVoteReply
}

function refusedBy(who: string, { reply: { policy, reason } }: Refusal): string {
  // Whoever gives a reason does not know in which sentence it will stand.
  const own = reason.startsWith(`${who} `) ? `it${reason.slice(who.length)}` : reason
  const because = own === '' ? 'it gave no reason' : own
  if (!policy) return `Refused by ${who}: ${sentence(because)}`
  return `Refused by ${who}: ${sentence(because).slice(0, -1)}; --force overrides this.`
}

/**
 * A server from which something is taken that it may be serving must have stopped (that is what its
 * approval says), or be unable to: else it would serve on beside the one that replaces it (I4).
 */
function servingProblem(draft: Draft, votes: StorageVotes): Refused | null {
  const { before, after } = draft
  const stopped = approving(votes)
  for (const server of shardsTaken(before, after).keys()) {
    if (stopped.has(server) || votes.leaseOver(server)) continue
    const name = serverName(before, server)
    const asked = votes.casts.some(({ voter }) => voter === server)
    return refused(
      'no-vote',
      asked
        ? `Storage server ${name} did not answer, and may still serve what it would lose: try ` +
            'again, or stop it first.'
        : `Storage server ${name} is not connected, and may still serve what it would lose: try ` +
            'again when it is recorded as down, in a few seconds.',
    )
  }
  return null
}

/** Changes by which servers that live may lose copies. */
const TAKING: ReadonlySet<ChangeKind> = new Set([
  'server-removed',
  'shards-moved',
  'replicas-suspended',
])

/** When copies are moved or taken away, somebody who holds what remains must have looked at it. */
function vouchingProblem(draft: Draft, votes: StorageVotes): Refused | null {
  const { before, after, change } = draft
  if (!TAKING.has(change.kind)) return null
  const agreed = approving(votes)
  const shards: string[] = []
  const needed = new Set<string>()
  for (const volume of after.volumes.values()) {
    const known = before.volumes.get(volume.id)
    if (known === volume) continue
    volume.shards.forEach((shard, i) => {
      if (shard === known?.shards[i]) return
      const holders = inSyncOf(shard).filter(replica => keepsMemory(after, replica))
      if (holders.some(({ server }) => agreed.has(server))) return
      shards.push(`shard ${i} of volume ${volume.name}`)
      for (const { server } of holders) needed.add(serverName(before, server))
    })
  }
  const which = firstAndMore(shards)
  if (which === null) return null
  return refused(
    'no-vote',
    `No storage server that keeps an in-sync copy of ${which} has agreed: start ` +
      `${[...needed].sort().join(' or ')} again, or wait until it can be reached.`,
  )
}

/** From what it has on its disk a shard would go on: it must have looked. */
function chosenProblem({ before, change }: Draft, votes: StorageVotes): Refused | null {
  if (change.kind !== 'shard-promoted' || approving(votes).has(change.server)) return null
  return refused(
    'no-vote',
    `Storage server ${serverName(before, change.server)} did not answer: start it again, or wait ` +
      'until it can be reached.',
  )
}

/**
 * Nobody knows any more from where a clone began when it is flattened: every copy that is in-sync
 * must have begun, and said so.
 */
function begunProblem({ before, change }: Draft, votes: StorageVotes): Refused | null {
  if (change.kind !== 'volume-flattened') return null
  const agreed = approving(votes)
  for (const shard of before.volumes.get(change.volume)?.shards ?? []) {
    const silent = inSyncOf(shard).find(({ server }) => !agreed.has(server))
    if (!silent) continue
    return refused(
      'no-vote',
      `Storage server ${serverName(before, silent.server)} did not answer, and may not have ` +
        'begun its copy of the clone: start it again, or wait until it can be reached.',
    )
  }
  return null
}

function approving({ casts }: StorageVotes): ReadonlySet<PeerId> {
  return new Set(casts.filter(({ reply }) => reply?.vote === 'approve').map(({ voter }) => voter))
}
