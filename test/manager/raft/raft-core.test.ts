// The core itself, where scenarios and walks do not look: its deadlines and the borders of leases,
// what it asserts, and what it ignores since a peer may send anything.
import test from 'tape'
import type { PeerId } from '../../../src/base/brands.js'
import { LEARNER_GAP_MAX, MANAGERS_MAX, RAFT_LEARNERS_MAX } from '../../../src/base/limits.js'
import { RaftCore } from '../../../src/manager/raft/raft-core.js'
import { logIndex, raftTerm } from '../../../src/manager/raft/raft-log.js'
import type { RaftEffects, RaftEvent } from '../../../src/manager/raft/raft-types.js'
import type { LogEntry, RaftMessage } from '../../../src/net/manager-messages.js'
import { diskWith, peer, TIMINGS } from './raft-group.js'
import { EMPTY_DISK, type RaftDisk } from './raft-node.js'

const NOTHING = new Uint8Array(0)
const [ONE, TWO, THREE] = [peer(1), peer(2), peer(3)]
const { electionMin, electionMax, heartbeat, driftMargin } = TIMINGS

/** Manager 1, whose events come one after the other at times that a test sets. */
class Subject {
  readonly core: RaftCore
  now = 0
  jitter = 0

  constructor(disk: RaftDisk) {
    this.core = new RaftCore({ self: ONE, ...disk }, TIMINGS, { now: 0, jitter: 0 })
  }

  step(event: RaftEvent): RaftEffects {
    return this.core.step(event, { now: this.now, jitter: this.jitter })
  }

  receive(from: PeerId, message: RaftMessage): RaftEffects {
    return this.step({ kind: 'message', from, message })
  }

  propose(members: readonly PeerId[] | null = null): RaftEffects {
    return this.step({ kind: 'propose', entries: [{ members, data: NOTHING }] })
  }

  /** From manager 2. */
  append(term: number, previous: number, entries: readonly LogEntry[]): RaftEffects {
    return this.receive(TWO, {
      kind: 'append',
      term: raftTerm(term),
      previousIndex: logIndex(previous),
      previousTerm: this.core.entry(logIndex(previous))?.term ?? raftTerm(0),
      commit: logIndex(0),
      entries,
    })
  }

  accept(from: PeerId, index = this.core.lastIndex): RaftEffects {
    const { term } = this.core
    const hintTerm = raftTerm(0)
    return this.receive(from, { kind: 'append-reply', term, accepted: true, index, hintTerm })
  }

  answerHeartbeat(from: PeerId, sentAt: number): RaftEffects {
    return this.receive(from, { kind: 'heartbeat-reply', term: this.core.term, sentAt })
  }
}

function entry(index: number, term: number): LogEntry {
  return { index: logIndex(index), term: raftTerm(term), members: null, data: NOTHING }
}

/** Leads {1 2 3} in term 2, its first entry durable everywhere. */
function leader(members: readonly PeerId[] = [ONE, TWO, THREE]): Subject {
  const subject = new Subject(diskWith(members, [1]))
  subject.now = electionMin
  subject.step({ kind: 'tick' })
  const vote = { kind: 'vote-reply', term: raftTerm(2), granted: true } as const
  for (const from of members.slice(1)) subject.receive(from, { ...vote, pre: true })
  for (const from of members.slice(1)) subject.receive(from, { ...vote, pre: false })
  const { lastIndex, term } = subject.core
  subject.step({ kind: 'persisted', index: lastIndex, term })
  for (const from of members.slice(1)) subject.accept(from)
  return subject
}

test('what was durable at the start', t => {
  const { core } = new Subject({ ...diskWith([ONE, TWO], [1, 1, 3]), commit: logIndex(2) })
  t.deepEqual(core.hardState, { term: 3, vote: null })
  t.deepEqual([core.role, core.term, core.commit, core.lastIndex], ['follower', 3, 2, 3])
  t.deepEqual([core.members, core.leader], [[ONE, TWO], null])
  t.equal(core.entry(logIndex(3))?.term, 3)
  t.deepEqual(
    core.entriesAfter(logIndex(1)).map(({ index }) => index),
    [2, 3],
  )
  const lost = new Subject({ ...diskWith([ONE], [1]), commit: logIndex(9) })
  t.equal(lost.core.commit, 1, 'a disk that lost the end of its log')
  const forgetful = { ...diskWith([ONE], [4]), hardState: { term: raftTerm(3), vote: null } }
  t.throws(() => new Subject(forgetful), /never heard of/)
  t.end()
})

test('when the next tick means something', t => {
  const follower = new Subject(diskWith([ONE, TWO], [1]))
  t.equal(follower.core.deadline, electionMin)
  follower.now = 10
  follower.jitter = 0.999
  follower.append(1, 1, [])
  t.equal(
    follower.core.deadline,
    10 + electionMin + Math.floor(0.999 * (electionMax - electionMin)),
  )
  t.equal(new Subject(EMPTY_DISK).core.deadline, null, 'a manager without a log waits')
  t.equal(new Subject(diskWith([TWO], [1])).core.deadline, null, 'and so does who is no member')
  const alone = new Subject(diskWith([ONE], [1]))
  t.equal(alone.core.deadline, 0, 'who is alone need not wait')
  alone.step({ kind: 'tick' })
  t.deepEqual([alone.core.role, alone.core.deadline], ['leader', null], 'nor send heartbeats')
  const { core, now } = leader()
  t.equal(core.deadline, now + heartbeat)
  t.end()
})

test('a tick that comes too early changes nothing', t => {
  const subject = new Subject(diskWith([ONE, TWO], [1]))
  subject.now = electionMin - 1
  const effects = subject.step({ kind: 'tick' })
  t.deepEqual(effects, { hardState: null, snapshot: null, entries: [], send: [], commit: null })
  t.equal(subject.core.role, 'follower')
  t.end()
})

test('a lease counts from when heartbeats were sent, and ends before others can be elected', t => {
  const subject = leader()
  const { core, now } = subject
  t.notOk(core.leaseValid(now), 'nobody has promised anything')
  subject.now = now + 40
  subject.answerHeartbeat(TWO, now + 41)
  t.notOk(core.leaseValid(now), 'an answer from the future')
  subject.answerHeartbeat(TWO, now)
  const end = now + electionMin - driftMargin
  t.ok(core.leaseValid(end - 1))
  t.notOk(core.leaseValid(end))
  subject.answerHeartbeat(THREE, now + 20)
  t.ok(core.leaseValid(end + 19), 'one of the others is enough')
  subject.answerHeartbeat(TWO, now - 10)
  t.ok(core.leaseValid(end + 19), 'a late answer takes nothing back')
  t.end()
})

test('a lease of four needs two others', t => {
  const subject = leader([ONE, TWO, THREE, peer(4)])
  const { core, now } = subject
  subject.answerHeartbeat(TWO, now)
  t.notOk(core.leaseValid(now))
  subject.answerHeartbeat(peer(4), now)
  t.ok(core.leaseValid(now))
  subject.step({ kind: 'transfer', to: TWO })
  t.ok(core.transferring)
  t.notOk(core.leaseValid(now), 'given up for a transfer')
  t.end()
})

test('only a leader proposes', t => {
  const subject = new Subject(diskWith([ONE, TWO], [1]))
  t.throws(() => subject.propose(), /only a leader proposes/)
  t.end()
})

test('what only a leader can do is ignored elsewhere', t => {
  const subject = new Subject(diskWith([ONE, TWO], [1]))
  for (const event of [
    { kind: 'add-learner', peer: THREE },
    { kind: 'remove-learner', peer: THREE },
    { kind: 'transfer', to: TWO },
    { kind: 'reconnected', peer: TWO },
    { kind: 'persisted', index: logIndex(1), term: raftTerm(1) },
  ] as const) {
    t.deepEqual(subject.step(event).send, [], event.kind)
  }
  t.deepEqual([subject.core.match(THREE), subject.core.mayAdd(THREE)], [null, false])
  t.deepEqual([subject.core.settled, subject.core.mayChangeMembers], [false, false])
  t.end()
})

test('effects of a leader that is alone come in order, and its own copy counts when durable', t => {
  const alone = new Subject(diskWith([ONE], [1]))
  const effects = alone.step({ kind: 'tick' })
  t.deepEqual(effects.hardState, { term: 2, vote: ONE })
  t.deepEqual(effects.entries, [entry(2, 2)])
  t.equal(effects.commit, null)
  const older = alone.step({ kind: 'persisted', index: logIndex(2), term: raftTerm(1) })
  t.equal(older.commit, null, 'another entry of that index is durable')
  const done = alone.step({ kind: 'persisted', index: logIndex(2), term: raftTerm(2) })
  t.equal(done.commit, 2)
  t.ok(alone.core.settled)
  t.end()
})

test('learners', t => {
  const subject = leader([ONE])
  const { core } = subject
  for (let i = 0; i < LEARNER_GAP_MAX + 1; i++) subject.propose()
  subject.step({ kind: 'persisted', index: core.lastIndex, term: core.term })
  subject.step({ kind: 'add-learner', peer: ONE })
  t.equal(core.match(ONE), null, 'not oneself')
  const { send } = subject.step({ kind: 'add-learner', peer: TWO })
  t.deepEqual(
    send.map(({ to, message }) => `${to} ${message.kind}`),
    ['2 append'],
  )
  t.equal(core.match(TWO), 0)
  t.equal(core.follower(TWO)?.mode, 'probe')
  t.notOk(core.mayAdd(TWO), 'it knows nothing')
  t.throws(() => subject.propose([ONE, TWO]), /knows the log/)
  subject.accept(TWO, logIndex(core.lastIndex - LEARNER_GAP_MAX - 1))
  t.notOk(core.mayAdd(TWO), 'it lacks too much')
  subject.accept(TWO, logIndex(core.lastIndex - LEARNER_GAP_MAX))
  t.equal(core.match(TWO), core.lastIndex - LEARNER_GAP_MAX)
  t.ok(core.mayAdd(TWO))
  subject.accept(TWO, logIndex(core.lastIndex + 1))
  t.equal(core.match(TWO), core.lastIndex - LEARNER_GAP_MAX, 'it cannot have what nobody sent')
  subject.step({ kind: 'remove-learner', peer: TWO })
  t.equal(core.match(TWO), null)
  t.end()
})

test('there are not too many learners', t => {
  const subject = leader()
  const { core } = subject
  const learners = Array.from({ length: RAFT_LEARNERS_MAX + 1 }, (_, i) => peer(10 + i))
  for (const learner of learners) subject.step({ kind: 'add-learner', peer: learner })
  t.deepEqual(
    learners.map(learner => core.match(learner)),
    learners.map((_, i) => (i < RAFT_LEARNERS_MAX ? 0 : null)),
  )
  subject.step({ kind: 'remove-learner', peer: TWO })
  t.equal(core.match(TWO), 2, 'members stay')
  // Whoever was removed and does not know it gives its place to somebody who comes.
  subject.step({ kind: 'remove-learner', peer: learners[0]! })
  subject.propose([ONE, TWO])
  t.equal(core.match(THREE), 2)
  subject.step({ kind: 'add-learner', peer: learners[RAFT_LEARNERS_MAX]! })
  t.deepEqual([core.match(THREE), core.match(learners[RAFT_LEARNERS_MAX]!)], [null, 0])
  t.end()
})

test('there are not too many members', t => {
  const members = Array.from({ length: MANAGERS_MAX }, (_, i) => peer(i + 1))
  const subject = leader(members)
  const other = peer(MANAGERS_MAX + 1)
  subject.step({ kind: 'add-learner', peer: other })
  subject.accept(other)
  t.ok(subject.core.mayChangeMembers)
  t.notOk(subject.core.mayAdd(other))
  t.end()
})

test('one change of membership at a time', t => {
  const subject = leader()
  subject.propose([ONE, TWO])
  t.notOk(subject.core.mayChangeMembers)
  t.throws(() => subject.propose([ONE]), /one change of membership at a time/)
  const transferring = leader()
  transferring.step({ kind: 'transfer', to: TWO })
  t.notOk(transferring.core.mayChangeMembers, 'nor while giving its place away')
  t.end()
})

test('answers of an older term say nothing', t => {
  const subject = leader()
  const { core, now } = subject
  subject.propose()
  const [term, hintTerm] = [raftTerm(1), raftTerm(0)]
  const reply = { kind: 'append-reply', term, accepted: true, hintTerm } as const
  subject.receive(TWO, { ...reply, index: core.lastIndex })
  t.equal(core.match(TWO), core.lastIndex - 1)
  subject.receive(TWO, { kind: 'heartbeat-reply', term, sentAt: now })
  t.notOk(core.leaseValid(now))
  subject.accept(TWO)
  subject.answerHeartbeat(TWO, now)
  t.equal(core.match(TWO), core.lastIndex, 'unlike those of its own term')
  t.ok(core.leaseValid(now))
  t.end()
})

test('a vote is durable, also if its term was', t => {
  const subject = new Subject(diskWith([ONE, TWO, THREE], [1, 1]))
  subject.now = electionMin
  const request = { kind: 'vote-request', term: raftTerm(2), pre: false, takeOver: false } as const
  const behind = { ...request, lastIndex: logIndex(1), lastTerm: raftTerm(1) }
  t.deepEqual(subject.receive(TWO, behind).hardState, { term: 2, vote: null }, 'refused')
  const newer = { ...request, lastIndex: logIndex(2), lastTerm: raftTerm(1) }
  const effects = subject.receive(THREE, newer)
  t.deepEqual(effects.hardState, { term: 2, vote: THREE })
  t.deepEqual(
    effects.send.map(({ message, urgent }) => [message, urgent]),
    [[{ kind: 'vote-reply', term: 2, pre: false, granted: true }, false]],
    'and nobody hears of it before',
  )
  const again = subject.receive(THREE, newer)
  t.deepEqual([again.hardState, again.send.length], [null, 1], 'the same answer again')
  t.end()
})

test('invariants stop the process', t => {
  const second = leader()
  const { term } = second.core
  const sentAt = 0
  const beat = { kind: 'heartbeat', term, commit: logIndex(0), sentAt } as const
  t.throws(() => second.receive(TWO, beat), /two leaders/)
  const follower = new Subject(diskWith([ONE, TWO, THREE], [1]))
  follower.receive(TWO, beat)
  t.throws(() => follower.receive(THREE, beat), /one leader in a term/)
  t.throws(() => follower.receive(ONE, beat), /nobody writes to oneself/)
  const committed = new Subject({ ...diskWith([ONE, TWO], [1, 1]), commit: logIndex(2) })
  t.throws(() => committed.append(2, 1, [entry(2, 2)]), /never replaced/)
  const message = { kind: 'append', commit: logIndex(0), term: raftTerm(2), entries: [] } as const
  const previous = { previousIndex: logIndex(2), previousTerm: raftTerm(2) }
  t.throws(
    () => committed.receive(TWO, { ...message, ...previous }),
    /everything that is committed/,
  )
  const snapshot = { index: logIndex(3), term: raftTerm(1), members: [ONE, TWO] }
  t.throws(() => committed.step({ kind: 'compacted', snapshot }), /only what is committed/)
  committed.now = 5
  committed.step({ kind: 'tick' })
  committed.now = 4
  t.throws(() => committed.step({ kind: 'tick' }), /runs forward/)
  t.end()
})

test('malformed messages are ignored', t => {
  const subject = new Subject(diskWith([ONE, TWO], [1]))
  const ignored = (entries: readonly LogEntry[], what: string): void => {
    const { send, entries: appended } = subject.append(3, 1, entries)
    t.deepEqual([send, appended], [[], []], what)
  }
  ignored([entry(3, 1)], 'a gap')
  ignored([entry(2, 2), entry(4, 2)], 'a gap between entries')
  ignored([entry(2, 2), entry(3, 1)], 'terms that go down')
  ignored([entry(2, 4)], 'a term beyond that of the message')
  ignored([{ ...entry(2, 2), members: [] }], 'nobody votes')
  const snapshot = { index: logIndex(5), term: raftTerm(2), members: [], data: NOTHING }
  const message = { kind: 'snapshot', term: raftTerm(3), snapshot } as const
  t.equal(subject.receive(TWO, message).snapshot, null, 'a snapshot where nobody votes')
  const newer = { ...snapshot, members: [ONE], term: raftTerm(4) }
  const effects = subject.receive(TWO, { ...message, snapshot: newer })
  t.equal(effects.snapshot, null, 'a snapshot of a later term')
  t.end()
})

test('a place is taken over from the leader of the term only', t => {
  const subject = new Subject(diskWith([ONE, TWO, THREE], [1]))
  const takeOver = { kind: 'take-over', term: raftTerm(1) } as const
  subject.receive(TWO, takeOver)
  t.equal(subject.core.role, 'follower', 'no leader is known')
  subject.append(1, 1, [])
  subject.receive(THREE, takeOver)
  t.equal(subject.core.role, 'follower', 'not from somebody else')
  subject.receive(TWO, { ...takeOver, term: raftTerm(0) })
  t.equal(subject.core.role, 'follower', 'not in an older term')
  const { send, hardState } = subject.receive(TWO, takeOver)
  t.equal(subject.core.role, 'candidate')
  t.deepEqual(hardState, { term: 2, vote: ONE })
  t.deepEqual(
    send.map(({ message, urgent }) => [
      message.kind,
      'takeOver' in message && message.takeOver,
      urgent,
    ]),
    [
      ['vote-request', true, false],
      ['vote-request', true, false],
    ],
  )
  t.end()
})

test('what goes ahead of the disk', t => {
  const subject = leader()
  const { send } = subject.propose()
  t.deepEqual(
    send.map(({ message, urgent }) => [message.kind, urgent]),
    [
      ['append', true],
      ['append', true],
    ],
    'entries: the own copy is counted by itself',
  )
  const follower = new Subject(diskWith([ONE, TWO], [1]))
  const [reply] = follower.append(1, 1, [entry(2, 1)]).send
  t.deepEqual([reply?.message.kind, reply?.urgent], ['append-reply', false])
  const beat = { kind: 'heartbeat', term: raftTerm(1), commit: logIndex(0), sentAt: 3 } as const
  const [answer] = follower.receive(TWO, beat).send
  t.deepEqual(answer?.message, { kind: 'heartbeat-reply', term: 1, sentAt: 3 })
  t.ok(answer?.urgent)
  t.end()
})
