// What a volume takes, asked of its servers.
import test from 'tape'
import { byteCount, epoch } from '../../../src/base/brands.js'
import { USAGE_DEADLINE_MS } from '../../../src/base/limits.js'
import { askUsage } from '../../../src/manager/admin/usage.js'
import { SERVERS, testVolume } from '../../helpers/configurations.js'
import { ScriptedPeers } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const AT = '2026-01-01T00:00:00.000Z'

test('the answers are added up, and who is silent is named', async t => {
  const clock = new VirtualClock()
  const peers = new ScriptedPeers(clock)
  const [a, b, c] = SERVERS
  for (const id of [a, b, c]) peers.connect(id, ['storage'])
  peers.script = ({ to, answer }) => {
    if (to === c) return
    const layers = [
      { layer: 1, written: byteCount(100), alone: byteCount(10) },
      { layer: 2, written: byteCount(7), alone: byteCount(7) },
    ]
    answer({ used: byteCount(1000), layers })
  }
  const [at, size] = [AT, byteCount(4096)]
  const snapshots = [{ name: 's', layer: 1, at, epoch: epoch(7), size, source: null }]
  const asked = askUsage(peers, testVolume({ snapshots }), server => server.slice(-1))
  const usage = await clock.settle('an answer', asked, USAGE_DEADLINE_MS + 1)
  t.deepEqual(usage, {
    used: 2000,
    snapshots: [{ name: 's', at: AT, written: 200, alone: 20 }],
    silent: [c.slice(-1)],
  })
  t.end()
})
