// The managers as operators see them: who is a member, who leads, who can be reached, who could be
// taken in, and what is wrong with that. Pure.
import type { PeerId } from '../../base/brands.js'
import type { Address, Configuration, ManagerRecord } from '../../layout/configuration.js'
import { majority } from '../../layout/names.js'
import type { ManagerListResult, ManagerResult } from '../../net/admin.js'
import { formatAddress, shortId } from '../describe-change.js'

export interface ManagersView {
  readonly configuration: Configuration
  readonly self: PeerId
  /** As far as this manager knows. */
  readonly leader: PeerId | null
  /** Connected peers with the role, of this cluster or of none yet. */
  readonly managers: readonly ManagerRecord[]
}

export function managerResults(view: ManagersView): readonly ManagerResult[] {
  const { configuration, self, leader, managers } = view
  const reached = new Set([self, ...managers.map(({ id }) => id)])
  return configuration.managers.map(({ id, addresses }) => ({
    id,
    leader: id === leader,
    reachable: reached.has(id),
    addresses: formatted(addresses),
  }))
}

export function managerList(view: ManagersView): ManagerListResult {
  const candidates = candidatesOf(view).map(({ id, addresses }) => {
    return { id, addresses: formatted(addresses) }
  })
  return { managers: managerResults(view), candidates }
}

/** Connected processes with the role that are no members. */
export function candidatesOf({ configuration, managers }: ManagersView): readonly ManagerRecord[] {
  const members = new Set(configuration.managers.map(({ id }) => id))
  // What else is known of a peer does not belong in the configuration.
  return managers
    .filter(({ id }) => !members.has(id))
    .map(({ id, addresses }) => ({ id, addresses }))
}

/** Those whose identity begins like this, which an operator types instead of 64 digits. */
export function beginningWith<R extends { readonly id: PeerId }>(
  all: readonly R[],
  beginning: string,
): readonly R[] {
  return all.filter(({ id }) => id.startsWith(beginning))
}

export function managerProblems(view: ManagersView): readonly string[] {
  const results = managerResults(view)
  const problems: string[] = []
  if (view.leader === null) {
    const reached = results.filter(({ reachable }) => reachable).length
    problems.push(
      `No manager leads: a majority, ${majority(results.length)} of ${results.length}, must ` +
        `reach each other, and ${shortId(view.self)} reaches ${reached} with itself; start ` +
        'the others. Changes are refused until then, I/O goes on.',
    )
  }
  for (const { id, reachable } of results) {
    if (reachable) continue
    problems.push(`Manager ${shortId(id as PeerId)} is not reachable: start it again.`)
  }
  if (results.length === 2) problems.push('2 managers tolerate no loss: add a third.')
  return problems
}

function formatted(addresses: readonly Address[]): readonly string[] {
  return addresses.map(({ host, port }) => formatAddress(host, port))
}
