// The log in memory.
import test from 'tape'
import { RAFT_APPEND_BYTES_MAX, RAFT_APPEND_ENTRIES_MAX } from '../../../src/base/limits.js'
import type { PeerId } from '../../../src/base/brands.js'
import { logIndex, RaftLog, raftTerm, type Position } from '../../../src/manager/raft/raft-log.js'
import type { LogEntry } from '../../../src/net/manager-messages.js'
import { peer } from './raft-group.js'

const peers = (...names: readonly number[]): readonly PeerId[] => names.map(peer)
const at = (index: number, term: number): Position => ({
  index: logIndex(index),
  term: raftTerm(term),
})

function entry(index: number, term: number, extra: Partial<LogEntry> = {}): LogEntry {
  return { ...at(index, term), members: null, data: new Uint8Array(0), ...extra }
}

/** Entries from `first` on, with these terms. */
function entries(first: number, ...terms: readonly number[]): readonly LogEntry[] {
  return terms.map((term, i) => entry(first + i, term))
}

function lastOf({ last: { index, term } }: RaftLog): Position {
  return { index, term }
}

function terms(log: RaftLog): readonly number[] {
  return log.entriesAfter(logIndex(0)).map(({ term }) => term)
}

test('a log begins with nothing', t => {
  const log = new RaftLog(null, [])
  t.deepEqual(lastOf(log), at(0, 0))
  t.equal(log.term(logIndex(0)), 0)
  t.equal(log.term(logIndex(1)), null)
  t.equal(log.entry(logIndex(0)), null)
  t.deepEqual(log.members, [])
  t.equal(log.membersSince, 0)
  t.deepEqual(log.membershipsFrom(logIndex(0)), [])
  t.end()
})

test('appending replaces what has the same index, and all after it', t => {
  const log = new RaftLog(null, entries(1, 1, 1, 2))
  log.append([])
  t.deepEqual(terms(log), [1, 1, 2])
  log.append(entries(3, 3, 3))
  t.deepEqual(terms(log), [1, 1, 3, 3])
  log.append(entries(2, 4))
  t.deepEqual(terms(log), [1, 4])
  t.deepEqual(lastOf(log), at(2, 4))
  t.throws(() => log.append(entries(4, 4)), /no gaps/)
  t.throws(() => log.append([...entries(3, 4), entry(5, 4)]), /no gaps/)
  t.throws(() => new RaftLog(null, entries(1, 2, 1)), /never go down/)
  t.end()
})

test('a log after a snapshot', t => {
  const log = new RaftLog({ ...at(5, 2), members: peers(1, 2) }, entries(6, 2, 3))
  t.deepEqual(log.base, at(5, 2))
  t.deepEqual(
    [4, 5, 6, 7, 8].map(i => log.term(logIndex(i))),
    [null, 2, 2, 3, null],
  )
  t.deepEqual(
    log.entriesAfter(logIndex(0)).map(({ index }) => index),
    [6, 7],
  )
  t.deepEqual(
    log.entriesAfter(logIndex(6)).map(({ index }) => index),
    [7],
  )
  t.deepEqual(log.entriesAfter(logIndex(9)), [])
  t.throws(() => log.append(entries(5, 4)), /never replaced/)
  t.throws(() => log.batch(logIndex(5)), /still there/)
  log.reset({ ...at(20, 7), members: peers(3) })
  t.deepEqual([log.base, lastOf(log), log.members], [at(20, 7), at(20, 7), peers(3)])
  t.end()
})

test('compaction drops what the snapshot holds', t => {
  const log = new RaftLog(null, [
    entry(1, 1, { members: peers(1, 2) }),
    entry(2, 1),
    entry(3, 2, { members: peers(1, 2, 3) }),
    entry(4, 2),
  ])
  const wrong = { ...at(2, 1), members: peers(1) }
  t.throws(() => log.compact(wrong), /names those who voted/)
  t.throws(() => log.compact({ ...at(2, 2), members: peers(1, 2) }), /ends with an entry/)
  log.compact({ ...at(2, 1), members: peers(2, 1) })
  t.deepEqual(terms(log), [2, 2])
  t.deepEqual(log.membershipsFrom(log.base.index), [
    { index: 2, members: peers(1, 2) },
    { index: 3, members: peers(1, 2, 3) },
  ])
  log.compact({ ...at(1, 1), members: peers(1, 2) })
  t.deepEqual(log.base, at(2, 1), 'an older one changes nothing')
  log.compact({ ...at(4, 2), members: peers(1, 2, 3) })
  t.deepEqual([log.base, lastOf(log), log.members], [at(4, 2), at(4, 2), peers(1, 2, 3)])
  t.end()
})

test('who votes since when', t => {
  const log = new RaftLog(null, [
    entry(1, 1, { members: peers(1) }),
    entry(2, 1, { members: peers(1, 2) }),
    entry(3, 1),
    entry(4, 1, { members: peers(1, 2, 3) }),
  ])
  const indexes = (from: number): readonly number[] =>
    log.membershipsFrom(logIndex(from)).map(({ index }) => index)
  t.deepEqual([0, 1, 2, 3, 4, 9].map(indexes), [[1, 2, 4], [1, 2, 4], [2, 4], [2, 4], [4], [4]])
  t.deepEqual([log.members, log.membersSince], [peers(1, 2, 3), 4])
  log.append(entries(4, 2))
  t.deepEqual([log.members, log.membersSince], [peers(1, 2), 2], 'reverted')
  log.append([entry(2, 3)])
  t.deepEqual([log.members, log.membersSince], [peers(1), 1])
  t.end()
})

test('the last index where two logs may agree', t => {
  const log = new RaftLog(null, entries(1, 1, 1, 1, 4, 4, 5, 5, 6, 6, 6))
  const last = (index: number, term: number): number =>
    log.lastAtMost(logIndex(index), raftTerm(term))
  t.equal(last(10, 6), 10)
  t.equal(last(99, 9), 10)
  t.equal(last(11, 3), 3)
  t.equal(last(7, 4), 5)
  t.equal(last(2, 6), 2)
  t.equal(last(7, 0), 0)
  t.equal(last(0, 0), 0)
  log.compact({ ...at(4, 4), members: [] })
  t.equal(last(10, 5), 7)
  t.equal(last(10, 4), 5)
  t.equal(last(4, 4), 4)
  t.equal(last(10, 3), 3, 'before what is known: a snapshot is needed')
  t.equal(last(2, 9), 2, 'likewise')
  // What a search from the end would find.
  for (let index = 4; index <= 10; index++) {
    for (let term = 4; term <= 7; term++) {
      let i = index
      while (log.term(logIndex(i))! > term) i--
      if (last(index, term) !== i) t.fail(`${index}/${term}`)
    }
  }
  t.end()
})

test('which log is newer', t => {
  const log = new RaftLog(null, entries(1, 1, 3))
  t.ok(log.isCoveredBy(at(2, 3)), 'equal')
  t.ok(log.isCoveredBy(at(1, 4)), 'a newer term')
  t.ok(log.isCoveredBy(at(3, 3)), 'a longer one')
  t.notOk(log.isCoveredBy(at(9, 2)), 'longer, but of an older term')
  t.notOk(log.isCoveredBy(at(1, 3)), 'shorter')
  t.end()
})

test('a message takes so many entries, and so many bytes', t => {
  const many = Array.from({ length: RAFT_APPEND_ENTRIES_MAX + 5 }, (_, i) => entry(i + 1, 1))
  const log = new RaftLog(null, many)
  t.equal(log.batch(logIndex(1)).length, RAFT_APPEND_ENTRIES_MAX)
  t.deepEqual(log.batch(logIndex(RAFT_APPEND_ENTRIES_MAX + 5)).length, 1)
  t.deepEqual(log.batch(logIndex(RAFT_APPEND_ENTRIES_MAX + 6)), [])
  const bytes = (share: number): Partial<LogEntry> => ({
    data: new Uint8Array(Math.floor(RAFT_APPEND_BYTES_MAX * share)),
  })
  const large = new RaftLog(null, [
    ...[entry(1, 1, bytes(0.4)), entry(2, 1, bytes(0.4)), entry(3, 1, bytes(0.4))],
    ...[entry(4, 1, bytes(1.5)), entry(5, 1)],
  ])
  const sizes = [1, 2, 3, 4, 5].map(first => large.batch(logIndex(first)).length)
  t.deepEqual(sizes, [2, 2, 1, 1, 1], 'one that is too large goes alone')
  t.end()
})

test('indexes and terms are whole numbers', t => {
  t.throws(() => logIndex(-1), /not an index/)
  t.throws(() => logIndex(0.5), /not an index/)
  t.throws(() => raftTerm(-1), /not a term/)
  t.end()
})
