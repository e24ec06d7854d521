// The order in which a change is decided on, and what stops it on the way.
import test from 'tape'
import { epoch, incarnation, shardIndex, volumeId, type PeerId } from '../../../src/base/brands.js'
import { VOTE_DEADLINE_MS, VOTE_ROUNDS_MAX } from '../../../src/base/limits.js'
import { apply } from '../../../src/layout/apply.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { inSync, reallocated } from '../../helpers/configurations.js'
import {
  A,
  ABSTAIN,
  APPROVE,
  B,
  C,
  configuration,
  D,
  DELETE,
  M2,
  M3,
  M4,
  ProposalsBench,
  refuse,
  REMOVE_C,
  said,
  SELF,
} from './proposals-fixture.js'

const ALL_SERVERS = ['storage a@5', 'storage b@5', 'storage c@5']
const ALL_MANAGERS = ['manager 2@5', 'manager 3@5']

test('a decision: rules, storage servers, managers, commit', async t => {
  const bench = new ProposalsBench()
  const order: string[] = []
  bench.onAsked = () => order.push(`epoch ${bench.history.current().epoch}`)
  t.equal(said(await bench.propose(REMOVE_C)), 'committed as 6')
  t.deepEqual([...bench.asked.slice(0, 3)].sort(), ALL_SERVERS, 'd is not touched, so not asked')
  t.deepEqual(bench.asked.slice(3), ALL_MANAGERS)
  t.ok(order.every(at => at === 'epoch 5'))
  const [record] = bench.history.committed
  t.equal(record?.proposer, 'a test')
  const votes = record!.votes.map(({ voter, role, approve }) => `${role} ${voter} ${approve}`)
  t.deepEqual(
    votes.sort(),
    [
      ...[SELF, M2, M3].map(id => `manager ${id} true`),
      ...[A, B, C].map(id => `storage ${id} true`),
    ].sort(),
  )
  t.end()
})

test('a fact is committed without anybody being asked', async t => {
  const bench = new ProposalsBench()
  const record = bench.history.current().servers.get(C)!
  const again: Change = {
    kind: 'server-registered',
    server: { ...record, incarnation: incarnation(2) },
  }
  t.equal(said(await bench.propose(again)), 'committed as 6')
  t.deepEqual(bench.asked, [])
  t.deepEqual(bench.history.committed[0]?.votes, [
    { voter: SELF, role: 'manager', approve: true, policy: false, reason: '' },
  ])
  t.end()
})

test('facts pass a decision that is being voted on', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(M2, 'silent')
  const decision = bench.proposals.propose(DELETE, { proposer: 'x', force: false })
  await bench.clock.until('managers are asked', () => bench.asked.length === 5)
  const manager = { id: M3, addresses: [{ host: 'm', port: 1 }] }
  const fact = await bench.propose({ kind: 'manager-updated', manager })
  t.equal(said(fact), 'committed as 6', 'at once')
  t.equal(bench.clock.now(), 0)
  t.equal(said(await bench.clock.settle('decision', decision)), 'committed as 7')
  t.deepEqual(bench.asked.slice(5).sort(), [
    ...['manager 2@6', 'manager 3@6'],
    ...['storage a@6', 'storage b@6', 'storage c@6'],
  ])
  t.end()
})

test('without leading, nobody is asked', async t => {
  const bench = new ProposalsBench()
  bench.history.lead(M2)
  t.match(said(await bench.propose(REMOVE_C)), /^no-leader: /)
  t.deepEqual(bench.asked, [])
  t.end()
})

test('what the rules refuse is not voted on', async t => {
  const bench = new ProposalsBench()
  const gone = await bench.propose({ kind: 'server-removed', server: M4 })
  t.match(said(gone), /^no-such-server: /)
  t.deepEqual(bench.asked, [])
  t.end()
})

test('a storage server refuses: nothing changes, and no manager is asked', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(B, refuse('it has 3 blocks that nobody else has'))
  t.equal(
    said(await bench.propose(REMOVE_C, true)),
    'refused-by-server: Refused by storage server b: it has 3 blocks that nobody else has.',
    'not even by force',
  )
  t.equal(bench.history.current().epoch, 5)
  t.equal(bench.asked.length, 3)
  t.notOk(bench.proposals.underWay(epoch(5)))
  t.end()
})

test('the last in-sync copy: the server that holds it says so by name', async t => {
  const bench = new ProposalsBench()
  const { volumes, ...rest } = bench.history.current()
  const volume = [...volumes.values()][0]!
  // a and b have restarted since: only c kept what was written.
  const servers = new Map(rest.servers)
  for (const id of [A, B]) servers.set(id, { ...servers.get(id)!, incarnation: incarnation(2) })
  for (const id of [A, B]) bench.connectServer(id, 2)
  bench.history.adopt({ ...rest, servers, volumes: new Map([[volume.id, volume]]) })
  bench.votes.set(A, refuse('without c they would be gone'))
  bench.votes.set(C, refuse('storage server c holds the last copy of 8 shards.'))
  t.equal(
    said(await bench.propose(REMOVE_C, true)),
    'refused-by-server: Refused by storage server c: it holds the last copy of 8 shards.',
  )
  t.deepEqual([...bench.asked].sort(), ALL_SERVERS)
  bench.votes.clear()
  bench.votes.set(C, 'silent')
  t.match(said(await bench.propose(REMOVE_C)), /^data-loss: Without storage server "c", shard 0/)
  t.equal(bench.history.current().epoch, 5)
  t.end()
})

test('a copy that was behind goes on only if its server has looked at it', async t => {
  const bench = new ProposalsBench()
  const current = bench.history.current()
  const next = reallocated(current, 'all', { replicas: inSync(A), stale: [B, C] })
  const servers = new Map(next.servers).set(A, { ...next.servers.get(A)!, state: 'down' })
  const change: Change = {
    ...{ kind: 'shard-promoted', volume: volumeId(1), shard: shardIndex(0), server: C },
    expected: next.epoch,
  }
  bench.history.adopt(next)
  t.match(said(await bench.propose(change)), /^data-loss: .*"a" has an in-sync copy/, 'by rule')
  t.deepEqual(bench.asked, [], 'nobody is asked')
  bench.history.adopt({ ...next, servers })
  bench.peers.disconnect(A)
  t.match(said(await bench.propose(change)), /^no-vote: .*server a is not connected, and may still/)
  bench.leaseOver.add(A)
  bench.votes.set(C, ABSTAIN)
  t.match(said(await bench.propose(change)), /^no-vote: Storage server c did not answer/)
  bench.votes.set(C, APPROVE)
  bench.votes.set(B, refuse('storage server b reaches storage server a'))
  t.match(
    said(await bench.propose(change, true)),
    /^refused-by-server: .* reaches storage server a/,
  )
  bench.votes.delete(B)
  bench.connectServer(A, 2)
  t.match(
    said(await bench.propose(change, true)),
    /^refused-by-manager: .* reaches storage server a/,
  )
  bench.peers.disconnect(A)
  t.equal(said(await bench.propose(change)), 'committed as 7')
  t.end()
})

test('a manager refuses by its own view; --force overrides that and it is kept', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(M3, refuse('volume data needs 3 storage servers', true))
  t.equal(
    said(await bench.propose(REMOVE_C)),
    'refused-by-manager: Refused by manager 30000000: volume data needs 3 storage servers; ' +
      '--force overrides this.',
  )
  t.equal(bench.history.current().epoch, 5)
  t.equal(said(await bench.propose(REMOVE_C, true)), 'committed as 6')
  const kept = bench.history.committed[0]!.votes.find(({ voter }) => voter === M3)
  t.deepEqual(kept, {
    ...{ voter: M3, role: 'manager', approve: false, policy: true },
    reason: 'volume data needs 3 storage servers',
  })
  t.end()
})

test('the leader has an opinion of its own', async t => {
  const bench = new ProposalsBench(configuration())
  t.match(
    said(await bench.propose(REMOVE_C)),
    /^refused-by-manager: Refused by manager 00000000: volume data needs 3 .* there would be 2/,
  )
  t.equal(said(await bench.propose(REMOVE_C, true)), 'committed as 6')
  t.end()
})

test('safety refusals of a manager stand against --force', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(M2, refuse('this release knows better'))
  t.match(said(await bench.propose(DELETE, true)), /manager 20000000: this release knows better\.$/)
  t.end()
})

test('silence is no vote: a majority must be heard, in time', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(M2, 'silent')
  t.equal(said(await bench.propose(DELETE)), 'committed as 6')
  t.equal(bench.clock.now(), VOTE_DEADLINE_MS, 'a connected one is waited for')
  t.notOk(bench.history.committed[0]!.votes.some(({ voter }) => voter === M2))
  bench.votes.set(M3, ABSTAIN)
  const add: Change = { kind: 'manager-added', manager: { id: M4, addresses: [] } }
  bench.peers.connect(M4, ['manager'])
  t.equal(
    said(await bench.propose(add)),
    'no-majority: 1 of 3 managers voted, and 2 must: start managers 20000000 and 30000000 ' +
      'again, or try again when they can be reached.',
  )
  bench.peers.disconnect(M2)
  bench.votes.delete(M3)
  const before = bench.clock.now()
  t.equal(said(await bench.propose(add)), 'committed as 7')
  t.equal(bench.clock.now(), before, 'one that is away is not waited for')
  t.end()
})

test('a newcomer is no member that votes about itself', async t => {
  const bench = new ProposalsBench()
  bench.peers.connect(M4, ['manager'])
  const add: Change = { kind: 'manager-added', manager: { id: M4, addresses: [] } }
  t.equal(said(await bench.propose(add)), 'committed as 6')
  t.deepEqual(bench.asked, ALL_MANAGERS)
  t.end()
})

test('overtaken by another change: all vote again', async t => {
  const bench = new ProposalsBench()
  let overtaken = 0
  bench.onAsked = to => {
    if (to !== M2 || overtaken++ > 0) return
    void bench.proposals.propose(updated(overtaken), { proposer: 'x', force: false })
  }
  t.equal(said(await bench.propose(REMOVE_C)), 'committed as 7')
  t.equal(bench.asked.filter(who => who.endsWith('@5')).length, 5)
  t.equal(bench.asked.filter(who => who.endsWith('@6')).length, 5)
  t.end()
})

test('overtaken again and again: it is given up, with an end', async t => {
  const bench = new ProposalsBench()
  let overtaken = 0
  bench.onAsked = to => {
    if (to !== M2) return
    void bench.proposals.propose(updated(++overtaken), { proposer: 'x', force: false })
  }
  t.match(said(await bench.propose(REMOVE_C)), /^busy: /)
  t.equal(overtaken, VOTE_ROUNDS_MAX)
  t.ok(bench.history.current().servers.has(C))
  t.end()
})

/** A copy on d, by the configuration as it is. */
function moveTo(id: PeerId, { servers, volumes }: Configuration): Change {
  const volume = [...volumes.values()][0]!
  const { epoch: expected, generation, replicas, stale } = volume.shards[0]!
  const { incarnation: start } = servers.get(id)!
  const added = { server: id, state: 'syncing', incarnation: start } as const
  const item = { volume: volume.id, shard: shardIndex(0), expected, generation, stale }
  const shards = [{ ...item, replicas: [...replicas, added] }]
  return { kind: 'shards-moved', reason: 'a test', shards }
}

test('a plan that is overtaken is refused at once, whoever is silent', async t => {
  const bench = new ProposalsBench()
  const plan = moveTo(D, bench.history.current())
  bench.votes.set(B, 'silent')
  const first = bench.proposals.propose(plan, { proposer: 'x', force: false })
  const second = bench.proposals.propose(REMOVE_C, { proposer: 'x', force: false })
  await bench.clock.advance(10)
  await bench.proposals.propose(updated(1), { proposer: 'x', force: false })
  t.match(said(await bench.clock.settle('the plan', first, 10)), /^outdated: .* plan again/)
  t.notOk(bench.proposals.underWay(epoch(5)), 'nobody has to stop serving for it')
  bench.votes.delete(B)
  await bench.clock.settle('the next one has its turn', second, VOTE_DEADLINE_MS)
  bench.history.holds = true
  const waits = bench.proposals.propose(updated(2), { proposer: 'x', force: false })
  const late = moveTo(D, bench.history.current())
  const refusal = bench.proposals.propose(late, { proposer: 'x', force: false })
  t.match(said(await bench.clock.settle('also by what is under way', refusal, 10)), /^outdated/)
  bench.history.release()
  await waits
  t.end()
})

test('a change before it that is not committed in time', async t => {
  const bench = new ProposalsBench()
  bench.history.holds = true
  const first = bench.proposals.propose(updated(1), { proposer: 'x', force: false })
  const second = bench.proposals.propose(REMOVE_C, { proposer: 'x', force: false })
  await bench.clock.advance(VOTE_DEADLINE_MS / 2)
  t.equal(bench.asked.length, 5, 'the next round waits for the commit')
  bench.history.holds = false
  bench.history.release()
  t.equal(said(await bench.clock.settle('first', first)), 'committed as 6')
  t.equal(said(await bench.clock.settle('second', second)), 'committed as 7')
  bench.history.holds = true
  const third = bench.proposals.propose(updated(2), { proposer: 'x', force: false })
  bench.peers.connect(M4, ['manager'])
  const add: Change = { kind: 'manager-added', manager: { id: M4, addresses: [] } }
  t.match(said(await bench.propose(add)), /^busy: /)
  bench.history.release()
  await third
  t.end()
})

test('one decision at a time', async t => {
  const bench = new ProposalsBench()
  bench.votes.set(M2, 'silent')
  const first = bench.proposals.propose(REMOVE_C, { proposer: 'x', force: false })
  const second = bench.proposals.propose(DELETE, { proposer: 'x', force: false })
  await bench.clock.advance(VOTE_DEADLINE_MS - 1)
  t.ok(bench.asked.every(who => who.endsWith('@5')))
  t.equal(bench.asked.length, 5)
  t.equal(said(await bench.clock.settle('first', first)), 'committed as 6')
  t.equal(said(await bench.clock.settle('second', second)), 'committed as 7')
  t.end()
})

test('leadership is lost while it is being voted on, or committed', async t => {
  const voting = new ProposalsBench()
  voting.votes.set(M2, 'silent')
  const first = voting.proposals.propose(DELETE, { proposer: 'x', force: false })
  const queued = voting.proposals.propose(REMOVE_C, { proposer: 'x', force: false })
  await voting.clock.until('asked', () => voting.asked.length === 5)
  voting.history.lead(M2)
  t.match(said(await voting.clock.settle('first', first)), /^no-leader/)
  t.match(said(await voting.clock.settle('queued', queued)), /^no-leader/)
  t.equal(voting.asked.length, 5)

  const committing = new ProposalsBench()
  committing.history.holds = true
  const lost = committing.proposals.propose(DELETE, { proposer: 'x', force: false })
  await committing.clock.until('asked', () => committing.asked.length === 5)
  await committing.clock.advance(1)
  t.ok(committing.proposals.underWay(epoch(5)))
  committing.history.lead(null)
  const error = await lost.then(
    () => null,
    (reason: unknown) => reason,
  )
  t.match(String(error), /may or may not/)
  t.notOk(committing.proposals.underWay(epoch(5)))
  committing.history.holds = false
  committing.history.lead(SELF)
  t.equal(said(await committing.propose(DELETE)), 'committed as 6', 'the queue goes on')
  t.end()
})

function updated(n: number): Change {
  const manager = { id: M3, addresses: [{ host: 'm', port: 1000 + n }] }
  const change: Change = { kind: 'manager-updated', manager }
  if (apply(configuration(), change).kind === 'refused') throw new Error('no such manager')
  return change
}
