// Leases over the changes of leaders, and servers that are declared down, with a history that
// commits when the test says so.
import test from 'tape'
import { epoch, incarnation, type PeerId } from '../../../src/base/brands.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { DOWN_RETRY_MS, LEASE_MARGIN_MS, LEASE_MS } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import type { Change, ChangeOf } from '../../../src/layout/change.js'
import { FailureDetection } from '../../../src/manager/leases/failure-detection.js'
import type { ProposalResult } from '../../../src/manager/history/configuration-history.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { FakeHistory } from '../proposals/fake-history.js'
import { A, B, C, D, fourServers, M2, SELF } from '../proposals/proposals-fixture.js'

const END = LEASE_MS + LEASE_MARGIN_MS

const stopped = (start: number) => ({ incarnation: incarnation(start), reason: 'it was stopped' })

class Bench {
  readonly clock = new VirtualClock()
  readonly history = new FakeHistory(SELF, fourServers())
  readonly proposed: ChangeOf<'server-down'>[] = []
  readonly underWay = new Set<number>()
  news = 0
  /** Instead of what the history answers. */
  answer: ProposalResult | null = null
  readonly detection = new FailureDetection({
    ...{ self: SELF, clock: this.clock, log: silentLog, history: this.history },
    underWay: base => this.underWay.has(base),
    propose: (change, proposer) => {
      this.proposed.push(change as ChangeOf<'server-down'>)
      if (this.answer) return Promise.resolve(this.answer)
      return this.history.propose(change, { proposer, votes: [] })
    },
  })

  constructor() {
    this.detection.subscribe(() => this.news++)
  }

  beat(id: PeerId, fields: { start?: number; fenced?: number } = {}): string {
    const reply = this.detection.heartbeat(
      { incarnation: incarnation(fields.start ?? 1), fenced: epoch(fields.fenced ?? 0) },
      { id },
    )
    return reply.kind === 'granted' ? `granted ${reply.epoch}/${reply.released}` : reply.kind
  }

  /** These servers send their heartbeats for a time, every 500 ms. */
  async beats(ids: readonly PeerId[], time: number): Promise<void> {
    for (let left = time; left > 0; left -= 500) {
      for (const id of ids) this.beat(id)
      await this.clock.advance(Math.min(500, left))
    }
  }

  register(id: PeerId, start = 1): Promise<ProposalResult> {
    const record = this.history.current().servers.get(id)!
    const server = { ...record, state: 'up' as const, incarnation: incarnation(start) }
    const change: Change = { kind: 'server-registered', server }
    return this.history.propose(change, { proposer: 'x', votes: [] })
  }

  get live(): string {
    const names = [...this.detection.live().keys()].map(id => id.slice(-1))
    return names.sort().join('')
  }

  stateOf(id: PeerId): string | undefined {
    return this.history.current().servers.get(id)?.state
  }
}

test('heartbeats earn leases, at a leader that is confirmed', t => {
  const bench = new Bench()
  t.equal(bench.beat(A), 'granted 5/0')
  t.equal(bench.beat(M2), 'unregistered', 'nobody knows it')
  t.equal(bench.beat(A, { start: 2 }), 'unregistered', 'another start')
  bench.history.lease = false
  t.equal(bench.beat(B), 'no-leader')
  t.equal(bench.beat(A, { start: 2 }), 'no-leader', 'a leader of the past says nothing')
  bench.history.lease = true
  bench.history.lead(M2)
  t.equal(bench.beat(A), 'no-leader')
  t.equal(bench.live, '')
  bench.detection.stop()
  t.end()
})

test('who is live, and who hears of it', async t => {
  const bench = new Bench()
  t.equal(bench.live, '')
  bench.beat(A)
  bench.beat(A)
  t.equal(bench.news, 1, 'when a server becomes live')
  bench.detection.registered(B)
  t.equal(bench.live, 'ab', 'registering is as good')
  t.equal(bench.news, 2)
  await bench.clock.advance(LEASE_MS)
  t.equal(bench.live, '')
  bench.beat(A)
  t.equal(bench.live, 'a')
  t.equal(bench.news, 3)
  bench.detection.stop()
  t.end()
})

test('a server that says that it is being stopped is declared down at once', async t => {
  const bench = new Bench()
  for (const id of [A, B, C, D]) bench.beat(id)
  t.notOk(await bench.detection.left(C, stopped(2)), 'not another start')
  t.ok(await bench.detection.left(C, stopped(1)))
  const [change] = bench.proposed
  t.equal(change?.server, C)
  t.deepEqual([...(change?.live ?? [])].sort(), [A, B, D].sort(), 'the others live')
  t.match(change?.reason ?? '', /was stopped/)
  t.equal(bench.stateOf(C), 'down')
  t.equal(bench.beat(C), 'unregistered', 'a heartbeat that comes late earns no lease')
  bench.history.lead(M2)
  t.notOk(await bench.detection.left(A, stopped(1)), 'only the leader decides')
  bench.detection.stop()
})

test('a server that is not heard of is declared down, when its lease is over', async t => {
  const bench = new Bench()
  await bench.beats([A, B, C, D], 1000)
  // The last of c was heard at 500.
  await bench.beats([A, B, D], END - 501)
  t.deepEqual(bench.proposed, [])
  t.notOk(bench.detection.leaseOver(C))
  await bench.beats([A, B, D], 1)
  const { reason, live, ...rest } = bench.proposed[0]!
  t.deepEqual(rest, { kind: 'server-down', server: C, incarnation: incarnation(1) })
  t.deepEqual([...live].sort(), [A, B, D])
  t.equal(reason, 'nothing was heard of it for 3.3 s')
  t.equal(bench.stateOf(C), 'down')
  t.ok(bench.detection.leaseOver(C))
  t.notOk(bench.detection.leaseOver(A))
  t.equal(bench.beat(C), 'unregistered')
  await bench.beats([A, B, D], 20_000)
  t.equal(bench.proposed.length, 1, 'once')

  await bench.register(C)
  t.equal(bench.beat(C), 'granted 7/0', 'registered again')
  t.notOk(bench.detection.leaseOver(C))
  await bench.beats([A, B, D], END)
  t.equal(bench.proposed.length, 2, 'and watched again')
  bench.detection.stop()
  t.end()
})

test('from the decision on there is no lease, committed or not', async t => {
  const bench = new Bench()
  bench.history.holds = true
  await bench.beats([A, B, D], END)
  t.equal(bench.stateOf(C), 'up', 'not committed yet')
  t.equal(bench.beat(C), 'unregistered')
  bench.detection.registered(C)
  t.equal(bench.beat(C), 'unregistered', 'that nothing of its record changed is no registration')
  t.equal(bench.live, 'abd')
  t.ok(bench.detection.leaseOver(C))
  const registering = bench.register(C)
  t.equal(bench.beat(C), 'unregistered', 'nor one that is not committed')
  bench.history.release()
  await registering
  await bench.clock.advance(0)
  t.equal(bench.stateOf(C), 'up', 'down and up again')
  t.equal(bench.beat(C), 'granted 7/0')
  t.notOk(bench.detection.leaseOver(C))
  bench.detection.stop()
  t.end()
})

test('several at once: each without the others', async t => {
  const bench = new Bench()
  bench.history.holds = true
  await bench.beats([A, D], END)
  t.equal(bench.proposed.length, 1, 'one after the other')
  t.deepEqual([...bench.proposed[0]!.live].sort(), [A, D], 'the other one is not live')
  t.equal(bench.beat(B), 'unregistered')
  t.equal(bench.beat(C), 'unregistered')
  bench.history.release()
  await bench.clock.advance(0)
  bench.history.release()
  await bench.clock.advance(0)
  const servers = bench.proposed.map(({ server }) => server)
  t.deepEqual(servers.sort(), [B, C])
  t.ok(bench.proposed.every(({ live }) => !live.includes(B) && !live.includes(C)))
  t.deepEqual([bench.stateOf(B), bench.stateOf(C)], ['down', 'down'])
  bench.detection.stop()
  t.end()
})

test('a new leader begins anew: leases of the old one may run', async t => {
  const bench = new Bench()
  await bench.beats([A, B, C, D], 1000)
  await bench.beats([A, B, D], END - 1000)
  bench.history.lead(M2)
  await bench.clock.advance(60_000)
  t.deepEqual(bench.proposed, [], 'who does not lead declares nobody down')
  bench.history.lead(SELF)
  t.equal(bench.live, '', 'what was heard before does not count')
  await bench.beats([A, B, D], END - 1)
  t.deepEqual(bench.proposed, [])
  t.equal(bench.beat(C), 'granted 5/0', 'just in time')
  await bench.beats([A, B], LEASE_MARGIN_MS)
  await bench.beats([A, B, C], END)
  t.deepEqual(
    bench.proposed.map(({ server }) => server),
    [D],
  )
  bench.detection.stop()
  t.end()
})

test('one that was never heard of by this leader', async t => {
  const bench = new Bench()
  await bench.beats([A, B, D], END)
  t.equal(bench.proposed[0]?.reason, 'nothing was heard of it since this manager leads')
  bench.detection.stop()
  t.end()
})

test('leadership is lost while a server is declared down: nothing lingers', async t => {
  const bench = new Bench()
  bench.history.holds = true
  await bench.beats([A, B, D], END)
  t.equal(bench.proposed.length, 1)
  bench.history.lead(M2)
  t.equal(bench.beat(C), 'no-leader')
  t.notOk(bench.detection.leaseOver(C))
  await bench.clock.advance(10 * DOWN_RETRY_MS)
  bench.history.lead(SELF)
  t.equal(bench.beat(C), 'granted 5/0', 'it never was recorded, so it will never be')
  await bench.beats([A, B, C, D], 10_000)
  t.equal(bench.proposed.length, 1)
  bench.detection.stop()
  t.end()
})

test('a refusal changes nothing, and is tried again after a while', async t => {
  const bench = new Bench()
  bench.answer = { kind: 'refused', code: 'busy', reason: 'Busy.' }
  await bench.beats([A, B, D], END)
  t.equal(bench.proposed.length, 1)
  t.notOk(bench.detection.leaseOver(C))
  await bench.beats([A, B, D], DOWN_RETRY_MS - 1)
  t.equal(bench.proposed.length, 1)
  bench.answer = null
  await bench.beats([A, B, D], 1)
  t.equal(bench.proposed.length, 2)
  t.equal(bench.stateOf(C), 'down')
  bench.detection.stop()
  t.end()
})

test('refused, but heard of meanwhile', async t => {
  const bench = new Bench()
  bench.answer = { kind: 'refused', code: 'busy', reason: 'Busy.' }
  await bench.beats([A, B, D], END)
  bench.answer = null
  t.equal(bench.beat(C), 'granted 5/0')
  await bench.beats([A, B, C, D], 10_000)
  t.equal(bench.proposed.length, 1)
  bench.detection.stop()
  t.end()
})

test('undecided: it stays without a lease until that is known', async t => {
  const bench = new Bench()
  const propose = bench.history.propose.bind(bench.history)
  bench.history.propose = () => Promise.reject(new SwarmdiskError('disk-full', 'no room'))
  await bench.beats([A, B, D], END)
  t.equal(bench.beat(C), 'unregistered')
  await bench.beats([A, B, D], DOWN_RETRY_MS)
  t.equal(bench.proposed.length, 2)
  bench.history.propose = propose
  await bench.beats([A, B, D], DOWN_RETRY_MS)
  t.equal(bench.stateOf(C), 'down')
  bench.detection.stop()
  t.end()
})

test('while nobody confirms the leader, nobody is declared down for it', async t => {
  const bench = new Bench()
  await bench.beats([A, B, C, D], 500)
  bench.history.lease = false
  await bench.beats([A, B, D], 10_000)
  t.deepEqual(bench.proposed, [], 'it may be deposed')
  bench.history.lease = true
  await bench.beats([A, B, D], LEASE_MARGIN_MS)
  t.deepEqual(
    bench.proposed.map(({ server }) => server),
    [C],
    'who could be heard was heard, lease or not',
  )
  bench.detection.stop()
  t.end()
})

for (const [stoodFor, patience] of [
  [1_000, LEASE_MARGIN_MS],
  [LEASE_MS + 2_000, LEASE_MS],
] as const) {
  test(`a leader that stood still for ${stoodFor} ms listens before it judges`, async t => {
    const bench = new Bench()
    const clock = bench.clock
    const now = clock.now.bind(clock)
    let stood = 0
    clock.now = () => (now() + stood) as ReturnType<typeof now>
    await bench.beats([A, B, C, D], 500)
    await clock.advance(END - 501)
    stood = stoodFor
    await clock.advance(1)
    await clock.advance(patience - 1)
    t.deepEqual(bench.proposed, [], 'whoever has to connect again has the time for it')
    for (const id of [A, B, C]) t.equal(bench.beat(id), 'granted 5/0', 'what had arrived meanwhile')
    await clock.advance(1)
    t.deepEqual(
      bench.proposed.map(({ server }) => server),
      [D],
    )
    bench.detection.stop()
    t.end()
  })
}

test('who stopped serving for a proposal is released when nothing is under way', async t => {
  const bench = new Bench()
  bench.underWay.add(5)
  t.equal(bench.beat(A, { fenced: 5 }), 'granted 5/0', 'it may yet be committed')
  bench.underWay.clear()
  t.equal(bench.beat(A, { fenced: 5 }), 'granted 5/5')
  t.equal(bench.beat(A, { fenced: 4 }), 'granted 5/0', 'it learns of that by epoch 5 itself')
  t.equal(bench.beat(A, { fenced: 6 }), 'granted 5/0', 'nothing is known of that')
  await bench.register(C, 2)
  t.equal(bench.beat(A, { fenced: 5 }), 'granted 6/0')
  bench.detection.stop()
  t.end()
})

test('after stop nothing is declared', async t => {
  const bench = new Bench()
  bench.beat(A)
  bench.detection.stop()
  await bench.clock.advance(60_000)
  bench.history.lead(M2)
  bench.history.lead(SELF)
  t.equal(bench.beat(A), 'no-leader')
  await bench.clock.advance(60_000)
  t.deepEqual(bench.proposed, [])
  t.end()
})
