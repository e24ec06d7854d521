// When a read is asked of a second replica: the delay, the share and the bounds, as tables.
import test from 'tape'
import { HedgeState, type HedgeEvent } from '../../../src/client/shard/hedge-state.js'
import {
  CLIENT_WINDOW_BYTES,
  CLIENT_WINDOW_REQUESTS,
  HEDGE_DELAY_MAX_MS,
  HEDGE_DELAY_MIN_MS,
  HEDGE_SHARE,
  REQUEST_BYTES_MAX,
} from '../../../src/base/limits.js'

function after(events: readonly HedgeEvent[], state = new HedgeState()): HedgeState {
  for (const event of events) state.take(event)
  return state
}

const asked: HedgeEvent = { kind: 'asked' }
const hedged = (bytes: number): HedgeEvent => ({ kind: 'hedged', bytes })
const over = (bytes: number): HedgeEvent => ({ kind: 'over', bytes })

function answers(...latencies: readonly number[]): readonly HedgeEvent[] {
  return latencies.map(latency => ({ kind: 'answered', latency }))
}

function times<T>(count: number, value: T): readonly T[] {
  return Array.from({ length: count }, () => value)
}

test('the delay follows what reads have taken lately, within its limits', t => {
  const table: readonly [string, readonly number[], number, number][] = [
    ['nothing was measured', [], HEDGE_DELAY_MAX_MS, HEDGE_DELAY_MAX_MS],
    ['a fast cluster', times(50, 1), HEDGE_DELAY_MIN_MS, HEDGE_DELAY_MIN_MS],
    ['steady at 40 ms', times(50, 40), 119, 121],
    ['between 20 and 60 ms', times(50, [20, 60]).flat(), 120, 220],
    ['all are slow', times(50, 5_000), HEDGE_DELAY_MAX_MS, HEDGE_DELAY_MAX_MS],
    ['one was slow', [...times(50, 10), 5_000], HEDGE_DELAY_MAX_MS, HEDGE_DELAY_MAX_MS],
    ['and is forgotten', [...times(50, 10), 5_000, ...times(60, 10)], 50, 60],
  ]
  for (const [title, latencies, least, most] of table) {
    const delay = after(answers(...latencies)).delay
    t.ok(delay >= least && delay <= most, `${title}: ${delay.toFixed(0)} ms`)
  }
  t.end()
})

test('what is slow makes the delay longer at once, and shorter again step by step', t => {
  const state = after(answers(...times(50, 20)))
  const fast = state.delay
  const after1 = after(answers(100), state).delay
  t.ok(after1 > 1.5 * fast, `${after1.toFixed(0)} ms after one answer`)
  t.ok(after(answers(20, 20, 20), state).delay < after1)
  t.end()
})

test('hedges are a share of the reads, with a window in store', t => {
  const state = new HedgeState()
  let count = 0
  while (state.mayHedge(1)) {
    after([hedged(1), over(1)], state)
    count++
  }
  t.equal(count, CLIENT_WINDOW_REQUESTS, 'as many as one window strands')
  const reads = 10 / HEDGE_SHARE
  for (let i = 0; i < reads; i++) {
    after([asked], state)
    if (!state.mayHedge(1)) continue
    after([hedged(1), over(1)], state)
    count++
  }
  t.equal(count, CLIENT_WINDOW_REQUESTS + 10, 'then each has to be earned')
  after(times(10_000, asked), state)
  t.equal(state.credit, CLIENT_WINDOW_REQUESTS, 'and no more than that is kept')
  t.end()
})

test('hedged reads that still wait for somebody are bounded by number and by length', t => {
  const small = after(times(CLIENT_WINDOW_REQUESTS - 1, hedged(4096)))
  t.ok(small.mayHedge(4096), 'one more')
  after([hedged(4096), ...times(64, asked)], small)
  t.notOk(small.mayHedge(4096), 'not yet another one')
  t.ok(small.mayHedge(null), 'but another replica of one that is hedged')
  t.ok(after([over(4096)], small).mayHedge(4096))
  const most = CLIENT_WINDOW_BYTES / REQUEST_BYTES_MAX
  const long = after(times(most, hedged(REQUEST_BYTES_MAX)))
  t.notOk(long.mayHedge(1))
  const { hedged: left, bytes, credit } = after(times(most, over(REQUEST_BYTES_MAX)), long)
  t.deepEqual([left, bytes, credit], [0, 0, CLIENT_WINDOW_REQUESTS - most])
  t.end()
})
