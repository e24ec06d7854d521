// The configuration watch against scripted managers: what it believes, what it fetches, and when.
import test from 'tape'
import { epoch, generation } from '../../src/base/brands.js'
import { silentLog } from '../../src/base/log.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { difference } from '../../src/layout/delta.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import type { ConfigurationRequest, ConfigurationUpdate } from '../../src/net/messages.js'
import {
  inSync,
  MANAGER,
  reallocated,
  SERVER_A,
  SERVER_B,
  testCluster,
  testConfiguration,
} from '../helpers/configurations.js'
import { ScriptedPeers, testPeer } from '../helpers/scripted-peers.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

function setUp(initial: Configuration | null) {
  const clock = new VirtualClock()
  const peers = new ScriptedPeers(clock)
  const watch = new ConfigurationWatch({ peers, clock, log: silentLog, initial })
  const fetches: number[] = []
  /** What the manager would answer; null: nothing. */
  const manager: { has: Configuration | null } = { has: null }
  peers.script = sent => {
    if (sent.operation !== 'fetch-configuration') return
    const { have } = sent.request as ConfigurationRequest
    fetches.push(have)
    if (!manager.has) return
    const reply: ConfigurationUpdate =
      have === manager.has.epoch
        ? { kind: 'current', epoch: have }
        : { kind: 'full', configuration: manager.has }
    sent.answer(reply)
  }
  return { clock, peers, watch, fetches, manager }
}

const first = testConfiguration()
const second = reallocated(first, 0, { replicas: inSync(SERVER_A, SERVER_B) })
const third = reallocated(second, 1, { generation: generation(1) })

test('the first configuration is fetched from whoever is a manager', async t => {
  const { clock, peers, watch, fetches, manager } = setUp(null)
  const seen: unknown[] = []
  watch.subscribe((now, before) => seen.push([before?.epoch, now.epoch]))
  manager.has = first
  peers.connect(SERVER_A, ['storage'])
  await clock.advance(100)
  t.deepEqual(fetches, [], 'a storage server is not asked')
  peers.connect(MANAGER, ['manager'])
  await clock.until('a configuration', () => watch.current() !== null)
  t.deepEqual(fetches, [0])
  t.deepEqual(seen, [[undefined, 5]])
  t.deepEqual(peers.described, [{ cluster: first.cluster, epoch: first.epoch }])
  t.equal(peers.remembered.length, 4, 'manager and servers are remembered')
})

test('deltas are applied in order, and fetched where one is missing', async t => {
  const { clock, peers, watch, fetches, manager } = setUp(first)
  peers.connect(MANAGER, ['manager'], { epoch: epoch(5) })
  peers.deliver(MANAGER, 'configuration', { kind: 'delta', delta: difference(first, second) })
  t.equal(watch.current()?.epoch, 6)
  t.deepEqual(watch.current(), second)
  t.deepEqual(fetches, [], 'nothing had to be fetched')

  const late = setUp(first)
  late.manager.has = third
  late.peers.connect(MANAGER, ['manager'], { epoch: epoch(5) })
  const update: ConfigurationUpdate = { kind: 'delta', delta: difference(second, third) }
  late.peers.deliver(MANAGER, 'configuration', update)
  t.equal(late.watch.current()?.epoch, 5, 'a delta that does not fit is not applied')
  await late.clock.until('the whole', () => late.watch.current()?.epoch === 7)
  t.deepEqual(late.fetches, [5])
  late.peers.deliver(MANAGER, 'configuration', update)
  late.peers.deliver(MANAGER, 'configuration', { kind: 'full', configuration: second })
  t.equal(late.watch.current()?.epoch, 7, 'epochs only grow')
  await clock.advance(1)
  manager.has = null
})

test('only managers of the configuration, and only this cluster, are believed', async t => {
  const { clock, peers, watch } = setUp(first)
  const stranger = testPeer(77)
  peers.connect(stranger, ['manager'], { epoch: epoch(9) })
  peers.connect(SERVER_A, ['storage'])
  peers.connect(MANAGER, ['manager'], { epoch: epoch(5) })
  const foreign = { ...second, cluster: testCluster(2) }
  peers.deliver(stranger, 'configuration', { kind: 'full', configuration: second })
  peers.deliver(SERVER_A, 'configuration', { kind: 'full', configuration: second })
  peers.deliver(MANAGER, 'configuration', { kind: 'full', configuration: foreign })
  await clock.advance(10_000)
  t.equal(watch.current(), first)
})

test('an epoch that was mentioned is fetched, one request in flight, until it comes', async t => {
  const { clock, peers, watch, fetches, manager } = setUp(first)
  watch.wanted(epoch(6))
  await clock.advance(1_000)
  t.deepEqual(fetches, [], 'nobody to ask yet')
  const reached = watch.until(epoch(7))
  peers.connect(MANAGER, ['manager'], { epoch: epoch(5) })
  watch.wanted(epoch(6))
  watch.wanted(epoch(7))
  t.equal(peers.outstanding(), 1)
  manager.has = second
  peers.reroute(MANAGER) // the first fetch is lost
  await clock.until('epoch 6', () => watch.current()?.epoch === 6)
  manager.has = third
  t.deepEqual(await clock.settle('epoch 7', reached), third)
  t.equal(peers.outstanding(), 0)
})

test('an epoch that no manager has is given up after bounded attempts', async t => {
  const { clock, peers, watch, fetches, manager } = setUp(first)
  manager.has = first
  peers.connect(MANAGER, ['manager'], { epoch: epoch(5) })
  watch.wanted(epoch(1_000_000))
  await clock.advance(600_000)
  t.ok(fetches.length > 2 && fetches.length < 20, `${fetches.length} fetches`)
  manager.has = second
  watch.wanted(epoch(6))
  await clock.until('a real one', () => watch.current()?.epoch === 6)
})

test('a manager with a newer epoch that connects is asked; stop() ends all', async t => {
  const { clock, peers, watch, fetches, manager } = setUp(first)
  manager.has = second
  peers.connect(MANAGER, ['manager'], { epoch: epoch(6) })
  await clock.until('epoch 6', () => watch.current()?.epoch === 6)
  watch.stop()
  watch.wanted(epoch(7))
  peers.deliver(MANAGER, 'configuration', { kind: 'full', configuration: third })
  await clock.advance(10_000)
  t.equal(watch.current()?.epoch, 6)
  t.deepEqual(fetches, [5])
})
