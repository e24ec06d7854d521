// Operator commands to managers that are there, come late, fall silent or break off.
import test from 'tape'
import { isSwarmdiskError, SwarmdiskError } from '../../src/base/errors.js'
import { askManager } from '../../src/client/admin-client.js'
import type { AdminCommand } from '../../src/net/admin.js'
import { MANAGER, SERVER_A } from '../helpers/configurations.js'
import { ScriptedPeers, testPeer } from '../helpers/scripted-peers.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

const OTHER = testPeer(2)
const DELETE: AdminCommand = { command: 'volume-delete', name: 'data' }

function setUp(command: AdminCommand = { command: 'status' }) {
  const clock = new VirtualClock()
  const peers = new ScriptedPeers(clock)
  const ask = () => askManager({ peers, clock, command, deadline: 10_000 })
  return { clock, peers, ask }
}

const answer = JSON.stringify({ ok: true, result: { epoch: 3 } })

async function failure(promise: Promise<unknown>): Promise<SwarmdiskError> {
  const error: unknown = await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  )
  if (!isSwarmdiskError(error)) throw error
  return error
}

test('a manager that connects later is asked', async t => {
  const { clock, peers, ask } = setUp()
  peers.script = sent => sent.answer({ json: answer })
  peers.connect(SERVER_A, ['storage'])
  const asked = ask()
  await clock.advance(3_000)
  peers.connect(MANAGER, ['manager'])
  t.deepEqual(await clock.settle('answer', asked), { ok: true, result: { epoch: 3 } })
})

test('nobody there: unreachable, naming what was tried', async t => {
  const { clock, peers, ask } = setUp()
  const alone = await clock.settle('alone', failure(ask()))
  t.equal(alone.code, 'unreachable')
  t.match(alone.message, /After 10 s no peer of the cluster/)
  peers.connect(SERVER_A, ['storage'])
  t.match((await clock.settle('server', failure(ask()))).message, /1 other peer but no manager/)
  peers.connect(MANAGER, ['manager'])
  t.match((await clock.settle('silent', failure(ask()))).message, /1 manager did not answer/)
})

test('a question goes to the next manager, a change is not sent twice', async t => {
  const { clock, peers, ask } = setUp()
  peers.connect(MANAGER, ['manager'])
  peers.connect(OTHER, ['manager'])
  peers.script = sent => {
    if (sent.to === OTHER) sent.answer({ json: answer })
  }
  t.ok(await clock.settle('second', ask()))

  const change = setUp(DELETE)
  let sent = 0
  change.peers.script = () => sent++
  change.peers.connect(MANAGER, ['manager'])
  const asked = failure(change.ask())
  await change.clock.advance(10)
  change.peers.reroute(MANAGER)
  t.match((await change.clock.settle('lost', asked)).message, /may or may not have been done/)
  t.equal(sent, 1)
})

test('a refusal is a result, nonsense is a protocol error', async t => {
  const { clock, peers, ask } = setUp(DELETE)
  peers.connect(MANAGER, ['manager'])
  const refusal = { ok: false, code: 'not-found', message: 'No volume data.' }
  peers.script = sent => sent.answer({ json: JSON.stringify(refusal) })
  t.deepEqual(await clock.settle('refusal', ask()), refusal)
  for (const json of ['{', '{}', '{"ok":false}', 'null']) {
    peers.script = sent => sent.answer({ json })
    t.equal((await clock.settle('nonsense', failure(ask()))).code, 'protocol', json)
  }
})
