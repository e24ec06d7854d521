// Managers as people read them: who is a member, who could become one, and what the cluster
// survives with as many as it has.
import type { ManagerListResult, ManagerResult } from '../../net/admin.js'
import { renderTable } from './table.js'

/** `manager add` and `manager remove`. */
export interface ManagerChangeResult {
  readonly id: string
  readonly epoch: number
}

type Candidate = ManagerListResult['candidates'][number]

const ID = {
  title: 'MANAGER',
  cell: (manager: Candidate) => manager.id.slice(0, 16),
}
const ADDRESS = {
  title: 'ADDRESS',
  cell: (manager: Candidate) => manager.addresses.join(' '),
}

export function renderManagers(managers: readonly ManagerResult[]): string {
  return renderTable<ManagerResult>(managers, [
    ID,
    { title: 'ROLE', cell: manager => (manager.leader ? 'leader' : 'follower') },
    { title: 'REACHABLE', cell: manager => (manager.reachable ? 'yes' : 'no') },
    ADDRESS,
  ])
}

export function renderManagerList({ managers, candidates }: ManagerListResult): string {
  const parts = [renderManagers(managers)]
  if (candidates.length > 0) {
    const table = renderTable<Candidate>(candidates, [{ ...ID, title: 'CANDIDATE' }, ADDRESS])
    parts.push(`No members, but running ("manager add" takes one in):\n${table}`)
  }
  const note = toleranceNote(managers.length)
  if (note !== null) parts.push(note)
  return parts.join('\n\n')
}

/** Null where the loss of a manager is survived. */
export function toleranceNote(managers: number): string | null {
  if (managers > 2) return null
  const more = managers === 1 ? 'two more on other hosts' : 'one more on another host'
  const now = managers === 1 ? 'One manager does' : 'Two managers do'
  return (
    `${now} not survive the loss of one: start ${more} with "swarmdisk manager ` +
    '--data DIR" (without --new), which joins by itself; any small machine will do.'
  )
}
