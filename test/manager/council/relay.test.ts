// What a manager does with a change when the leader it knows is dead, silent, or replaced.
import test from 'tape'
import { incarnation, type PeerId } from '../../../src/base/brands.js'
import { ADMIN_PATIENCE_MS, MANAGER_ALIVE_MS } from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import { Relay, type Relayed } from '../../../src/manager/council/relay.js'
import { encodeMessage } from '../../../src/net/codecs/message-codec.js'
import { operations } from '../../../src/net/operations.js'
import { ScriptedPeers, testPeer, type SentRequest } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const LEADER = testPeer(1)
const SUCCESSOR = testPeer(2)
const FROM = {
  id: testPeer(9),
  roles: ['client'],
  incarnation: incarnation(1),
  cluster: null,
} as const
const REQUEST = { json: '{}' }

const relayed: Relayed<'admin'> = {
  handler: () => Promise.resolve({ json: 'here' }),
  otherwise: (_request, why) => ({ json: why }),
}

function setUp() {
  const clock = new VirtualClock()
  const peers = new ScriptedPeers(clock)
  const listeners = new Set<() => void>()
  const history = {
    leads: false,
    leader: LEADER as PeerId | null,
    onLeadership(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const lead = (leader: PeerId | null): void => {
    history.leader = leader
    for (const listener of [...listeners]) listener()
  }
  const passed: PeerId[] = []
  const living = new Set<PeerId>()
  let silent = false
  peers.script = (sent: SentRequest): void => {
    if (!living.has(sent.to)) return
    if (sent.operation === 'fetch-configuration') return sent.answer({ kind: 'current', epoch: 3 })
    passed.push(sent.to)
    const payload = encodeMessage(operations.admin.reply, { json: `by ${sent.to.slice(-1)}` })
    if (!silent) sent.answer({ ok: true, payload })
  }
  for (const id of [LEADER, SUCCESSOR]) peers.connect(id, ['manager'])
  const relay = new Relay({ peers, clock, history, log: silentLog })
  relay.add('admin', relayed)
  const ask = async (patience: number): Promise<string> =>
    (await relay.ask('admin', relayed, { request: REQUEST, from: FROM, patience })).json
  const fallSilent = (): void => void (silent = true)
  return { clock, history, lead, passed, living, fallSilent, ask }
}

test('a change goes to the leader when that shows that it lives', async t => {
  const { living, passed, ask } = setUp()
  living.add(LEADER)
  t.equal(await ask(ADMIN_PATIENCE_MS), 'by 1')
  t.deepEqual(passed, [LEADER])
})

test('a dead leader on a link that looks sound gets no change; its successor does', async t => {
  const { clock, lead, living, passed, ask } = setUp()
  living.add(SUCCESSOR)
  const answer = ask(ADMIN_PATIENCE_MS)
  await clock.advance(MANAGER_ALIVE_MS + 500)
  t.deepEqual(passed, [], 'it waits for the election')
  lead(SUCCESSOR)
  t.equal(await answer, 'by 2')
  t.deepEqual(passed, [SUCCESSOR], 'the dead one never had it')
})

test('another one leads by the time that the dead one has not answered', async t => {
  const { clock, lead, living, passed, ask } = setUp()
  living.add(SUCCESSOR)
  const answer = ask(ADMIN_PATIENCE_MS)
  await clock.advance(MANAGER_ALIVE_MS / 2)
  lead(SUCCESSOR)
  await clock.advance(MANAGER_ALIVE_MS)
  t.equal(await answer, 'by 2', 'without another election')
  t.deepEqual(passed, [SUCCESSOR])
})

test('nobody leads after the dead one: nothing was done, and that is said', async t => {
  const { clock, passed, ask } = setUp()
  const answer = ask(ADMIN_PATIENCE_MS)
  await clock.advance(ADMIN_PATIENCE_MS + 1)
  t.equal(await answer, 'no-leader')
  t.deepEqual(passed, [])
})

test('a leader that had the change and fell silent: nobody knows', async t => {
  const { clock, living, fallSilent, passed, ask } = setUp()
  living.add(LEADER)
  fallSilent()
  const answer = ask(ADMIN_PATIENCE_MS)
  await clock.advance(60_000)
  t.equal(await answer, 'lost')
  t.deepEqual(passed, [LEADER], 'it is not sent twice')
})

test('without patience it is asked at once: the caller repeats it anyway', async t => {
  const { clock, passed, living, ask } = setUp()
  living.add(LEADER)
  t.equal(await ask(0), 'by 1')
  t.deepEqual(passed, [LEADER])
  living.clear()
  const answer = ask(0)
  await clock.advance(60_000)
  t.equal(await answer, 'lost')
})
