// A server from which something is taken must have stopped serving it, or be unable to go on: its
// approval says the one, a lease that is over the other. Silence says nothing.
import test from 'tape'
import { epoch, incarnation, type PeerId } from '../../../src/base/brands.js'
import { PROPOSALS_WAITING_MAX, VOTE_DEADLINE_MS } from '../../../src/base/limits.js'
import type { Change } from '../../../src/layout/change.js'
import type { ServerRecord } from '../../../src/layout/configuration.js'
import {
  A,
  ABSTAIN,
  B,
  C,
  DELETE,
  ProposalsBench,
  refuse,
  REMOVE_C,
  said,
} from './proposals-fixture.js'

test('a silent server that would lose copies stops the change', async t => {
  for (const vote of ['silent', ABSTAIN] as const) {
    const bench = new ProposalsBench()
    bench.votes.set(C, vote)
    t.equal(
      said(await bench.propose(REMOVE_C, true)),
      'no-vote: Storage server c did not answer, and may still serve what it would lose: try ' +
        'again, or stop it first.',
    )
    t.equal(bench.history.current().epoch, 5)
  }
  t.end()
})

test('one that is not connected may serve on as well, until its lease is over', async t => {
  const bench = new ProposalsBench()
  bench.peers.disconnect(C)
  t.match(said(await bench.propose(REMOVE_C)), /^no-vote: Storage server c is not connected.*down/)
  bench.leaseOver.add(C)
  t.equal(said(await bench.propose(REMOVE_C)), 'committed as 6')
  t.notOk(bench.asked.includes('storage c@5'))
  t.end()
})

test('a server that is connected as another start has no vote', async t => {
  const bench = new ProposalsBench()
  bench.connectServer(C, 2)
  t.match(said(await bench.propose(REMOVE_C)), /^no-vote: Storage server c is not connected/)
  t.notOk(bench.asked.includes('storage c@5'))
  t.end()
})

test('a policy refusal that --force overrides is no promise to stop', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(C, refuse('it has no room', true))
  t.match(said(await bench.propose(REMOVE_C)), /^refused-by-server: .*no room; --force overrides/)
  t.match(said(await bench.propose(REMOVE_C, true)), /^no-vote: Storage server c/)
  bench.votes.delete(C)
  bench.votes.set(A, refuse('it has no room', true))
  t.equal(said(await bench.propose(REMOVE_C, true)), 'committed as 6', 'a loses nothing')
  t.deepEqual(
    bench.history.committed[0]!.votes.filter(({ approve }) => !approve),
    [{ voter: A, role: 'storage', approve: false, policy: true, reason: 'it has no room' }],
  )
  t.end()
})

test('of each shard that loses a copy, one in-sync server that remains must agree', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(A, 'silent')
  t.equal(said(await bench.propose(REMOVE_C)), 'committed as 6', 'b speaks for all shards')
  const other = new ProposalsBench()
  other.votes.set(A, 'silent')
  other.votes.set(B, 'silent')
  // Whether they stopped serving does not matter: they lose nothing.
  t.equal(
    said(await other.propose(REMOVE_C, true)),
    'no-vote: No storage server that keeps an in-sync copy of shard 0 of volume data (and 7 ' +
      'more) has agreed: start a or b again, or wait until it can be reached.',
  )
  t.end()
})

test('a server that is recorded as down has lost its copies already', async t => {
  const bench = new ProposalsBench()
  await bench.propose(down(C))
  bench.peers.disconnect(C)
  t.equal(bench.history.current().servers.get(C)?.state, 'down')
  t.equal(said(await bench.propose(REMOVE_C)), 'committed as 7')
  t.end()
})

test('a primary that is to lose its place must stop too, a new primary need not', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(B, 'silent')
  t.equal(said(await bench.propose(REMOVE_C)), 'committed as 6', 'b gets places, loses none')
  t.end()
})

test('deleting a volume waits for nobody that is away', async t => {
  const bench = new ProposalsBench()
  bench.peers.disconnect(C)
  bench.votes.set(B, 'silent')
  t.equal(said(await bench.propose(DELETE)), 'committed as 6')
  t.equal(bench.clock.now(), VOTE_DEADLINE_MS)
  t.end()
})

test('what storage servers stopped for is under way until it is decided', async t => {
  const bench = new ProposalsBench()
  bench.history.holds = true
  const seen: boolean[] = []
  bench.onAsked = () => seen.push(bench.proposals.underWay(epoch(5)))
  t.notOk(bench.proposals.underWay(epoch(5)))
  const result = bench.proposals.propose(REMOVE_C, { proposer: 'x', force: false })
  await bench.clock.advance(1)
  t.deepEqual(seen, [true, true, true, true, true], 'before the first is asked')
  t.ok(bench.proposals.underWay(epoch(5)), 'until it is committed')
  t.notOk(bench.proposals.underWay(epoch(4)))
  bench.history.release()
  t.equal(said(await bench.clock.settle('removed', result)), 'committed as 6')
  t.notOk(bench.proposals.underWay(epoch(5)))
  t.end()
})

test('decisions that wait are limited', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(C, 'silent')
  const how = { proposer: 'x', force: false }
  const all = Array.from({ length: PROPOSALS_WAITING_MAX }, () =>
    bench.proposals.propose(REMOVE_C, how),
  )
  t.match(said(await bench.proposals.propose(REMOVE_C, how)), /^busy: /)
  bench.votes.delete(C)
  const results = await bench.clock.settle('all', Promise.all(all))
  t.equal(results.filter(({ kind }) => kind === 'committed').length, 1)
  t.match(said(results[0]!), /^no-vote/, 'the first was asked while c was silent')
  t.match(said(results.at(-1)!), /^no-such-server/)
  t.match(said(await bench.propose(DELETE)), /^committed/, 'there is room again')
  t.end()
})

function down(server: PeerId): Change {
  const live: ServerRecord['id'][] = [A, B]
  const reason = 'a test'
  return { kind: 'server-down', server, incarnation: incarnation(1), live, reason }
}
