// Operator commands to managers that are there, come late, fall silent or break off.
import test from 'tape'
import { isSwarmdiskError, SwarmdiskError } from '../../src/base/errors.js'
import type { PeerId } from '../../src/base/brands.js'
import { askManager, untilLed } from '../../src/client/admin-client.js'
import type { AdminCommand, AdminResult } from '../../src/net/admin.js'
import { MANAGER, SERVER_A } from '../helpers/configurations.js'
import { ScriptedPeers, testPeer, type SentRequest } from '../helpers/scripted-peers.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

const OTHER = testPeer(2)
const DELETE: AdminCommand = { command: 'volume-delete', name: 'data' }

/** They show that they live; what they do with commands is the test's business. */
class LivingManagers extends ScriptedPeers {
  readonly dead = new Set<PeerId>()
  onCommand: (sent: SentRequest) => void = () => undefined
  override script = (sent: SentRequest): void => {
    if (this.dead.has(sent.to)) return
    if (sent.operation === 'admin') this.onCommand(sent)
    else sent.answer({ kind: 'current', epoch: 3 })
  }
}

function setUp(command: AdminCommand = { command: 'status' }) {
  const clock = new VirtualClock()
  const peers = new LivingManagers(clock)
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
  peers.onCommand = sent => sent.answer({ json: answer })
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
  peers.onCommand = sent => {
    if (sent.to === OTHER) sent.answer({ json: answer })
  }
  t.ok(await clock.settle('second', ask()))

  const change = setUp(DELETE)
  let sent = 0
  change.peers.onCommand = () => sent++
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
  peers.onCommand = sent => sent.answer({ json: JSON.stringify(refusal) })
  t.deepEqual(await clock.settle('refusal', ask()), refusal)
  for (const json of ['{', '{}', '{"ok":false}', 'null']) {
    peers.onCommand = sent => sent.answer({ json })
    t.equal((await clock.settle('nonsense', failure(ask()))).code, 'protocol', json)
  }
})

const NO_LEADER: AdminResult = {
  ok: false,
  code: 'unreachable',
  message: 'No leader: start a majority of the managers.',
}

test('where there is no leader nothing was done: another is asked, or the same again', async t => {
  const { clock, peers, ask } = setUp(DELETE)
  peers.connect(MANAGER, ['manager'])
  peers.connect(OTHER, ['manager'])
  const asked: string[] = []
  peers.onCommand = sent => {
    asked.push(sent.to === OTHER ? 'other' : 'manager')
    sent.answer({ json: asked.length < 4 ? JSON.stringify(NO_LEADER) : answer })
  }
  t.deepEqual(await clock.settle('answer', ask()), { ok: true, result: { epoch: 3 } })
  t.deepEqual(asked, ['manager', 'other', 'manager', 'other'], 'in turn')
  t.ok(clock.now() < 1_000, 'without delay')
})

test('no leader until the end: its sentence is the answer, in time', async t => {
  const { clock, peers, ask } = setUp(DELETE)
  peers.connect(MANAGER, ['manager'])
  peers.onCommand = sent => sent.answer({ json: JSON.stringify(NO_LEADER) })
  t.deepEqual(await clock.settle('refusal', ask()), NO_LEADER)
  t.ok(clock.now() < 10_000 && clock.now() > 4_000, `after ${clock.now()} ms`)
})

test('a change that was sent to a manager that fell silent is not sent to the next', async t => {
  const { clock, peers, ask } = setUp(DELETE)
  peers.connect(MANAGER, ['manager'])
  peers.connect(OTHER, ['manager'])
  const asked: string[] = []
  peers.onCommand = sent => {
    asked.push(sent.to)
    if (asked.length === 1) sent.answer({ json: JSON.stringify(NO_LEADER) })
  }
  const error = await clock.settle('undecided', failure(ask()))
  t.equal(error.code, 'undecided')
  t.match(error.message, /"volume delete" may or may not have been done: look with "volume list"/)
  t.deepEqual(asked, [MANAGER, OTHER])
})

test('a refusal for another reason is not repeated', async t => {
  const clock = new VirtualClock()
  const refusal: AdminResult = { ok: false, code: 'refused', message: 'Storage server a: no.' }
  let asked = 0
  const ask = (): Promise<AdminResult> => {
    asked++
    return Promise.resolve(refusal)
  }
  t.deepEqual(await clock.settle('no', untilLed({ clock, deadline: 10_000, ask })), refusal)
  t.equal(asked, 1)
})

test('a change goes to a manager that lives, not to one whose link only looks sound', async t => {
  const { clock, peers, ask } = setUp(DELETE)
  peers.connect(MANAGER, ['manager'])
  peers.connect(OTHER, ['manager'])
  peers.dead.add(MANAGER)
  peers.onCommand = sent => sent.answer({ json: answer })
  t.deepEqual(await clock.settle('answer', ask()), { ok: true, result: { epoch: 3 } })
  t.ok(clock.now() < 2_000, `after ${clock.now()} ms`)

  const alone = setUp(DELETE)
  alone.peers.connect(MANAGER, ['manager'])
  alone.peers.dead.add(MANAGER)
  const error = await alone.clock.settle('nobody', failure(alone.ask()))
  t.equal(error.code, 'unreachable', 'nothing was sent, so nothing can have been done')
})
