// Which in-sync replicas a primary has had enough of (design §5: a replica that fails to answer is
// reported to the managers, and the write completes under the next epoch). Pure.
import type { PeerId } from '../../base/brands.js'
import type { SuspensionCause } from '../../layout/change.js'

/** A replica that has kept the shard waiting for too long. */
export interface Overdue {
  readonly server: PeerId
  readonly cause: SuspensionCause
}

export interface SuspectsInput {
  /** The primary, which asks. */
  readonly self: PeerId
  /** In-sync replicas, the primary among them. */
  readonly inSync: readonly PeerId[]
  readonly overdue: readonly Overdue[]
  readonly minInSync: number
}

/**
 * Whom to go on without. Nobody, if too few would stay for writing: then it is better to wait. And
 * if most of the others are out of reach, it is the primary itself: they may well reach each other.
 */
export function whomToSuspend(input: SuspectsInput): readonly Overdue[] {
  const { self, inSync, minInSync } = input
  const overdue = input.overdue.filter(({ server }) => inSync.includes(server))
  const unreachable = overdue.filter(({ server, cause }) => {
    return server !== self && cause === 'unreachable'
  })
  const cutOff = 2 * unreachable.length > inSync.length
  const chosen = cutOff ? [{ server: self, cause: 'unreachable' as const }] : overdue
  return inSync.length - chosen.length >= Math.max(1, minInSync) ? chosen : []
}
