// Why a server is not emptied, in a sentence.
import test from 'tape'
import { incarnation, type Incarnation, type PeerId } from '../../../src/base/brands.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { planMoves } from '../../../src/layout/movement/plan.js'
import { whatDrainWaitsFor } from '../../../src/layout/movement/waiting.js'
import { clusterWithVolume, downOf, must, server, serverId } from '../clusters.js'

const [A, B, C, D] = [1, 2, 3, 4].map(serverId) as [PeerId, PeerId, PeerId, PeerId]
const NOBODY: ReadonlySet<PeerId> = new Set()
const drain = (id: PeerId): Change => ({ kind: 'server-state', server: id, state: 'draining' })

const three = clusterWithVolume()
const four = must(three, { kind: 'server-registered', server: server(4) })

function connected(configuration: Configuration, without?: PeerId): Map<PeerId, Incarnation> {
  const all = [...configuration.servers.keys()].filter(id => id !== without)
  return new Map(all.map(id => [id, incarnation(1)]))
}

test('too few servers', t => {
  const emptied = must(three, drain(A))
  const view = { configuration: emptied, connected: connected(emptied) }
  t.match(
    whatDrainWaitsFor(view, A) ?? '',
    /^volume \w+ needs 3 storage servers for its 3 replicas, and only 2 can take .*undrain`$/,
  )
  t.equal(whatDrainWaitsFor(view, D), null, 'who holds nothing waits for nobody')
  t.end()
})

test('nothing stands in the way, or somebody is away', t => {
  const emptied = must(four, drain(A))
  const all = connected(emptied)
  t.equal(whatDrainWaitsFor({ configuration: emptied, connected: all }, A), null)
  const without = { configuration: emptied, connected: connected(emptied, D) }
  t.match(whatDrainWaitsFor(without, A) ?? '', /only 2 can take/)
  const five = must(emptied, { kind: 'server-registered', server: server(5) })
  const away = { configuration: five, connected: connected(five, C) }
  t.match(whatDrainWaitsFor(away, A) ?? '', /^shard \d+ of volume \w+ waits for storage server s3$/)
  const down = must(five, downOf(five, A, C))
  const alone = { configuration: down, connected: connected(down, A) }
  t.equal(whatDrainWaitsFor(alone, A), null, 'it is emptied though it is down')
  t.end()
})

test('while something moves, nothing is waited for', t => {
  const five = must(four, { kind: 'server-registered', server: server(5) })
  const emptied = must(five, drain(A))
  const view = { configuration: emptied, connected: connected(emptied) }
  const { copy } = planMoves({ ...view, gone: NOBODY, joining: NOBODY }, NOBODY)
  const moving = must(emptied, copy!)
  t.equal(
    whatDrainWaitsFor({ configuration: moving, connected: connected(moving, B) }, A),
    null,
    'whatever is with the other shards',
  )
  t.end()
})
