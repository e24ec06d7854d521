// Changes of who the managers are. Whether a majority agrees to them is not asked here.
import type { Epoch } from '../../base/brands.js'
import { MANAGERS_MAX } from '../../base/limits.js'
import type { ChangeOf } from '../change.js'
import type { Configuration } from '../configuration.js'
import { equal } from '../equal.js'
import { refuse, type Refusal } from '../outcome.js'
import { addressesProblem } from './addresses.js'

export function managerUpdated(
  before: Configuration,
  { manager }: ChangeOf<'manager-updated'>,
  epoch: Epoch,
): Configuration | Refusal {
  const known = before.managers.find(({ id }) => id === manager.id)
  if (known === undefined) {
    return refuse('no-such-manager', `${manager.id} is no manager of this cluster: add it first.`)
  }
  if (equal(known, manager)) return refuse('no-change', 'The manager is on record like this.')
  const problem = addressesProblem(manager.addresses)
  if (problem !== null) return problem
  const managers = before.managers.map(other => (other === known ? manager : other))
  return { ...before, epoch, managers }
}

export function managerAdded(
  before: Configuration,
  { manager }: ChangeOf<'manager-added'>,
  epoch: Epoch,
): Configuration | Refusal {
  if (before.managers.some(({ id }) => id === manager.id)) {
    return refuse('no-change', `${manager.id} is a manager of this cluster already.`)
  }
  if (before.managers.length >= MANAGERS_MAX) {
    return refuse('too-many', `The cluster has ${MANAGERS_MAX} managers: remove one first.`)
  }
  const problem = addressesProblem(manager.addresses)
  if (problem !== null) return problem
  return { ...before, epoch, managers: [...before.managers, manager] }
}

export function managerRemoved(
  before: Configuration,
  { manager }: ChangeOf<'manager-removed'>,
  epoch: Epoch,
): Configuration | Refusal {
  const managers = before.managers.filter(({ id }) => id !== manager)
  if (managers.length === before.managers.length) {
    return refuse('no-such-manager', `${manager} is no manager of this cluster (any more).`)
  }
  if (managers.length === 0) {
    return refuse('last-manager', 'It is the only manager of the cluster: add another one first.')
  }
  return { ...before, epoch, managers }
}
