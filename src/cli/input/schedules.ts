// Schedules of snapshots as people write them: "hourly=24,daily=7", or "none".
import { SwarmdiskError } from '../../base/errors.js'
import type { SnapshotSchedule } from '../../layout/configuration.js'
import { schedulesProblem, SNAPSHOT_PERIODS } from '../../layout/names.js'

/** Throws a SwarmdiskError 'bad-input'. */
export function parseSchedules(text: string): readonly SnapshotSchedule[] {
  if (text === 'none') return []
  const schedules = text.split(',').map(parseSchedule)
  const problem = schedulesProblem(schedules)
  if (problem !== null) throw new SwarmdiskError('bad-input', problem)
  return schedules
}

function parseSchedule(text: string): SnapshotSchedule {
  const [, word, number] = /^([a-z]+)=([0-9]{1,9})$/.exec(text.trim()) ?? []
  const period = SNAPSHOT_PERIODS.find(known => known === word)
  if (period !== undefined && number !== undefined) return { period, keep: Number(number) }
  throw new SwarmdiskError(
    'bad-input',
    `${JSON.stringify(text)} is no schedule of snapshots: write how many of which are kept, like ` +
      'hourly=24,daily=7,weekly=4,monthly=12, or "none".',
  )
}
