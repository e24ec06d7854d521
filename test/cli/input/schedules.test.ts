import test from 'tape'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import { parseSchedules } from '../../../src/cli/input/schedules.js'
import { formatSchedules } from '../../../src/layout/names.js'

test('schedules of snapshots as people write them', t => {
  const both = [
    { period: 'hourly', keep: 24 },
    { period: 'daily', keep: 7 },
  ]
  t.deepEqual(parseSchedules('hourly=24,daily=7'), both)
  t.deepEqual(parseSchedules(' hourly=24, daily=7'), both)
  t.deepEqual(parseSchedules('none'), [])
  for (const text of ['hourly=24,daily=7', 'weekly=4', 'monthly=800', 'none']) {
    t.equal(formatSchedules(parseSchedules(text)), text)
  }
  const wrong = ['', 'hourly', 'hourly=', 'hourly=x', 'hourly=-1', 'yearly=1', 'hourly=1;daily=1']
  for (const text of [...wrong, 'hourly=0', 'hourly=801', 'daily=1,daily=2', 'none,daily=1']) {
    try {
      t.fail(`${text}: ${parseSchedules(text).length}`)
    } catch (error) {
      t.ok(isSwarmdiskError(error, 'bad-input'), text)
    }
  }
  t.end()
})
