// Replica choice by load, as a pure state and through ReplicaLoads.
import test from 'tape'
import {
  IDLE_LOAD,
  loadAfter,
  loadCost,
  type LoadEvent,
  type ReplicaLoad,
} from '../../../src/client/shard/replica-load-state.js'
import { ReplicaLoads } from '../../../src/client/shard/routing.js'
import { SERVER_A, SERVER_B, SERVER_C } from '../../helpers/configurations.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

function after(events: readonly LoadEvent[], now = 0): ReplicaLoad {
  return events.reduce((load, event) => loadAfter(load, event, now), IDLE_LOAD)
}

const sent: LoadEvent = { kind: 'sent' }

test('cost grows with what is outstanding, with latency and with the queue, and fades', t => {
  const idle = loadCost(IDLE_LOAD, 0)
  t.ok(loadCost(after([sent]), 0) > idle)
  t.equal(after([sent, { kind: 'lost' }]).outstanding, 0)
  const slow = after([sent, { kind: 'answered', latency: 100, queue: 0 }])
  const queued = after([sent, { kind: 'answered', latency: 1, queue: 50 }])
  t.ok(loadCost(slow, 0) > 10 * idle)
  t.ok(loadCost(queued, 0) > 10 * idle)
  t.ok(loadCost(slow, 20_000) < 1.1 * idle, 'tried again after a while')
  t.equal(after([sent, { kind: 'overdue', latency: 2_000 }]).latency, 2_000)
  t.end()
})

test('what writes and FLUSHes take says nothing of reads', t => {
  const written = after([sent, { kind: 'answered', latency: null, queue: 0 }])
  t.equal(loadCost(written, 0), loadCost(IDLE_LOAD, 0))
  const read = after([sent, { kind: 'answered', latency: 100, queue: 0 }])
  const both = [sent, { kind: 'answered', latency: null, queue: 0 } as const]
  const later = both.reduce((load, event) => loadAfter(load, event, 3_000), read)
  t.equal(loadCost(later, 3_000), loadCost(read, 3_000), 'nor does it make old news of reads new')
  const queued = after([sent, { kind: 'answered', latency: null, queue: 50 }])
  t.ok(loadCost(queued, 0) > 10 * loadCost(IDLE_LOAD, 0), 'their queue does')
  t.end()
})

test('one good answer after a while does not bring back what was slow before', t => {
  const slow = after([sent, { kind: 'slow', latency: 400 }])
  const answered = { kind: 'answered', latency: 1, queue: 0 } as const
  t.ok(loadCost(loadAfter(slow, answered, 0), 0) > 300, 'at once it is worth an eighth')
  const later = loadAfter(slow, answered, 8_000)
  t.ok(loadCost(later, 8_000) < 3, 'later what is left of the estimate is')
  const again = loadAfter(slow, { kind: 'slow', latency: 50 }, 8_000)
  t.ok(loadCost(again, 8_000) < 150, 'so it is when it is slow again, but less')
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
