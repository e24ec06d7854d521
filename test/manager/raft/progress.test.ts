// What a leader knows of one follower.
import test from 'tape'
import { RAFT_APPENDS_IN_FLIGHT } from '../../../src/base/limits.js'
import { Progress } from '../../../src/manager/raft/progress.js'
import { logIndex, RaftLog, raftTerm, type Position } from '../../../src/manager/raft/raft-log.js'
import { diskWith, peer } from './raft-group.js'

const at = (index: number, term: number): Position => ({
  index: logIndex(index),
  term: raftTerm(term),
})

function logOf(...terms: readonly number[]): RaftLog {
  return new RaftLog(null, diskWith([peer(1)], terms).entries)
}

/** Of one that has answered: everything up to `match` is there. */
function replicating(match: number, log: RaftLog): Progress {
  const progress = new Progress(logIndex(match + 1), 0)
  progress.sent(logIndex(match), 0)
  progress.accepted(logIndex(match), log, 0)
  return progress
}

test('a probe is sent once, and waits for its answer', t => {
  const log = logOf(1, 1, 1)
  const progress = new Progress(logIndex(3), 5)
  t.equal(progress.wants(log), 'append')
  progress.sent(logIndex(3), 7)
  t.equal(progress.wants(log), null)
  t.equal(progress.waitingSince, 7)
  progress.accepted(logIndex(1), log, 8)
  t.equal(progress.mode, 'probe', 'an old answer says nothing about this probe')
  progress.accepted(logIndex(3), log, 9)
  t.deepEqual([progress.mode, progress.match, progress.next], ['replicate', 3, 4])
  t.equal(progress.waitingSince, null)
  t.equal(progress.wants(log), null, 'it has everything')
  t.end()
})

test('an empty probe is sent, too', t => {
  const progress = new Progress(logIndex(4), 0)
  t.equal(progress.wants(logOf(1, 1, 1)), 'append')
  t.end()
})

test('replication waits when too much is unanswered', t => {
  const log = logOf(...Array.from({ length: 40 }, () => 1))
  const progress = replicating(1, log)
  let sent = 0
  for (; progress.wants(log) === 'append'; sent++) progress.sent(progress.next, 10 + sent)
  t.equal(sent, RAFT_APPENDS_IN_FLIGHT)
  t.equal(progress.waitingSince, 10, 'since the oldest')
  progress.accepted(logIndex(3), log, 50)
  t.equal(progress.inFlight, RAFT_APPENDS_IN_FLIGHT - 2)
  t.equal(progress.waitingSince, 50, 'since the last answer')
  t.equal(progress.wants(log), 'append')
  progress.accepted(logIndex(2), log, 51)
  t.deepEqual([progress.match, progress.inFlight], [3, RAFT_APPENDS_IN_FLIGHT - 2], 'an old answer')
  t.end()
})

test('a refusal leads back to a probe', t => {
  const log = logOf(1, 1, 2, 2, 5)
  const progress = replicating(2, log)
  progress.sent(logIndex(3), 0)
  progress.tell(logIndex(2))
  progress.refused(at(4, 3), log)
  t.deepEqual([progress.mode, progress.match, progress.next], ['probe', 2, 5], 'by term')
  t.deepEqual([progress.inFlight, progress.told, progress.wants(log)], [0, 0, 'append'])
  progress.sent(logIndex(5), 1)
  progress.refused(at(4, 2), log)
  t.equal(progress.wants(log), null, 'another refusal of the same kind')
  progress.refused(at(3, 1), log)
  t.equal(progress.next, 3)
  t.end()
})

test('a refusal below what was acknowledged: it is lost', t => {
  const log = logOf(1, 1, 2, 2)
  const progress = replicating(4, log)
  progress.refused(at(1, 1), log)
  t.deepEqual([progress.mode, progress.match, progress.next], ['probe', 1, 2])
  progress.sent(logIndex(4), 0)
  progress.accepted(logIndex(4), log, 0)
  t.deepEqual([progress.mode, progress.match], ['replicate', 4])
  t.end()
})

test('a refusal that names what the leader does not have', t => {
  const log = logOf(1, 1)
  const progress = replicating(2, log)
  progress.refused(at(9, 7), log)
  t.deepEqual([progress.match, progress.next], [2, 3])
  t.end()
})

test('a snapshot, where entries are not there any more', t => {
  const log = logOf(1, 1, 1, 1)
  log.compact({ ...at(3, 1), members: [peer(1)] })
  const progress = new Progress(logIndex(5), 0)
  progress.sent(logIndex(4), 0)
  progress.refused(at(1, 1), log)
  t.equal(progress.wants(log), 'snapshot')
  progress.sentSnapshot(3)
  t.deepEqual([progress.mode, progress.wants(log)], ['snapshot', null])
  progress.refused(at(0, 0), log)
  progress.accepted(logIndex(2), log, 4)
  t.equal(progress.mode, 'snapshot', 'answers to something else')
  progress.startOver()
  t.equal(progress.wants(log), 'snapshot', 'again')
  progress.sentSnapshot(1_003)
  progress.accepted(logIndex(4), log, 1_004)
  t.deepEqual([progress.mode, progress.match, progress.next], ['replicate', 4, 5], 'a newer one')
  t.end()
})

test('starting over', t => {
  const log = logOf(1, 1, 1)
  const progress = replicating(1, log)
  progress.sent(logIndex(2), 0)
  progress.sent(logIndex(3), 0)
  progress.startOver()
  t.deepEqual([progress.mode, progress.next, progress.inFlight], ['probe', 2, 0])
  t.equal(progress.wants(log), 'append')
  t.end()
})

test('when it was heard of, and since when it promises', t => {
  const progress = new Progress(logIndex(1), 3)
  t.deepEqual([progress.heardAt, progress.promisedFrom], [3, -Infinity])
  progress.heard(9)
  progress.promised(5)
  progress.promised(4)
  t.deepEqual([progress.heardAt, progress.promisedFrom], [9, 5], 'answers may come late')
  progress.tell(logIndex(4))
  progress.tell(logIndex(2))
  t.equal(progress.told, 4)
  t.end()
})
