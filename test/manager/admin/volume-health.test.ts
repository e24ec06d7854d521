// Health of shards and volumes as a table: who is reachable, and what follows.
import test from 'tape'
import { incarnation, type PeerId } from '../../../src/base/brands.js'
import type { Replica } from '../../../src/layout/configuration.js'
import { volumeResult, worst } from '../../../src/manager/admin/volume-health.js'
import { inSync, SERVER_A, SERVER_B, SERVER_C, testVolume } from '../../helpers/configurations.js'

const [A, B, C] = [SERVER_A, SERVER_B, SERVER_C]
const syncing: Replica = { server: C, state: 'syncing', incarnation: incarnation(1) }

interface Row {
  readonly what: string
  readonly replicas: readonly Replica[]
  readonly here: readonly PeerId[]
  readonly minInSync: number
  readonly health: string
}

const three = inSync(A, B, C)
const rows: readonly Row[] = [
  { what: 'all', replicas: three, here: [A, B, C], minInSync: 2, health: 'ok' },
  { what: 'one away', replicas: three, here: [A, B], minInSync: 2, health: 'degraded' },
  { what: 'two away', replicas: three, here: [A], minInSync: 2, health: 'unavailable' },
  { what: 'one suffices', replicas: three, here: [A], minInSync: 1, health: 'degraded' },
  { what: 'nobody', replicas: three, here: [], minInSync: 1, health: 'unavailable' },
  {
    what: 'one syncing',
    replicas: [...inSync(A, B), syncing],
    here: [A, B, C],
    minInSync: 2,
    health: 'degraded',
  },
]

const NOTHING_LEFT = { syncing: new Map(), merging: new Map() }

test('a volume is what its worst shard is', t => {
  const { shards } = testVolume()
  for (const { what, replicas, here, minInSync, health } of rows) {
    const first = { ...shards[0]!, replicas }
    const volume = testVolume({ minInSync, shards: [first] })
    const connected = new Map(here.map(id => [id, incarnation(1)]))
    const result = volumeResult(volume, connected, NOTHING_LEFT)
    t.equal(result.health, health, what)
    const { inSync: good, degraded, unavailable } = result.shards
    t.equal(good + degraded + unavailable, 1, 'each shard is counted once')
    t.equal(result.shards.syncing, replicas.includes(syncing) ? 1 : 0)
  }
  t.equal(worst(['ok', 'degraded', 'ok']), 'degraded')
  t.equal(worst([]), 'ok', 'a cluster without volumes lacks nothing')
  t.end()
})

test('a server that has restarted is not reachable as a copy', t => {
  const connected = new Map([
    [A, incarnation(1)],
    [B, incarnation(1)],
    [C, incarnation(2)],
  ])
  t.equal(volumeResult(testVolume(), connected, NOTHING_LEFT).health, 'degraded')
  t.end()
})
