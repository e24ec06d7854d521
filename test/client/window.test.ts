// The window: both bounds, first come first served, and leaving the queue.
import test from 'tape'
import { Window } from '../../src/client/window.js'

test('who does not fit waits, and nobody passes', t => {
  const window = new Window({ requests: 3, bytes: 100 })
  const entered: string[] = []
  const enter = (name: string, bytes: number) => window.enter(bytes, () => entered.push(name))
  enter('a', 60)
  const leaveB = enter('b', 60)
  enter('c', 10)
  t.deepEqual(entered, ['a'], 'c does not pass b')
  t.equal(window.waiting, 2)
  leaveB()
  t.deepEqual(entered, ['a', 'c'], 'b gave up')
  enter('d', 10)
  enter('e', 1)
  t.deepEqual(entered, ['a', 'c', 'd'], 'three requests')
  window.leave(60)
  t.deepEqual(entered, ['a', 'c', 'd', 'e'])
  t.equal(window.bytes, 21)
  window.leave(21, 3)
  t.equal(window.requests, 0)
  t.throws(() => window.leave(1), /only who has entered/)
  t.throws(() => enter('f', 101), /fits the window/)
  t.end()
})
