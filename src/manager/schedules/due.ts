// Which snapshots a schedule wants made and deleted (design §6). A period is a calendar one, in
// UTC: an hour, a day, a week from Monday on, a month. Each gets one snapshot, the first moment
// that the managers can make it; what was missed while nobody could is not made up for. The name
// says by which schedule and when, so that only these are ever deleted by themselves. Pure.
import type { SnapshotPeriod, SnapshotRecord, VolumeRecord } from '../../layout/configuration.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The epoch of computers was a Thursday. */
const FIRST_MONDAY = 4 * DAY

/** Names of snapshots to be made now, in ISO 8601 of UTC. */
export function dueSnapshots(volume: VolumeRecord, now: string): readonly string[] {
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

/** Milliseconds until the shortest period there is ends: nothing becomes due before. */
export function untilNextDue(now: string): number {
  return HOUR - (Date.parse(now) % HOUR)
}

/** The number of an hour: what is due changes with it, and with the volume. */
export function hourOf(date: string): number {
  return Math.floor(Date.parse(date) / HOUR)
}

/** In milliseconds since 1970. */
function periodStart(period: SnapshotPeriod, date: string): number {
  const now = Date.parse(date)
  switch (period) {
    case 'hourly':
      return now - (now % HOUR)
    case 'daily':
      return now - (now % DAY)
    case 'weekly':
      return now - ((now - FIRST_MONDAY) % (7 * DAY))
    case 'monthly':
      return Date.parse(date.slice(0, 'yyyy-mm'.length))
  }
}

/** "hourly-20261129T0100Z" */
function nameOf(period: SnapshotPeriod, now: string): string {
  return `${period}-${now.slice(0, 'yyyy-mm-ddThh:mm'.length).replace(/[-:]/g, '')}Z`
}

function madeBy(volume: VolumeRecord, period: SnapshotPeriod): readonly SnapshotRecord[] {
  return volume.snapshots.filter(
    ({ name }) => name.startsWith(`${period}-`) && /^[a-z]+-\d{8}T\d{4}Z$/.test(name),
  )
}
