// Request numbers: what servers may forget, and the bound on what they must remember; and joined
// FLUSHes, another small pure part of a shard line.
import test from 'tape'
import { RequestCounter, RequestNumbers } from '../../../src/client/shard/request-numbers.js'

test('completeBelow is counted shard by shard from one counter', t => {
  const counter = new RequestCounter()
  const held = new RequestNumbers(counter, 10)
  const busy = new RequestNumbers(counter, 10)
  const first = held.take()
  for (let i = 0; i < 100; i++) busy.complete(busy.take())
  t.equal(held.completeBelow, first)
  t.equal(busy.completeBelow, counter.next, 'the other shard forgets all the same')
  const [a, b, c] = [busy.take(), busy.take(), busy.take()]
  busy.complete(b)
  t.equal(busy.completeBelow, a)
  busy.complete(a)
  t.equal(busy.completeBelow, c)
  t.throws(() => busy.complete(a), /completed once/)
  t.end()
})

test('numbers beyond the bound wait', t => {
  const numbers = new RequestNumbers(new RequestCounter(), 2)
  const first = numbers.take()
  numbers.complete(numbers.take())
  let ready = 0
  t.notOk(numbers.hasRoom)
  const stop = numbers.room(() => ready++)
  numbers.room(() => ready++)
  t.equal(ready, 0, 'the first is still open, so both count')
  stop()
  numbers.complete(first)
  t.equal(ready, 1)
  t.ok(numbers.hasRoom, 'and nobody waits')
  t.end()
})
