// Which ceilings hold for a job, and which of them is the lowest. Pure. A request passes the FUSE
// transport once. A read passes a link; a write those to and among the servers of its replicas, as
// a primary sends what it gets to the others. An fsync waits for the disk of every replica. What
// the write-back cache answers has passed FUSE only.
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

/** Sent to one process, from there to the others, and acknowledged when all have it. */
export function copiesCeiling(job: Pick<Job, 'blockSize' | 'depth'>, replicas: number): string {
  const size = job.blockSize === '1m' ? '1 MiB' : '4 KiB'
  return `links: ${size} to ${replicas}, depth ${job.depth}`
}

export function fuseCeiling({ mount, on }: Pick<Group, 'mount' | 'on'>, job: Job): string {
  return `FUSE ${mount.transport}, ${on}: ${job.name}`
}

export function diskCeiling(processes: number): string {
  return `disk: 4 KiB + fdatasync, ${processes} at once`
}

export function lowestCeiling(row: PlannedRow, measured: Ceilings): Ceiling | null {
  const limits = limitsOf(row).flatMap(name => {
    const rate = measured.get(name)?.perSecond
    return rate === undefined ? [] : [{ name, perSecond: rate }]
  })
  return limits.reduce<Ceiling | null>(
    (lowest, limit) => (lowest && lowest.perSecond <= limit.perSecond ? lowest : limit),
    null,
  )
}

function limitsOf({ job, mount, on, replicas }: PlannedRow): readonly string[] {
  const fuse = fuseCeiling({ mount, on }, job)
  if (mount.writeBack) return [fuse]
  if (job.fsyncEvery > 0) return [fuse, diskCeiling(replicas)]
  if (job.pattern.endsWith('write')) return [fuse, copiesCeiling(job, replicas)]
  if (job.blockSize === '1m') return [fuse, LINK.large]
  return [fuse, job.depth === 1 ? LINK.one : LINK.many]
}
