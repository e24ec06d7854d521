// Which changes of membership are allowed: one manager more or one less. Then a majority of those
// before and one of those after have a member in common, and no two leaders can be elected in one
// term, whoever has heard of the change (Ongaro's dissertation, 4.1).
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import { MANAGERS_MAX } from '../../base/limits.js'

export interface MembershipChange {
  readonly added: readonly PeerId[]
  readonly removed: readonly PeerId[]
}

export function membershipChange(
  before: readonly PeerId[],
  after: readonly PeerId[],
): MembershipChange {
  return {
    added: after.filter(peer => !before.includes(peer)),
    removed: before.filter(peer => !after.includes(peer)),
  }
}

export function assertOneAtATime(
  before: readonly PeerId[],
  after: readonly PeerId[],
): MembershipChange {
  const change = membershipChange(before, after)
  assert(new Set(after).size === after.length, 'nobody votes twice')
  assert(after.length > 0 && after.length <= MANAGERS_MAX, `${after.length} members`)
  assert(change.added.length + change.removed.length === 1, 'one member more or one less')
  return change
}
