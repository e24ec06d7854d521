import test from 'tape'
import {
  FlushForecast,
  ForeseenFlushes,
} from '../../../../src/storage/store/dirty/foreseen-flushes.js'

/** What is foreseen at each write of `w` and `f` (FLUSH): `-` nothing, `+` a FLUSH. */
function foreseen(after: number, history: string): string {
  const forecast = new FlushForecast(after)
  let said = ''
  for (const call of history) {
    if (call === 'w') said += forecast.written() ? '+' : '-'
    else forecast.flushed()
  }
  return said
}

test('a FLUSH is foreseen where writes and FLUSHes have come by turns', t => {
  for (const [history, expected] of [
    ['wfwfwfw', '---+'],
    ['wfwfwwf', '----'],
    // Who goes on writing is not believed any more, and has to show it again.
    ['wfwfwfwwfwfwfwfwf', '---+----+'],
    // FLUSHes of nothing, which background work asks for, say nothing.
    ['ffffw', '-'],
    ['wfffwfwffw', '---+'],
    ['wwwwfwfwfwfw', '-------+'],
  ] as const) {
    t.equal(foreseen(3, history), expected, history)
  }
  t.equal(foreseen(0, 'wwfw'), '+++', 'after none, always')
  t.end()
})

test('the flush that is foreseen is made once, and does for the one that comes', async t => {
  const ends: ((error?: Error) => void)[] = []
  const run = (): Promise<void> => {
    return new Promise((resolve, reject) => ends.push(e => (e ? reject(e) : resolve())))
  }
  const flushes = new ForeseenFlushes(run, 1)
  flushes.written()
  t.equal(ends.length, 0, 'nothing is known yet')
  const first = flushes.request()
  ends.shift()?.()
  await first

  flushes.written()
  t.equal(ends.length, 1, 'foreseen: it begins with the write')
  flushes.written()
  t.equal(ends.length, 1, 'not a second one while it runs')
  const failure = new Error('the disk is gone')
  ends.shift()?.(failure)
  await Promise.resolve()
  const asked = flushes.request()
  t.equal(ends.length, 1, 'whoever asks then gets a flush of its own')
  ends.shift()?.(failure)
  await asked.then(
    () => t.fail('it failed'),
    (error: unknown) => t.equal(error, failure, 'and is told that it failed'),
  )
})
