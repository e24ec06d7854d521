// What the suite measures and in which order: groups of jobs, each on one mount, one volume and one
// kind of target. Pure.
import { JOB, JOBS, type Job } from '../shared/jobs.js'

/** A process of its own: what its flags are, and what people call it. */
export interface MountKind {
  /** Begins with "mount": so the cluster of a test knows what to unmount. */
  readonly process: string
  readonly title: string
  readonly transport: 'kernel' | 'fuse-native'
  readonly writeBack: boolean
}

export const KERNEL: MountKind = {
  ...{ process: 'mount', title: 'kernel', transport: 'kernel', writeBack: false },
}
export const WRITE_BACK: MountKind = {
  ...{ process: 'mount-cached', title: 'kernel, writeback', transport: 'kernel', writeBack: true },
}
export const FUSE_NATIVE: MountKind = {
  ...{ process: 'mount-native', title: 'fuse-native', transport: 'fuse-native', writeBack: false },
}

export interface Group {
  readonly mount: MountKind
  readonly on: 'image' | 'loop'
  readonly replicas: number
  readonly jobs: readonly Job[]
}

/** One line of the table, to be measured. */
export type PlannedRow = Omit<Group, 'jobs'> & { readonly job: Job }

/** What --only is matched with. */
export function titleOf({ job, on, mount, replicas }: PlannedRow): string {
  return `${job.name}, ${on}, ${mount.title}, ${copies(replicas)}`
}

export function titlesOf(group: Group): readonly string[] {
  return group.jobs.map(job => titleOf({ ...group, job }))
}

function copies(replicas: number): string {
  return replicas === 1 ? '1 replica' : `${replicas} replicas`
}

export function groupTitle({ on, mount, replicas }: Omit<Group, 'jobs'>): string {
  return `${on}, ${mount.title}, ${copies(replicas)}`
}

/** Groups that share a mount stand together, so that each mount is started once. */
export function planSuite(replicas: readonly number[], only: RegExp): readonly Group[] {
  const most = Math.max(...replicas)
  const all: readonly Group[] = [
    ...replicas.flatMap(count => [
      { mount: KERNEL, on: 'image' as const, replicas: count, jobs: JOBS },
      { mount: KERNEL, on: 'loop' as const, replicas: count, jobs: JOBS },
    ]),
    { mount: WRITE_BACK, on: 'image', replicas: most, jobs: [JOB.write1, JOB.write16] },
    { mount: FUSE_NATIVE, on: 'image', replicas: most, jobs: [JOB.read1, JOB.read16] },
  ]
  return all
    .map(group => ({
      ...group,
      jobs: group.jobs.filter(job => only.test(titleOf({ ...group, job }))),
    }))
    .filter(({ jobs }) => jobs.length > 0)
}
