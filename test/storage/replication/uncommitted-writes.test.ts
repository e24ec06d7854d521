import test from 'tape'
import { epoch, requestNumber, sequence } from '../../../src/base/brands.js'
import { cut, spanBetween, union } from '../../../src/storage/replication/block-spans.js'
import { UncommittedWrites } from '../../../src/storage/replication/uncommitted-writes.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const write = (n: number, first: number, end: number, at = 5) => ({
  ...{ ...spanBetween(first, end), allocation: epoch(at), sequence: sequence(n) },
  origins: [{ client: testPeer(1), request: requestNumber(n) }],
})

test('reads wait for what overlaps, until it is committed', t => {
  const list = new UncommittedWrites()
  list.add(write(1, 0, 4))
  list.add(write(2, 3, 6))
  t.ok(list.overlaps(spanBetween(5, 9)))
  t.notOk(list.overlaps(spanBetween(6, 9)))
  t.deepEqual(list.commit(epoch(4), sequence(9)), [], 'of another allocation')
  t.deepEqual(
    list.commit(epoch(5), sequence(1)).map(w => w.sequence),
    [1],
  )
  t.notOk(list.overlaps(spanBetween(0, 3)))
  t.ok(list.overlaps(spanBetween(3, 4)))
  t.end()
})

test('settling a range voids what earlier allocations left there, and only there', t => {
  const list = new UncommittedWrites()
  list.add(write(1, 0, 10))
  list.add(write(1, 2, 4, 6))
  list.settle(spanBetween(4, 6), epoch(6))
  const left = list.list().map(({ block, blocks }) => [block, block + blocks])
  t.deepEqual(left, [
    [0, 4],
    [6, 10],
    [2, 4],
  ])
  t.equal(list.olderThan(epoch(6)).length, 2)
  t.ok(
    list.olderThan(epoch(6)).every(w => w.origins.length === 1),
    'the rest is still theirs',
  )
  t.end()
})

test('spans are joined and cut', t => {
  const spans = union([spanBetween(5, 7), spanBetween(0, 2), spanBetween(2, 3), spanBetween(6, 9)])
  t.deepEqual(spans, [spanBetween(0, 3), spanBetween(5, 9)])
  t.deepEqual(cut(spans, new Set([1, 5, 7, 100]), 100), [
    spanBetween(0, 1),
    spanBetween(1, 3),
    spanBetween(5, 7),
    spanBetween(7, 9),
  ])
  t.deepEqual(cut([spanBetween(0, 5)], new Set(), 2), [
    spanBetween(0, 2),
    spanBetween(2, 4),
    spanBetween(4, 5),
  ])
  t.end()
})
