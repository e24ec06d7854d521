// Which ceilings hold for a job, and which of them is the lowest. Pure. A request passes the FUSE
// transport once. It passes links: a read one; a write alone on its way two, one after the other
// (to the primary, from there to the others at the same time); writes in numbers one for each
// replica, since all links share the cores of one machine. An fsync waits for the disk of every
// replica. What the write-back cache answers has passed FUSE only.
import type { Job } from '../shared/jobs.js'
import type { Group, PlannedRow } from './plan.js'

export interface Ceiling {
  readonly name: string
  /** Operations of the job a second. */
  readonly perSecond: number
}

/** Found by their names. */
export type Ceilings = ReadonlyMap<string, { readonly perSecond: number }>

export const LINK = {
  one: 'link: 4 KiB echo, depth 1',
  many: 'link: 4 KiB echo, depth 16',
  large: 'link: 1 MiB frames, depth 8',
} as const

export function fuseCeiling({ mount, on }: Pick<Group, 'mount' | 'on'>, job: Job): string {
  return `FUSE ${mount.transport}, ${on}: ${job.name}`
}

export function diskCeiling(processes: number): string {
  return `disk: 4 KiB + fdatasync, ${processes} at once`
}

export function lowestCeiling(row: PlannedRow, measured: Ceilings): Ceiling | null {
  const limits = limitsOf(row).flatMap(({ name, times }) => {
    const rate = measured.get(name)?.perSecond
    if (rate === undefined) return []
    return { name: times === 1 ? name : `${name}, ÷ ${times}`, perSecond: rate / times }
  })
  return limits.reduce<Ceiling | null>(
    (lowest, limit) => (lowest && lowest.perSecond <= limit.perSecond ? lowest : limit),
    null,
  )
}

interface Passage {
  readonly name: string
  /** How often one operation passes it. */
  readonly times: number
}

function limitsOf({ job, mount, on, replicas }: PlannedRow): readonly Passage[] {
  const fuse = { name: fuseCeiling({ mount, on }, job), times: 1 }
  if (mount.writeBack) return [fuse]
  if (job.fsyncEvery > 0) return [fuse, { name: diskCeiling(replicas), times: 1 }]
  const reads = job.pattern.endsWith('read')
  const alone = job.depth === 1
  const large = job.blockSize === '1m'
  const link = large ? LINK.large : alone ? LINK.one : LINK.many
  return [fuse, { name: link, times: reads ? 1 : alone ? Math.min(2, replicas) : replicas }]
}
