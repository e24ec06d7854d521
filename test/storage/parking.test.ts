import test from 'tape'
import { Parking } from '../../src/storage/parking.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

test('what waits is resumed, or refused when it is late or too much', async t => {
  const clock = new VirtualClock()
  const parking = new Parking({ clock, limit: 2 })
  const log: string[] = []
  const park = (name: string, until: number): void => {
    const resume = (): number => log.push(`${name} resumed`)
    parking.park({ resume, refuse: () => log.push(`${name} refused`) }, until)
  }
  park('a', 100)
  park('b', 200)
  park('c', 200)
  t.deepEqual(log, ['c refused'], 'too many')
  await clock.advance(150)
  t.deepEqual(log, ['c refused', 'a refused'], 'too late')
  parking.resumeAll()
  t.deepEqual(log.slice(2), ['b resumed'])
  await clock.advance(1_000)
  t.equal(log.length, 3, 'once each')
  park('d', 1_000)
  t.equal(log[3], 'd refused', 'its time was over before')
  t.equal(parking.size, 0)
})
