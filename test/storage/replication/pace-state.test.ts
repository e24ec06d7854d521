// Copies of blocks have a bandwidth, and less of it beside clients.
import test from 'tape'
import { PaceState } from '../../../src/storage/replication/pace-state.js'

test('a second worth at once, then by the rate', t => {
  const pace = new PaceState()
  const at = (now: number) => ({ now, rate: 1_000 })
  t.equal(pace.take(at(0), 600), 0)
  t.equal(pace.take(at(0), 400), 0)
  t.equal(pace.take(at(0), 500), 500)
  t.equal(pace.take(at(0), 500), 1_000, 'one after the other')
  t.equal(pace.take(at(1_000), 500), 500)
  t.equal(pace.take(at(60_000), 1_000), 0, 'what was not used does not add up')
  t.equal(pace.take(at(60_000), 1), 1)
  t.end()
})

test('a thousand bites take as long as their bytes', t => {
  const pace = new PaceState()
  let now = 0
  for (let i = 0; i < 1_000; i++) now += pace.take({ now, rate: 1_000 }, 100)
  t.ok(Math.abs(now - 99_000) < 1, `${now} ms`)
  t.end()
})

test('what wants time to itself begins after the one before it, whatever its bytes', t => {
  const pace = new PaceState()
  const at = (now: number, apart: number) => ({ now, rate: 1_000, apart })
  t.equal(pace.take(at(0, 50), 1), 0)
  t.equal(pace.take(at(0, 50), 1), 50)
  t.equal(pace.take(at(10, 80), 1), 90)
  t.equal(pace.take(at(20, 0), 1), 0, 'others do not wait for it')
  t.equal(pace.take(at(20, 10), 1), 160)
  t.equal(pace.take(at(1_000, 10), 1), 0, 'time that was not used does not add up')
  t.equal(pace.take(at(1_000, 10), 2_000), 1_001, 'the longer wait counts')
  t.end()
})

test('the rate may change on the way', t => {
  const pace = new PaceState()
  t.equal(pace.take({ now: 0, rate: 1_000 }, 2_000), 1_000)
  t.equal(pace.take({ now: 0, rate: 500 }, 500), 4_000, 'what waits, waits longer')
  t.equal(pace.take({ now: 2_000, rate: 1_000 }, 0), 0)
  t.end()
})
