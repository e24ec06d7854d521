import test from 'tape'
import { epoch } from '../../../src/base/brands.js'
import { LEASE_MS } from '../../../src/base/limits.js'
import { LeaseState } from '../../../src/storage/managers/lease-state.js'

const at = (now: number, known = 5): { now: number; known: ReturnType<typeof epoch> } => {
  return { now, known: epoch(known) }
}

test('a lease runs from when its heartbeat was sent', t => {
  const lease = new LeaseState()
  t.notOk(lease.valid(at(0)), 'none at the start')
  lease.granted({ epoch: epoch(5), sentAt: 100 })
  t.ok(lease.valid(at(100 + LEASE_MS - 1)))
  t.notOk(lease.valid(at(100 + LEASE_MS)), 'over')
  lease.granted({ epoch: epoch(5), sentAt: 600 })
  t.ok(lease.valid(at(600 + LEASE_MS - 1)), 'renewed')
  lease.ended()
  t.notOk(lease.valid(at(700)), 'not known to the managers')
  t.end()
})

test('a lease counts only with a configuration as new as the one it was granted under', t => {
  const lease = new LeaseState()
  lease.granted({ epoch: epoch(5), sentAt: 0 })
  lease.granted({ epoch: epoch(7), sentAt: 500 })
  t.ok(lease.valid(at(600, 5)), 'the older lease still runs')
  t.notOk(lease.valid(at(LEASE_MS, 5)), 'but is not prolonged by the newer one')
  t.notOk(lease.valid(at(LEASE_MS, 6)))
  t.ok(lease.valid(at(LEASE_MS, 7)), 'which needs its configuration')
  lease.granted({ epoch: epoch(7), sentAt: LEASE_MS + 500 })
  t.notOk(lease.valid(at(LEASE_MS + 500, 5)))
  t.ok(lease.valid(at(LEASE_MS + 500, 8)))
  t.end()
})
