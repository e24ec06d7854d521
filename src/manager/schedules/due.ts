// Which snapshots a schedule wants made and deleted (design §6). A period is a calendar one, in UTC:
// an hour, a day, a week from Monday on, a month. Each gets one snapshot, the first moment that the
// managers can make it; what was missed while nobody could is not made up for. The name says by
// which schedule and when, so that only these are ever deleted by themselves. Pure.
import type { SnapshotPeriod, SnapshotRecord, VolumeRecord } from '../../layout/configuration.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The epoch of computers was a Thursday. */
const FIRST_MONDAY = 4 * DAY

/** Names of snapshots to be made now, in milliseconds since 1970. */
export function dueSnapshots(volume: VolumeRecord, now: number): readonly string[] {
  return volume.schedules
    .filter(({ period }) => {
      const begun = periodStart(period, now)
      return !madeBy(volume, period).some(({ at }) => Date.parse(at) >= begun)
    })
    .map(({ period }) => nameOf(period, now))
}

/** Names of snapshots that are one too many, the oldest first. */
export function spareSnapshots(volume: VolumeRecord): readonly string[] {
  return volume.schedules.flatMap(({ period, keep }) => {
    const made = [...madeBy(volume, period)].sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
    return made.slice(0, Math.max(0, made.length - keep)).map(({ name }) => name)
  })
}

/** When the shortest period there is ends: nothing becomes due before. */
export function nextDue(now: number): number {
  return periodStart('hourly', now) + HOUR
}

function periodStart(period: SnapshotPeriod, now: number): number {
  switch (period) {
    case 'hourly':
      return now - (now % HOUR)
    case 'daily':
      return now - (now % DAY)
    case 'weekly':
      return now - ((now - FIRST_MONDAY) % (7 * DAY))
    case 'monthly': {
      const date = new Date(now)
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
    }
  }
}

/** "hourly-20261129T0100Z" */
function nameOf(period: SnapshotPeriod, now: number): string {
  const minutes = new Date(now).toISOString().slice(0, 16).replace(/[-:]/g, '')
  return `${period}-${minutes}Z`
}

function madeBy(volume: VolumeRecord, period: SnapshotPeriod): readonly SnapshotRecord[] {
  return volume.snapshots.filter(
    ({ name }) => name.startsWith(`${period}-`) && /^[a-z]+-\d{8}T\d{4}Z$/.test(name),
  )
}
