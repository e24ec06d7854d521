// Bringing the word that a process has ended, to managers that are there, come late, or say
// nothing.
import test from 'tape'
import { incarnation, type PeerId } from '../../src/base/brands.js'
import { GONE_ATTEMPT_MS, GONE_DEADLINE_MS } from '../../src/base/limits.js'
import { bringGoneNotice } from '../../src/client/gone-notice.js'
import { MANAGER, SERVER_A } from '../helpers/configurations.js'
import { ScriptedPeers, testPeer } from '../helpers/scripted-peers.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

const OTHER = testPeer(2)
const notice = { server: SERVER_A, incarnation: incarnation(3), signature: new Uint8Array(64) }

function setUp() {
  const clock = new VirtualClock()
  const peers = new ScriptedPeers(clock)
  const asked: PeerId[] = []
  const answers = new Map<PeerId, boolean>()
  peers.script = ({ to, operation, request, answer }) => {
    if (operation !== 'gone' || request !== notice) throw new Error('something else was said')
    asked.push(to)
    const ok = answers.get(to)
    if (ok !== undefined) answer({ ok })
  }
  return { clock, peers, asked, answers, bring: () => bringGoneNotice({ peers, clock, notice }) }
}

test('a manager that connects in time is told', async t => {
  const { clock, peers, asked, answers, bring } = setUp()
  answers.set(MANAGER, true)
  peers.connect(SERVER_A, ['storage'])
  const brought = bring()
  await clock.advance(GONE_DEADLINE_MS / 2)
  t.deepEqual(asked, [], 'only managers are asked')
  peers.connect(MANAGER, ['manager'])
  t.ok(await clock.settle('it is told', brought))
  t.deepEqual(asked, [MANAGER], 'once')
})

test('one that is silent, or has no leader, is passed over', async t => {
  for (const answer of [undefined, false]) {
    const { clock, peers, asked, answers, bring } = setUp()
    peers.connect(MANAGER, ['manager'])
    peers.connect(OTHER, ['manager'])
    if (answer !== undefined) answers.set(MANAGER, answer)
    answers.set(OTHER, true)
    t.ok(await clock.settle('it is told', bring()))
    t.deepEqual(asked, [MANAGER, OTHER])
    t.ok(clock.now() <= GONE_ATTEMPT_MS, `after ${clock.now()} ms`)
  }
})

test('it is said again until somebody takes it, and for as long as a lease may run', async t => {
  const { clock, peers, answers, asked, bring } = setUp()
  peers.connect(MANAGER, ['manager'])
  answers.set(MANAGER, false)
  const brought = bring()
  await clock.advance(500)
  t.ok(asked.length > 1, 'asked again')
  answers.set(MANAGER, true)
  t.ok(await clock.settle('it is told', brought))
  answers.set(MANAGER, false)
  const began = clock.now()
  t.notOk(await clock.settle('given up', bring()))
  const took = clock.now() - began
  t.ok(took >= GONE_DEADLINE_MS && took < GONE_DEADLINE_MS + 100, `after ${took} ms`)
})
