// When snapshots by schedule are due, and which are too many.
import test from 'tape'
import { byteCount, epoch } from '../../../src/base/brands.js'
import type { SnapshotRecord, SnapshotSchedule } from '../../../src/layout/configuration.js'
import { dueSnapshots, spareSnapshots, untilNextDue } from '../../../src/manager/schedules/due.js'
import { testVolume } from '../../helpers/configurations.js'

/** A Sunday. */
const NOW = '2026-11-29T10:20:30.000Z'

function snapshot(name: string, at: string): SnapshotRecord {
  return { name, layer: 1, at, epoch: epoch(7), size: byteCount(4096), source: null }
}

const due = (
  schedules: readonly SnapshotSchedule[],
  snapshots: readonly SnapshotRecord[] = [],
  now = NOW,
): readonly string[] => dueSnapshots(testVolume({ schedules, snapshots }), now)

const ALL: readonly SnapshotSchedule[] = [
  { period: 'hourly', keep: 2 },
  { period: 'daily', keep: 2 },
  { period: 'weekly', keep: 2 },
  { period: 'monthly', keep: 2 },
]

test('one for each period, named after it and the moment', t => {
  t.deepEqual(due([]), [])
  t.deepEqual(due(ALL), [
    'hourly-20261129T1020Z',
    'daily-20261129T1020Z',
    'weekly-20261129T1020Z',
    'monthly-20261129T1020Z',
  ])
  t.end()
})

test('not twice in one period', t => {
  const starts = [
    ['hourly', '2026-11-29T10:00:00.000Z'],
    ['daily', '2026-11-29T00:00:00.000Z'],
    ['weekly', '2026-11-23T00:00:00.000Z'],
    ['monthly', '2026-11-01T00:00:00.000Z'],
  ] as const
  for (const [period, start] of starts) {
    const schedules = [{ period, keep: 2 }]
    const at = (time: number): string => new Date(time).toISOString()
    const name = `${period}-20260101T0000Z`
    const first = Date.parse(start)
    t.deepEqual(due(schedules, [snapshot(name, at(first))]), [], `${period}: made at its start`)
    t.equal(due(schedules, [snapshot(name, at(first - 1))]).length, 1, 'made just before')
    t.equal(due(schedules, [snapshot(`${period}-mine`, at(first))]).length, 1, 'not a schedule’s')
    const later = [snapshot(name, at(Date.parse(NOW) + 5 * 86_400_000))]
    t.deepEqual(due(schedules, later), [], 'made by a clock that was ahead')
  }
  t.end()
})

test('the oldest are spare, and only what the schedule has made', t => {
  const hours = ['07', '05', '08', '06'].map(hour =>
    snapshot(`hourly-20261129T${hour}00Z`, `2026-11-29T${hour}:00:00.000Z`),
  )
  const mine = snapshot('hourly-mine', '2026-11-28T00:00:00.000Z')
  const daily = snapshot('daily-20261128T0000Z', '2026-11-28T00:00:00.000Z')
  const snapshots = [mine, daily, ...hours]
  const schedules = [{ period: 'hourly', keep: 2 } as const]
  t.deepEqual(spareSnapshots(testVolume({ schedules, snapshots })), [
    'hourly-20261129T0500Z',
    'hourly-20261129T0600Z',
  ])
  t.deepEqual(spareSnapshots(testVolume({ schedules: [], snapshots })), [], 'no schedule any more')
  t.equal(untilNextDue(NOW), 39.5 * 60_000)
  t.end()
})
