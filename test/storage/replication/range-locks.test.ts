import test from 'tape'
import { spanBetween } from '../../../src/storage/replication/block-spans.js'
import { FetchGuards } from '../../../src/storage/replication/fetch-guards.js'
import { RangeLocks } from '../../../src/storage/replication/range-locks.js'

test('what overlaps runs in the order of its coming, the rest at once', t => {
  const locks = new RangeLocks()
  const ran: string[] = []
  const releases = new Map<string, () => void>()
  const acquire = (name: string, first: number, end: number): void => {
    locks.acquire(spanBetween(first, end), release => {
      ran.push(name)
      releases.set(name, release)
    })
  }
  acquire('a', 0, 4)
  acquire('b', 3, 8)
  acquire('c', 7, 9)
  acquire('d', 20, 30)
  t.deepEqual(ran, ['a', 'd'], 'c waits behind b, though nothing holds its range')
  releases.get('a')?.()
  t.deepEqual(ran, ['a', 'd', 'b'])
  releases.get('b')?.()
  t.deepEqual(ran, ['a', 'd', 'b', 'c'])
  t.end()
})

test('released while it runs', t => {
  const locks = new RangeLocks()
  const ran: number[] = []
  for (let i = 0; i < 3; i++) {
    locks.acquire(spanBetween(0, 1), release => {
      ran.push(i)
      release()
    })
  }
  t.deepEqual(ran, [0, 1, 2])
  t.end()
})

test('a guard knows what was written since it was opened', t => {
  const guards = new FetchGuards()
  guards.noteWrite(spanBetween(0, 100))
  const guard = guards.open(spanBetween(10, 20))
  t.notOk(guard.anyTouched(), 'writes before do not count')
  guards.noteWrite(spanBetween(0, 12))
  guards.noteWrite(spanBetween(30, 40))
  const touched = [9, 10, 11, 12].filter(block => guard.touched(block))
  t.deepEqual(touched, [10, 11])
  guard.close()
  t.end()
})
