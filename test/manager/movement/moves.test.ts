// What the leader does about copies: when it proposes moves, what it does when one is refused, and
// for how long it waits for servers that are down.
import test from 'tape'
import { incarnation, type Incarnation, type PeerId } from '../../../src/base/brands.js'
import { MOVES_RETRY_MS, VOTE_DEADLINE_MS } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import type { Change, ChangeOf } from '../../../src/layout/change.js'
import type { ProposalResult } from '../../../src/manager/history/configuration-history.js'
import { Moves } from '../../../src/manager/movement/moves.js'
import { clusterWithVolume, downOf, must, server, serverId } from '../../layout/clusters.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { FakeHistory } from '../proposals/fake-history.js'
import { M2, SELF } from '../proposals/proposals-fixture.js'

const [A, B, C, D, E] = [1, 2, 3, 4, 5].map(serverId) as [PeerId, PeerId, PeerId, PeerId, PeerId]
const REBUILD_AFTER = 60_000
const START = [4, 5].reduce(
  (now, n) => must(now, { kind: 'server-registered', server: server(n) }),
  clusterWithVolume(),
)
const DRAIN_A: Change = { kind: 'server-state', server: A, state: 'draining' }

/** One more epoch. */
const nothingMuch = (port: number): Change => ({
  kind: 'server-registered',
  server: server(5, { addresses: [{ host: 'h', port }] }),
})

type Moved = ChangeOf<'shards-moved'>

class Bench {
  readonly clock = new VirtualClock()
  readonly history: FakeHistory
  readonly moves: Moves
  readonly proposed: Moved[] = []
  readonly away = new Set<PeerId>()
  /** Null: it is committed. */
  answer: (change: Moved) => Extract<ProposalResult, { kind: 'refused' }> | null = () => null

  constructor({ start = START, restarts = false } = {}) {
    // As if it had seen the servers join, and the volume come after them.
    this.history = new FakeHistory(SELF, restarts ? start : { ...start, volumes: new Map() })
    const { clock, history } = this
    this.moves = new Moves({
      ...{ clock, history, log: silentLog, rebuildAfter: REBUILD_AFTER },
      connected: () => this.#connected(),
      propose: change => this.#propose(change as Moved),
    })
    history.adopt(start)
    history.subscribe(() => this.moves.consider())
    history.onLeadership(() => this.moves.consider())
  }

  #connected(): ReadonlyMap<PeerId, Incarnation> {
    const ids = [...this.history.current().servers.keys()].filter(id => !this.away.has(id))
    return new Map(ids.map(id => [id, incarnation(1)]))
  }

  #propose(change: Moved): Promise<ProposalResult> {
    this.proposed.push(change)
    const refusal = this.answer(change)
    if (refusal) return Promise.resolve(refusal)
    return this.history.propose(change, { proposer: 'a test', votes: [] })
  }

  async commit(change: Change): Promise<void> {
    await this.history.propose(change, { proposer: 'a test', votes: [] })
    await this.clock.advance(1)
  }

  /** Servers that have got a new copy by what was proposed. */
  get targets(): readonly string[] {
    const { servers } = this.history.current()
    const found = this.proposed.flatMap(({ shards }) =>
      shards.flatMap(({ replicas }) => replicas.filter(({ state }) => state === 'syncing')),
    )
    return [...new Set(found.map(({ server: id }) => servers.get(id)!.name))].sort()
  }

  end(): Promise<void> {
    return this.moves.stop()
  }
}

const refusedBy = (by: PeerId): Extract<ProposalResult, { kind: 'refused' }> => ({
  ...{ kind: 'refused', code: 'refused-by-server', reason: 'No room.' },
  by,
})

test('a server that is emptied gives rise to moves, one plan at a time', async t => {
  const bench = new Bench()
  bench.moves.consider()
  await bench.clock.advance(1)
  t.equal(bench.proposed.length, 0, 'nothing is to be done')
  await bench.commit(DRAIN_A)
  t.equal(bench.proposed.length, 1)
  t.equal(bench.proposed[0]!.shards.length, 4, 'as many as may move at once')
  await bench.clock.advance(100_000)
  t.equal(bench.proposed.length, 1, 'then it waits for them')
  await bench.end()
  t.end()
})

test('only the leader proposes', async t => {
  const bench = new Bench()
  bench.history.lead(M2)
  bench.history.adopt(must(bench.history.current(), DRAIN_A))
  await bench.clock.advance(1)
  t.equal(bench.proposed.length, 0)
  bench.history.lead(SELF)
  await bench.clock.advance(1)
  t.equal(bench.proposed.length, 1, 'also what another leader left')
  await bench.end()
  t.end()
})

test('whoever refuses a copy is passed over for a while', async t => {
  const bench = new Bench()
  const takes = ({ shards }: Moved): boolean =>
    shards.some(({ replicas }) => replicas.some(({ server: id }) => id === D))
  bench.answer = change => (takes(change) ? refusedBy(D) : null)
  await bench.commit(DRAIN_A)
  t.equal(bench.proposed.length, 2)
  t.notOk(takes(bench.proposed[1]!), 'the next plan is without it')
  bench.answer = () => null
  await bench.clock.advance(MOVES_RETRY_MS + 1)
  await bench.end()
  t.end()
})

test('a refusal is followed by another try, later', async t => {
  const bench = new Bench()
  const no = { kind: 'refused', code: 'no-vote', reason: 'b did not answer.' } as const
  bench.answer = () => no
  await bench.commit(DRAIN_A)
  const first = bench.proposed.length
  t.equal(first, 5, 'all in one, then each by itself')
  await bench.commit({ kind: 'server-registered', server: server(6) })
  t.equal(bench.proposed.length, first, 'not with every event')
  bench.answer = () => null
  await bench.clock.advance(MOVES_RETRY_MS)
  t.ok(bench.proposed.length > first, 'but after a while')
  t.ok(bench.history.committed.some(({ change }) => change.kind === 'shards-moved'))
  await bench.end()
  t.end()
})

test('a plan that was overtaken is made again, a few times', async t => {
  const bench = new Bench()
  const outdated = { kind: 'refused', code: 'outdated', reason: 'Plan again.' } as const
  let left = 2
  bench.answer = () => {
    if (left-- === 0) return null
    bench.history.adopt(must(bench.history.current(), nothingMuch(left + 10)))
    return outdated
  }
  await bench.commit(DRAIN_A)
  t.equal(bench.proposed.length, 3, 'at once, with the next epoch')
  const bench2 = new Bench()
  bench2.answer = () => outdated
  await bench2.commit(DRAIN_A)
  t.equal(bench2.proposed.length, 1, 'what came first is not committed yet')
  await bench2.clock.advance(VOTE_DEADLINE_MS)
  t.equal(bench2.proposed.length, 2, 'and may never be')
  await bench.end()
  await bench2.end()
  t.end()
})

test('a server that is down is replaced when it has been for long enough', async t => {
  const bench = new Bench()
  bench.away.add(A)
  await bench.commit(downOf(START, A, B, C, D, E))
  await bench.clock.advance(REBUILD_AFTER - 100)
  t.equal(bench.proposed.length, 0)
  await bench.clock.advance(200)
  t.deepEqual(bench.targets, ['s4', 's5'])
  await bench.end()
  t.end()
})

test('one that comes back in time is not, and a new leader counts anew', async t => {
  const bench = new Bench()
  bench.away.add(A)
  await bench.commit(downOf(START, A, B, C, D, E))
  await bench.clock.advance(REBUILD_AFTER / 2)
  bench.history.lead(M2)
  bench.history.lead(SELF)
  await bench.clock.advance(REBUILD_AFTER - 100)
  t.equal(bench.proposed.length, 0, 'nothing yet')
  const record = bench.history.current().servers.get(A)!
  await bench.commit({ kind: 'server-registered', server: { ...record, state: 'up' } })
  await bench.clock.advance(2 * REBUILD_AFTER)
  t.equal(bench.proposed.length, 0, 'it is back')
  await bench.end()
  t.end()
})

test('a new server gets its share, one that was there does not', async t => {
  const bench = new Bench()
  await bench.commit({ kind: 'server-registered', server: server(6) })
  t.deepEqual(bench.targets, ['s6'], 'the two that hold nothing since long are left alone')
  await bench.end()
  t.end()
})

test('a manager that has started sees who is far behind its share', async t => {
  const bench = new Bench({ restarts: true })
  bench.moves.consider()
  await bench.clock.advance(1)
  t.deepEqual(bench.targets, ['s4', 's5'])
  await bench.end()
  t.end()
})
