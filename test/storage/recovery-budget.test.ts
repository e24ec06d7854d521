// Catching up is gentle: it has a bandwidth, a quarter of it while clients ask for something, and
// then also no more than a part of the time.
import test from 'tape'
import {
  CLIENTS_ARE_QUIET_AFTER_MS,
  RECOVERY_APART_MAX_MS,
  RECOVERY_GIVE_MAX_MS,
  RECOVERY_PART_BESIDE_CLIENTS,
} from '../../src/base/limits.js'
import { ClientActivity } from '../../src/storage/client-activity.js'
import { RecoveryBudget } from '../../src/storage/recovery-budget.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

const SECOND = 100_000
const BESIDE = SECOND * RECOVERY_PART_BESIDE_CLIENTS

function budgetBeside(clients: { readonly quiet: boolean }) {
  const clock = new VirtualClock()
  return { clock, budget: new RecoveryBudget({ clock, clients, bytesPerSecond: SECOND }) }
}

test('what is copied beyond a second worth waits, longer beside clients', async t => {
  const clients = { quiet: true }
  const { clock, budget } = budgetBeside(clients)
  t.equal(budget.pauseToFetch(SECOND), 0)
  t.equal(budget.pauseToGive(SECOND / 2), 500, 'in and out together')
  await clock.advance(10_000)
  clients.quiet = false
  t.equal(budget.pauseToGive(BESIDE), 0)
  t.equal(budget.pauseToFetch(BESIDE), 1_000)
})

test('beside clients, copies that take long are made one after the other, with pauses', t => {
  const clients = { quiet: false }
  const { budget } = budgetBeside(clients)
  t.equal(budget.pauseToFetch(1), 0)
  t.equal(budget.pauseToFetch(1), 0, 'before it is known how long they take')
  for (let i = 0; i < 100; i++) budget.took(40)
  t.equal(budget.pauseToFetch(1), 0)
  const apart = 40 / RECOVERY_PART_BESIDE_CLIENTS
  t.equal(Math.round(budget.pauseToFetch(1)), apart)
  t.equal(Math.round(budget.pauseToFetch(1)), 2 * apart)
  t.equal(budget.pauseToGive(1), 0, 'who asks has waited')
  clients.quiet = true
  t.equal(budget.pauseToFetch(1), 0, 'without clients there is nothing to wait for')
  t.end()
})

test('however long copies take, one begins in every second', t => {
  const { budget } = budgetBeside({ quiet: false })
  for (let i = 0; i < 100; i++) budget.took(60_000)
  t.equal(budget.pauseToFetch(1), 0)
  t.equal(budget.pauseToFetch(1), RECOVERY_APART_MAX_MS)
  t.end()
})

test('who would have to wait longer than it does is told at once, and costs nothing', async t => {
  const { clock, budget } = budgetBeside({ quiet: true })
  const longest = SECOND + (SECOND * RECOVERY_GIVE_MAX_MS) / 1000
  t.equal(budget.pauseToGive(longest), RECOVERY_GIVE_MAX_MS)
  const refused = Array.from({ length: 100 }, () => budget.pauseToGive(SECOND))
  t.ok(refused.every(pause => pause === null))
  await clock.advance(1_000)
  t.equal(budget.pauseToGive(SECOND), RECOVERY_GIVE_MAX_MS, 'asked again, it is its turn')
})

test('who copies from a server that clients want something of gives way as well', async t => {
  const { clock, budget } = budgetBeside({ quiet: true })
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
