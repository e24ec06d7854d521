import test from 'tape'
import { FlushForecast } from '../../../src/client/flush/flush-forecast.js'

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
