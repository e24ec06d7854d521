// What a client is told about its access is committed: what is only under way may never be.
import test from 'tape'
import { incarnation, peerId, type PeerId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import { AccessDesk } from '../../../src/manager/leases/access-desk.js'
import type { RelayedPeer } from '../../../src/net/manager-messages.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import { FakeHistory } from '../proposals/fake-history.js'
import { fourServers, SELF } from '../proposals/proposals-fixture.js'

const CLIENT: PeerId = peerId('c'.repeat(64))

test('neither an attachment nor its end is promised before it is committed', async t => {
  const clock = new VirtualClock()
  const history = new FakeHistory(SELF, fourServers())
  const desk = new AccessDesk({
    ...{ clock, history, log: silentLog, peers: { find: () => undefined } },
    propose: (change, { proposer }) => history.propose(change, { proposer, votes: [] }),
  })
  const [volume] = history.current().volumes.keys()
  const from: RelayedPeer = {
    ...{ id: CLIENT, roles: ['client'], incarnation: incarnation(1), cluster: null },
  }
  const request = { volume: volume!, host: 'here', mode: 'exclusive', takeover: false } as const
  history.holds = true
  const first = desk.attach(request, from)
  t.deepEqual(await desk.attach(request, from), { kind: 'wait' }, 'asked again meanwhile')
  history.release()
  const { epoch } = history.current()
  t.deepEqual(await first, { kind: 'attached', epoch })
  t.deepEqual(await desk.attach(request, from), { kind: 'attached', epoch }, 'and from then on')
  const gone = desk.detach({ volume: volume! }, from)
  t.deepEqual(await desk.detach({ volume: volume! }, from), { kind: 'wait' })
  history.release()
  t.equal((await gone).kind, 'detached')
  desk.stop()
})
