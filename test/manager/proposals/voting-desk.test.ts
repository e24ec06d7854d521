// A manager that is asked for its vote, at the configuration that it is asked about or not.
import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import { VOTE_DEADLINE_MS } from '../../../src/base/limits.js'
import { VotingDesk } from '../../../src/manager/proposals/voting-desk.js'
import type { ProposalVoteReply } from '../../../src/net/manager-messages.js'
import { ScriptedPeers } from '../../helpers/scripted-peers.js'
import { testCluster } from '../../helpers/configurations.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { FakeHistory } from './fake-history.js'
import { A, B, C, configuration, D, fourServers, REMOVE_C, SELF } from './proposals-fixture.js'

class Desk {
  readonly clock = new VirtualClock()
  readonly peers = new ScriptedPeers(this.clock)
  readonly history = new FakeHistory(SELF, fourServers())
  readonly desk = new VotingDesk(this)

  constructor() {
    for (const id of [A, B, C, D]) this.peers.connect(id, ['storage'])
  }

  vote(base: number): Promise<ProposalVoteReply> {
    const vote = this.desk.vote({ base: epoch(base), change: REMOVE_C })
    return this.clock.settle('vote', vote, VOTE_DEADLINE_MS)
  }
}

test('a manager votes by its own view', async t => {
  const bench = new Desk()
  t.deepEqual(await bench.vote(5), { vote: 'approve', policy: false, reason: '' })
  bench.peers.disconnect(D)
  const refusal = await bench.vote(5)
  t.equal(refusal.vote, 'refuse')
  t.ok(refusal.policy)
  t.match(refusal.reason, /manager 00000000 reaches 2 without c/)
  bench.peers.connect(D, ['storage'], { cluster: testCluster(2) })
  t.equal((await bench.vote(5)).vote, 'refuse', 'a server of another cluster is none')
  bench.peers.connect(D, ['storage'], { cluster: testCluster(1) })
  t.equal((await bench.vote(5)).vote, 'approve')
  t.end()
})

test('it waits a moment for the configuration it is asked about', async t => {
  const bench = new Desk()
  const vote = bench.desk.vote({ base: epoch(6), change: REMOVE_C })
  await bench.clock.advance(VOTE_DEADLINE_MS / 4)
  bench.history.adopt(fourServers({ epoch: epoch(6) }))
  t.equal((await bench.clock.settle('vote', vote)).vote, 'approve')
  t.equal(bench.clock.now(), VOTE_DEADLINE_MS / 4)
  t.end()
})

test('it abstains about configurations that it does not have', async t => {
  const bench = new Desk()
  t.equal((await bench.vote(4)).vote, 'abstain', 'it knows a newer one')
  t.equal(bench.clock.now(), 0)
  t.equal((await bench.vote(6)).vote, 'abstain', 'it did not come')
  t.ok(bench.clock.now() < VOTE_DEADLINE_MS, 'and says so in time')
  const skipped = bench.desk.vote({ base: epoch(6), change: REMOVE_C })
  bench.history.adopt(fourServers({ epoch: epoch(8) }))
  t.equal((await bench.clock.settle('vote', skipped)).vote, 'abstain')
  t.end()
})

test('what the rules of this manager do not allow is refused for good', async t => {
  const bench = new Desk()
  const { servers, ...rest } = configuration()
  const without = new Map(servers)
  without.delete(C)
  bench.history.adopt({ ...rest, servers: without, volumes: new Map() })
  const { vote, policy, reason } = await bench.vote(5)
  t.equal(vote, 'refuse')
  t.notOk(policy)
  t.match(reason, /no storage server of this cluster/)
  t.end()
})
