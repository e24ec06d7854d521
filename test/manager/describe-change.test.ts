// The lines of `epoch list`.
import test from 'tape'
import { byteCount, generation, incarnation, shardIndex, volumeId } from '../../src/base/brands.js'
import type { Change } from '../../src/layout/change.js'
import { describeChange, formatBytes } from '../../src/manager/describe-change.js'
import {
  MANAGER,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  testCluster,
  testConfiguration,
} from '../helpers/configurations.js'
import { testPeer } from '../helpers/scripted-peers.js'

const CONFIGURATION = testConfiguration()
const A = CONFIGURATION.servers.get(SERVER_A)!
const place = { volume: volumeId(1), shard: shardIndex(0), expected: CONFIGURATION.epoch }

const lines: readonly (readonly [Change, string])[] = [
  [
    { kind: 'cluster-created', cluster: testCluster(), manager: { id: MANAGER, addresses: [] } },
    'cluster created: 00000000000000000000000000000001, first manager 00000000',
  ],
  [
    {
      kind: 'manager-updated',
      manager: { id: MANAGER, addresses: [{ host: '::1', port: 4711 }] },
    },
    'manager 00000000 updated: at [::1]:4711',
  ],
  [
    {
      kind: 'manager-added',
      manager: { id: SERVER_C, addresses: [{ host: '10.0.0.3', port: 4711 }] },
    },
    'manager 00000000 added: at 10.0.0.3:4711',
  ],
  [
    { kind: 'manager-added', manager: { id: SERVER_C, addresses: [] } },
    'manager 00000000 added: no direct address',
  ],
  [{ kind: 'manager-removed', manager: SERVER_C }, 'manager 00000000 removed'],
  [
    { kind: 'shard-promoted', ...place, server: SERVER_C },
    'shard 0 of volume data goes on from the copy of storage server c, which was behind; writes ' +
      'may be lost, accepted by the operator; in-sync were a, b, c, which are down',
  ],
  [
    {
      ...{ kind: 'server-down', server: SERVER_B, incarnation: incarnation(1) },
      ...{ live: [SERVER_A], reason: 'silent for 3.3 s' },
    },
    'storage server b is down: silent for 3.3 s',
  ],
  [{ kind: 'server-removed', server: SERVER_B }, 'storage server b removed'],
  [
    { kind: 'volume-resized', volume: volumeId(1), size: byteCount(20 * 2 ** 30) },
    'volume data resized to 20 GiB',
  ],
  [
    {
      ...{ kind: 'volume-attached', volume: volumeId(1), client: testPeer(7), host: 'node-1' },
      ...{ mode: 'shared', since: '2026-01-01T00:00:00.000Z', takeover: false },
    },
    'volume data attached by client 00000000 at host node-1, shared',
  ],
  [
    { kind: 'volume-detached', volume: volumeId(1), client: testPeer(7) },
    'volume data detached from client 00000000 at host unknown',
  ],
  [
    { kind: 'server-registered', server: { ...A, incarnation: incarnation(2) } },
    'storage server a registered again: it was started again',
  ],
  [
    {
      kind: 'server-registered',
      server: {
        ...{ ...A, name: 'z', weight: 3, domain: 'rack', state: 'draining' as const },
        ...{ capacity: byteCount(5 * 2 ** 40), addresses: [{ host: 'h', port: 1 }] },
      },
    },
    'storage server z registered again: it was called a, it is draining, capacity 5 TiB, ' +
      'weight 3, failure domain rack, at h:1',
  ],
  [
    {
      ...{ kind: 'volume-created', name: 'v', size: byteCount(1536 * 2 ** 20) },
      ...{ replicas: 1, minInSync: 1, placement: [[SERVER_A], [SERVER_B]] },
    },
    'volume created: v, 1.5 GiB, 1 replica in 2 shards',
  ],
  [{ kind: 'volume-deleted', volume: volumeId(1) }, 'volume deleted: data'],
  [{ kind: 'volume-deleted', volume: volumeId(9) }, 'volume deleted: number 9'],
  [
    {
      kind: 'shards-reallocated',
      reason: 'b came back',
      shards: [{ ...place, replicas: [], stale: [], generation: generation(0) }],
    },
    '1 shard of data reallocated: b came back',
  ],
  [
    { kind: 'replicas-caught-up', replicas: [{ ...place, server: SERVER_B }] },
    '1 replica of data caught up: b',
  ],
  [
    {
      kind: 'replicas-suspended',
      replicas: [{ ...place, server: SERVER_B, cause: 'failing' }],
    },
    '1 replica of data no longer in-sync: b cannot store what it is sent',
  ],
  [
    {
      kind: 'shards-moved',
      reason: 'b is being emptied',
      shards: [{ ...place, replicas: [], stale: [], generation: generation(0) }],
    },
    '1 shard of data moved: b is being emptied',
  ],
  [
    { kind: 'server-state', server: SERVER_B, state: 'draining' },
    'storage server b is to be emptied',
  ],
  [
    { kind: 'server-state', server: SERVER_B, state: 'up' },
    'storage server b is no longer to be emptied',
  ],
]

test('every change is one line with the names of its time', t => {
  for (const [change, line] of lines) {
    t.equal(describeChange(change, CONFIGURATION, CONFIGURATION), line)
  }
  t.end()
})

test('a server that is removed is named as before', t => {
  const servers = new Map(CONFIGURATION.servers)
  servers.delete(SERVER_B)
  const change: Change = { kind: 'server-removed', server: SERVER_B }
  const after = { ...CONFIGURATION, servers }
  t.equal(describeChange(change, after, CONFIGURATION), 'storage server b removed')
  t.equal(describeChange(change, after, null), 'storage server 00000000 removed')
  t.end()
})

test('a server that was down is up again', t => {
  const down = { ...A, state: 'down' as const }
  const before = { ...CONFIGURATION, servers: new Map(CONFIGURATION.servers).set(A.id, down) }
  t.equal(
    describeChange({ kind: 'server-registered', server: A }, CONFIGURATION, before),
    'storage server a registered again: it is up',
  )
  t.end()
})

test('sizes are short', t => {
  t.deepEqual([0, 512, 4096, 2 ** 30, 1.25 * 2 ** 40].map(formatBytes), [
    '0 bytes',
    '512 bytes',
    '4 KiB',
    '1 GiB',
    '1.25 TiB',
  ])
  t.end()
})
