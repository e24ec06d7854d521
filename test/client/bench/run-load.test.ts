import test from 'tape'
import { wait } from '../../../src/base/clock.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { Interruption } from '../../../src/base/interruption.js'
import { BENCH_STOP_MS } from '../../../src/base/limits.js'
import { runLoad } from '../../../src/client/bench/run-load.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

test('operations of one line follow one another, lines run at once', async t => {
  const clock = new VirtualClock()
  let most = 0
  let now = 0
  const operate = async (line: number): Promise<void> => {
    most = Math.max(most, ++now)
    await wait(clock, line === 0 ? 10 : 5)
    now--
  }
  const load = { depth: 3, milliseconds: 100, operate }
  const running = runLoad(load, { clock, interruption: new Interruption() })
  const measured = await clock.settle('the load', running)
  t.equal(most, 3)
  t.deepEqual(measured.operations, 10 + 20 + 20)
  t.equal(measured.seconds, 0.1)
  t.ok(Math.abs((measured.latency?.p50 ?? 0) - 0.005) < 1e-5, 'the median is that of most')
  t.ok(Math.abs((measured.latency?.max ?? 0) - 0.01) < 1e-4)
})

test('what is under way at the end counts, with the time that it takes', async t => {
  const clock = new VirtualClock()
  const load = { depth: 1, milliseconds: 100, operate: () => wait(clock, 70) }
  const running = runLoad(load, { clock, interruption: new Interruption() })
  const measured = await clock.settle('the load', running)
  t.deepEqual([measured.operations, measured.seconds], [2, 0.14])
})

test('the first failure ends it, and nothing is begun afterwards', async t => {
  const clock = new VirtualClock()
  let begun = 0
  const operate = async (line: number): Promise<void> => {
    begun++
    await wait(clock, 10 + line)
    if (begun > 4) throw new SwarmdiskError('io-timeout', 'as the test asked for')
  }
  const running = runLoad(
    { depth: 2, milliseconds: 1_000, operate },
    { clock, interruption: new Interruption() },
  )
  const said = await clock.settle(
    'it fails',
    running.catch((error: unknown) => error),
  )
  t.equal((said as SwarmdiskError).code, 'io-timeout')
  const before = begun
  await clock.advance(1_000)
  t.equal(begun, before)
})

test('an interruption: what ends soon counts, what is held does not', async t => {
  const clock = new VirtualClock()
  const interruption = new Interruption()
  const operate = (line: number): Promise<void> => wait(clock, line === 0 ? 1e9 : 40)
  const load = { depth: 2, milliseconds: 10_000, operate }
  const running = runLoad(load, { clock, interruption })
  clock.after(100, () => interruption.ask())
  const measured = await clock.settle('the load', running)
  t.equal(measured.operations, 3)
  t.equal(measured.seconds, (100 + BENCH_STOP_MS) / 1000)
  const after = new Interruption()
  after.ask()
  const none = await clock.settle('nothing', runLoad(load, { clock, interruption: after }))
  t.deepEqual([none.operations, none.latency], [0, null], 'asked before it began')
})
