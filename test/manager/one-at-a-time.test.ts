// Work that is asked for while it runs, and after it was stopped.
import test from 'tape'
import { OneAtATime } from '../../src/manager/one-at-a-time.js'

function setUp() {
  const ends: (() => void)[] = []
  let begun = 0
  const work = new OneAtATime(() => {
    begun++
    return new Promise(resolve => ends.push(resolve))
  })
  return { work, ends, begun: () => begun }
}

async function turn(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

test('once at a time, and once more for all that came meanwhile', async t => {
  const { work, ends, begun } = setUp()
  work.ask()
  work.ask()
  t.equal(begun(), 0, 'after the turn in which it was asked for')
  await turn()
  t.equal(begun(), 1, 'together')
  work.ask()
  work.ask()
  await turn()
  t.equal(begun(), 1, 'not beside itself')
  ends[0]?.()
  await turn()
  t.equal(begun(), 2)
  ends[1]?.()
  await turn()
  t.equal(begun(), 2, 'no more than was asked for')
  work.ask()
  await turn()
  t.equal(begun(), 3, 'and again later')
})

test('stopping waits for what is under way, and begins nothing', async t => {
  const { work, ends, begun } = setUp()
  work.ask()
  await turn()
  work.ask()
  let stopped = false
  void work.stop().then(() => (stopped = true))
  t.ok(work.stopped)
  await turn()
  t.notOk(stopped)
  ends[0]?.()
  await turn()
  t.ok(stopped)
  work.ask()
  await turn()
  t.equal(begun(), 1)
})
