// What names, sizes and degrees of replication may be. `apply` refuses by these rules, and the
// command line asks them first. Each gives null if all is well, else one sentence that says what to
// do. Names become file names and columns of tables, hence the narrow rule.
import {
  BLOCK_BYTES,
  NAME_LENGTH_MAX,
  REPLICAS_MAX,
  SCHEDULED_SNAPSHOTS_MAX,
  VOLUME_BYTES_MAX,
} from '../base/limits.js'
import type { SnapshotPeriod, SnapshotSchedule } from './configuration.js'

const NAME = /^[A-Za-z0-9._-]+$/

/** `what` names the thing in the sentence: "volume name", "server name", "failure domain". */
export function nameProblem(what: string, name: string): string | null {
  if (name === '') return `The ${what} is empty: give one.`
  if (name.length > NAME_LENGTH_MAX) {
    return `The ${what} has ${name.length} characters: use at most ${NAME_LENGTH_MAX}.`
  }
  if (name === '.' || name === '..') return `"${name}" cannot be a ${what}: use another one.`
  if (!NAME.test(name)) {
    return (
      `The ${what} ${JSON.stringify(name)} has other characters than letters, digits, ` +
      '".", "_" and "-": use only these.'
    )
  }
  return null
}

/** Of a volume, in bytes. */
export function sizeProblem(size: number): string | null {
  if (!Number.isSafeInteger(size) || size <= 0) {
    return 'The size of a volume is a whole number of bytes above zero: give another one.'
  }
  if (size > VOLUME_BYTES_MAX) {
    return `A volume has at most ${VOLUME_BYTES_MAX} bytes (64 TiB): choose a smaller size.`
  }
  if (size % BLOCK_BYTES !== 0) {
    const up = Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
    return (
      `The size of a volume is a multiple of ${BLOCK_BYTES} bytes: use ${up} instead of ` +
      `${size}.`
    )
  }
  return null
}

export function replicasProblem(replicas: number): string | null {
  if (Number.isSafeInteger(replicas) && replicas >= 1 && replicas <= REPLICAS_MAX) return null
  return `A volume has 1 to ${REPLICAS_MAX} replicas: choose a number in this range.`
}

export function minInSyncProblem(minInSync: number, replicas: number): string | null {
  if (Number.isSafeInteger(minInSync) && minInSync >= 1 && minInSync <= replicas) return null
  return (
    'The minimum of in-sync copies lies between 1 and the number of replicas ' +
    `(${replicas}): choose one.`
  )
}

/** The default minimum of in-sync copies: more than half of the replicas. */
export function majority(replicas: number): number {
  return (replicas - (replicas % 2)) / 2 + 1
}

export const SNAPSHOT_PERIODS = [
  'hourly',
  'daily',
  'weekly',
  'monthly',
] as const satisfies readonly SnapshotPeriod[]

export function schedulesProblem(schedules: readonly SnapshotSchedule[]): string | null {
  if (new Set(schedules.map(({ period }) => period)).size !== schedules.length) {
    return 'A period is named twice: give each of hourly, daily, weekly and monthly once.'
  }
  let sum = 0
  for (const { period, keep } of schedules) {
    if (!Number.isSafeInteger(keep) || keep < 1) {
      return `How many ${period} snapshots are kept is a whole number above zero: give one.`
    }
    sum += keep
  }
  if (sum <= SCHEDULED_SNAPSHOTS_MAX) return null
  return (
    `${sum} snapshots would be kept by themselves: keep at most ${SCHEDULED_SNAPSHOTS_MAX}, ` +
    'so that there is room for others.'
  )
}

/** As people write them: "hourly=24,daily=7", or "none". */
export function formatSchedules(schedules: readonly SnapshotSchedule[]): string {
  if (schedules.length === 0) return 'none'
  return schedules.map(({ period, keep }) => `${period}=${keep}`).join(',')
}
