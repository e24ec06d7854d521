// When a primary has waited for long enough, in virtual time.
import test from 'tape'
import type { PeerId } from '../../../src/base/brands.js'
import {
  PATIENCE_FAILING_MS,
  PATIENCE_INTERVAL_MS,
  PATIENCE_STUCK_MS,
  PATIENCE_UNREACHABLE_MS,
} from '../../../src/base/limits.js'
import type { SuspensionCause } from '../../../src/layout/change.js'
import { Patience } from '../../../src/storage/replica/patience.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const [F, G] = [testPeer(2), testPeer(3)]

function setUp() {
  const clock = new VirtualClock()
  const waiting = new Map<PeerId, string>()
  const causes = new Map<PeerId, SuspensionCause>()
  const lost: string[] = []
  let looks = 0
  const patience = new Patience({
    clock,
    waiting: () => {
      looks++
      return waiting
    },
    cause: server => causes.get(server) ?? 'stuck',
    lost: overdue => {
      lost.push(overdue.map(({ server, cause }) => `${server.slice(-1)} ${cause}`).join(', '))
    },
  })
  return { clock, waiting, causes, lost, patience, looks: () => looks }
}

for (const [cause, limit] of [
  ['failing', PATIENCE_FAILING_MS],
  ['unreachable', PATIENCE_UNREACHABLE_MS],
  ['stuck', PATIENCE_STUCK_MS],
] as const) {
  test(`the same thing for too long: ${cause}`, async t => {
    const { clock, waiting, causes, lost, patience } = setUp()
    waiting.set(F, 'write 7')
    causes.set(F, cause)
    patience.watch()
    await clock.advance(limit - 1)
    t.deepEqual(lost, [], 'not yet')
    await clock.advance(PATIENCE_INTERVAL_MS + 1)
    t.deepEqual(lost.slice(0, 1), [`2 ${cause}`])
    const times = lost.length
    await clock.advance(3 * PATIENCE_INTERVAL_MS)
    t.equal(lost.length, times + 3, 'said again as long as it is so')
  })
}

test('slow is not stuck: whoever gets on is waited for', async t => {
  const { clock, waiting, lost, patience } = setUp()
  for (let n = 1; n <= 60; n++) {
    waiting.set(F, `write ${n}`)
    patience.watch()
    await clock.advance(PATIENCE_INTERVAL_MS)
  }
  t.deepEqual(lost, [])
})

test('one of two', async t => {
  const { clock, waiting, causes, lost, patience } = setUp()
  waiting.set(F, 'write 1').set(G, 'flush 1')
  causes.set(G, 'unreachable')
  patience.watch()
  await clock.advance(PATIENCE_UNREACHABLE_MS + PATIENCE_INTERVAL_MS)
  t.ok(lost.length > 0 && lost.every(said => said === '3 unreachable'), lost.join('; '))
})

test('a path that is lost late counts from when the waiting began', async t => {
  const { clock, waiting, causes, lost, patience } = setUp()
  waiting.set(F, 'write 1')
  patience.watch()
  await clock.advance(PATIENCE_UNREACHABLE_MS + PATIENCE_INTERVAL_MS)
  t.deepEqual(lost, [])
  causes.set(F, 'unreachable')
  await clock.advance(PATIENCE_INTERVAL_MS)
  t.deepEqual(lost, ['2 unreachable'])
})

test('nothing to wait for, or another allocation: it begins anew', async t => {
  const { clock, waiting, causes, lost, patience, looks } = setUp()
  causes.set(F, 'failing')
  patience.watch()
  await clock.advance(10 * PATIENCE_INTERVAL_MS)
  t.equal(looks(), 1, 'without a timer')
  waiting.set(F, 'write 1')
  patience.watch()
  await clock.advance(PATIENCE_FAILING_MS - 1)
  patience.stop()
  patience.watch()
  await clock.advance(PATIENCE_FAILING_MS - 1)
  t.deepEqual(lost, [])
  patience.stop()
  await clock.advance(10 * PATIENCE_INTERVAL_MS)
  t.deepEqual(lost, [], 'stopped')
})
