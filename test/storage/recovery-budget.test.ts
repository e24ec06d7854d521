// Catching up is gentle: it has a bandwidth, a quarter of it while clients ask for something, and
// then also no more than a part of the time.
import test from 'tape'
import {
  CLIENTS_ARE_QUIET_AFTER_MS,
  RECOVERY_BYTES_BESIDE_CLIENTS,
  RECOVERY_BYTES_PER_SECOND,
  RECOVERY_TIME_BESIDE_CLIENTS,
} from '../../src/base/limits.js'
import { ClientActivity } from '../../src/storage/client-activity.js'
import { RecoveryBudget } from '../../src/storage/recovery-budget.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

test('what is copied beyond a second worth waits, longer beside clients', async t => {
  const clock = new VirtualClock()
  const clients = { quiet: true }
  const budget = new RecoveryBudget(clock, clients)
  t.equal(budget.pauseToFetch(RECOVERY_BYTES_PER_SECOND), 0)
  t.equal(budget.pauseToGive(RECOVERY_BYTES_PER_SECOND / 2), 500, 'in and out together')
  await clock.advance(10_000)
  clients.quiet = false
  t.equal(budget.pauseToGive(RECOVERY_BYTES_BESIDE_CLIENTS), 0)
  t.equal(budget.pauseToFetch(RECOVERY_BYTES_BESIDE_CLIENTS), 1_000)
})

test('beside clients, copies that take long are made one after the other, with pauses', t => {
  const clock = new VirtualClock()
  const clients = { quiet: false }
  const budget = new RecoveryBudget(clock, clients)
  t.equal(budget.pauseToFetch(1), 0)
  t.equal(budget.pauseToFetch(1), 0, 'before it is known how long they take')
  for (let i = 0; i < 100; i++) budget.took(40)
  t.equal(budget.pauseToFetch(1), 0)
  const apart = 40 / RECOVERY_TIME_BESIDE_CLIENTS
  t.equal(Math.round(budget.pauseToFetch(1)), apart)
  t.equal(Math.round(budget.pauseToFetch(1)), 2 * apart)
  t.equal(budget.pauseToGive(1), 0, 'who asks has waited')
  clients.quiet = true
  t.equal(budget.pauseToFetch(1), 0, 'without clients there is nothing to wait for')
  t.end()
})

test('who copies from a server that clients want something of gives way as well', async t => {
  const clock = new VirtualClock()
  const budget = new RecoveryBudget(clock, { quiet: true })
  for (let i = 0; i < 100; i++) budget.took(40)
  t.equal(budget.pauseToFetch(1), 0)
  t.equal(budget.pauseToFetch(1), 0)
  budget.sourceIsBusy()
  t.equal(budget.pauseToFetch(1), 0)
  t.ok(budget.pauseToFetch(1) > 100)
  t.notOk(budget.busy, 'which it does not pass on, or two would tell each other for ever')
  await clock.advance(CLIENTS_ARE_QUIET_AFTER_MS)
  t.equal(budget.pauseToFetch(1), 0, 'for a while')
})

test('clients are quiet when they have wanted nothing for seconds', async t => {
  const clock = new VirtualClock()
  const clients = new ClientActivity(clock)
  t.ok(clients.quiet)
  clients.asked()
  await clock.advance(60_000)
  t.notOk(clients.quiet, 'one waits')
  t.equal(clients.open, 1)
  clients.answered()
  await clock.advance(CLIENTS_ARE_QUIET_AFTER_MS - 1)
  t.notOk(clients.quiet)
  await clock.advance(1)
  t.ok(clients.quiet)
  clients.wrote()
  t.notOk(clients.quiet, 'through another server')
})
