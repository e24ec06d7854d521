// Alarms over one timer: each rings once, in time, unless it was ended before.
import test from 'tape'
import { Alarms, type Alarm } from '../../src/base/alarms.js'
import type { Clock } from '../../src/base/clock.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

test('each alarm rings once when it is due, whatever the order in which they are set', async t => {
  const clock = new VirtualClock()
  const alarms = new Alarms(clock)
  const rung: string[] = []
  const set = (due: number) => {
    const alarm = { due, ring: () => rung.push(`${due} at ${clock.now()}`) }
    alarms.add(alarm)
    return alarm
  }
  set(30)
  set(10)
  const ended = set(20)
  set(40.5)
  await clock.advance(15)
  t.deepEqual(rung, ['10 at 10'])
  alarms.delete(ended)
  set(5)
  await clock.advance(0)
  t.deepEqual(rung, ['10 at 10', '5 at 15'], 'one that is due already')
  await clock.advance(100)
  t.deepEqual(rung.slice(2), ['30 at 30', '40.5 at 40.5'])
  set(120)
  await clock.advance(100)
  t.equal(rung.at(-1), '120 at 120', 'after a while without any')
})

test('an alarm may end another that is due, and set one', async t => {
  const clock = new VirtualClock()
  const alarms = new Alarms(clock)
  const rung: string[] = []
  const second: Alarm = { due: 10, ring: () => rung.push('second') }
  const later: Alarm = { due: 20, ring: () => rung.push('later') }
  alarms.add({
    due: 10,
    ring: () => {
      rung.push('first')
      alarms.delete(second)
      alarms.add(later)
    },
  })
  alarms.add(second)
  await clock.advance(30)
  t.deepEqual(rung, ['first', 'later'])
})

test('many that end in time take few timers', async t => {
  const virtual = new VirtualClock()
  let timers = 0
  const clock: Clock = {
    now: () => virtual.now(),
    date: () => virtual.date(),
    time: () => virtual.time(),
    after: (delay, callback) => {
      timers++
      return virtual.after(delay, callback)
    },
  }
  const alarms = new Alarms(clock)
  for (let i = 0; i < 1_000; i++) {
    const alarm = { due: clock.now() + 50, ring: () => t.fail('it was ended') }
    alarms.add(alarm)
    await virtual.advance(1)
    alarms.delete(alarm)
  }
  t.ok(timers < 50, `${timers} timers`)
})
