// Replica choice by load, as a pure state and through ReplicaLoads.
import test from 'tape'
import { ReplicaLoad, type LoadEvent } from '../../../src/client/shard/replica-load-state.js'
import { ReplicaLoads } from '../../../src/client/shard/routing.js'
import { SERVER_A, SERVER_B, SERVER_C } from '../../helpers/configurations.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

function after(events: readonly LoadEvent[], now = 0, load = new ReplicaLoad()): ReplicaLoad {
  for (const event of events) load.take(event, now)
  return load
}

const IDLE_COST = new ReplicaLoad().cost(0)
const sent: LoadEvent = { kind: 'sent' }

test('cost grows with what is outstanding, with latency and with the queue, and fades', t => {
  t.ok(after([sent]).cost(0) > IDLE_COST)
  t.equal(after([sent, { kind: 'lost' }]).outstanding, 0)
  const slow = after([sent, { kind: 'answered', latency: 100, queue: 0 }])
  const queued = after([sent, { kind: 'answered', latency: 1, queue: 50 }])
  t.ok(slow.cost(0) > 10 * IDLE_COST)
  t.ok(queued.cost(0) > 10 * IDLE_COST)
  t.ok(slow.cost(20_000) < 1.1 * IDLE_COST, 'tried again after a while')
  t.equal(after([sent, { kind: 'overdue', latency: 2_000 }]).latency, 2_000)
  t.equal(after([sent, { kind: 'overdue', latency: 2_000 }]).outstanding, 0)
  t.equal(after([sent, { kind: 'slow', latency: 400 }]).outstanding, 1, 'may still answer')
  t.end()
})

test('what writes and FLUSHes take says nothing of reads', t => {
  const write = { kind: 'answered', latency: null, queue: 0 } as const
  t.equal(after([sent, write]).cost(0), IDLE_COST)
  const load = after([sent, { kind: 'answered', latency: 100, queue: 0 }])
  const read = load.cost(3_000)
  after([sent, write], 3_000, load)
  t.equal(load.cost(3_000), read, 'nor does it make old news of reads new')
  const queued = after([sent, { ...write, queue: 50 }])
  t.ok(queued.cost(0) > 10 * IDLE_COST, 'their queue does')
  t.end()
})

test('one good answer after a while does not bring back what was slow before', t => {
  const slow = () => after([sent, { kind: 'slow', latency: 400 }])
  const answered = { kind: 'answered', latency: 1, queue: 0 } as const
  t.ok(after([answered], 0, slow()).cost(0) > 300, 'at once it is worth an eighth')
  t.ok(after([answered], 8_000, slow()).cost(8_000) < 3, 'later what is left of the estimate is')
  const again = after([{ kind: 'slow', latency: 50 }], 8_000, slow())
  t.ok(again.cost(8_000) < 150, 'so it is when it is slow again, but less')
  t.end()
})

test('requests are spread over equals, and a slow or busy server is spared', async t => {
  const clock = new VirtualClock()
  const loads = new ReplicaLoads(clock, new SeededRandom(3))
  const servers = [SERVER_A, SERVER_B, SERVER_C]
  t.equal(loads.choose([]), null)
  for (let i = 0; i < 300; i++) loads.record(loads.choose(servers)!, sent)
  const first = loads.choose(servers)!
  loads.record(first, sent)
  t.notEqual(loads.choose(servers), first, 'least outstanding')
  for (const server of servers) {
    for (let i = 0; i < 101; i++) loads.record(server, { kind: 'answered', latency: 1, queue: 0 })
  }
  loads.record(SERVER_A, { kind: 'answered', latency: 1_000, queue: 0 })
  t.notOk(Array.from({ length: 20 }, () => loads.choose(servers)).includes(SERVER_A))
  await clock.advance(20_000)
  for (const server of [SERVER_B, SERVER_C]) {
    loads.record(server, { kind: 'answered', latency: 1, queue: 0 })
  }
  t.equal(loads.choose(servers), SERVER_A, 'given another chance')
})
