// The largest cluster fits its messages, and what is told of a change is as large as the change.
import test from 'tape'
import { byteCount, volumeId } from '../../../src/base/brands.js'
import {
  ADMIN_JSON_BYTES_MAX,
  ATTACHMENTS_IN_CLUSTER_MAX,
  BLOCK_BYTES,
  FRAME_BYTES_MAX,
  SNAPSHOTS_IN_CLUSTER_MAX,
  VOLUMES_MAX,
} from '../../../src/base/limits.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration, VolumeRecord } from '../../../src/layout/configuration.js'
import { difference, patch } from '../../../src/layout/delta.js'
import { equal } from '../../../src/layout/equal.js'
import { checkConfiguration } from '../../../src/layout/invariants.js'
import { FIRST_LAYER, freeze } from '../../../src/layout/layers.js'
import { statusOf } from '../../../src/manager/admin/status.js'
import {
  decodeConfiguration,
  decodeDelta,
  encodeConfiguration,
  encodeDelta,
} from '../../../src/net/codecs/configuration.js'
import { configurationUpdate } from '../../../src/net/codecs/messages.js'
import { encodeMessage } from '../../../src/net/codecs/message-codec.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { downOf, must, serverId } from '../../layout/clusters.js'
import { largeCluster } from '../../layout/large-clusters.js'

const SINCE = '2026-01-01T00:00:00.000Z'

function opened(configuration: Configuration): Configuration {
  const change: Change = {
    ...{ kind: 'volume-attached', volume: volumeId(1), client: testPeer(7), host: 'a-host' },
    ...{ mode: 'shared', since: SINCE, takeover: false },
  }
  return must(configuration, change)
}

/** Every volume with its part of all snapshots and attachments that there may be. */
function filled(configuration: Configuration): Configuration {
  const volumes = [...configuration.volumes.values()].map(
    (volume): [typeof volume.id, VolumeRecord] => {
      const { id, created } = volume
      const part = (whole: number): number =>
        Math.floor((whole * id) / VOLUMES_MAX) - Math.floor((whole * (id - 1)) / VOLUMES_MAX)
      let layers: VolumeRecord['layers'] = [FIRST_LAYER]
      const snapshots = Array.from({ length: part(SNAPSHOTS_IN_CLUSTER_MAX) }, (_, i) => {
        layers = freeze(layers)
        return {
          name: `hourly-${SINCE.slice(0, 13)}-${i}`,
          layer: i + 1,
          at: SINCE,
          epoch: created,
          // A size of its own for each, which takes the most room.
          size: byteCount(volume.size - BLOCK_BYTES),
          source: null,
        }
      })
      const attachments = Array.from({ length: part(ATTACHMENTS_IN_CLUSTER_MAX) }, (_, i) => {
        const client = testPeer(id * 1000 + i + 2 ** 30)
        return { client, host: `host-${id % 1000}`, mode: 'shared', since: SINCE } as const
      })
      return [id, { ...volume, layers, snapshots, attachments }]
    },
  )
  return { ...configuration, volumes: new Map(volumes) }
}

test('10,000 volumes on 1,000 servers fit, and come back as they were', t => {
  const configuration = largeCluster({ servers: 1000, volumes: VOLUMES_MAX })
  checkConfiguration(configuration)
  const bytes = encodeConfiguration(configuration)
  t.ok(bytes.length < FRAME_BYTES_MAX / 2, `${bytes.length} bytes`)
  const back = decodeConfiguration(bytes)
  t.ok(equal(back, configuration), 'all of it')
  const next = opened(configuration)
  const delta = decodeDelta(encodeDelta(difference(configuration, next)))
  const patched = patch(back, delta)!
  t.ok(equal(patched, next), 'and whoever has it is told of a change')
  const same = [...back.volumes].filter(([id, volume]) => patched.volumes.get(id) === volume)
  t.equal(same.length, VOLUMES_MAX - 1, 'which leaves all others alone')
  t.end()
})

test('with as many snapshots and attachments as there may be it still fits a frame', t => {
  const configuration = filled(largeCluster({ servers: 1000, volumes: VOLUMES_MAX }))
  checkConfiguration(configuration)
  const message = encodeMessage(configurationUpdate, { kind: 'full', configuration })
  t.ok(message.length < FRAME_BYTES_MAX, `${message.length} bytes`)
  t.ok(equal(decodeConfiguration(encodeConfiguration(configuration)), configuration))
  t.end()
})

test('what is told of a change is as large as the change', t => {
  const sizes = [10, 1000].map(volumes => {
    const before = largeCluster({ servers: 200, volumes })
    return encodeDelta(difference(before, opened(before))).length
  })
  // The number of the next volume takes some bytes more.
  t.ok(Math.abs(sizes[0]! - sizes[1]!) <= 4, `${sizes[0]} and ${sizes[1]} bytes`)
  t.end()
})

test('a server that is down is told of as its shards, not as its volumes', t => {
  const before = largeCluster({ servers: 200, volumes: 1000 })
  const [lost, ...live] = before.servers.keys()
  const after = must(before, downOf(before, lost!, ...live))
  const delta = difference(before, after)
  const held = [...before.volumes.values()].flatMap(({ shards }) =>
    shards.filter(({ replicas }) => replicas.some(({ server }) => server === lost)),
  )
  t.equal(delta.shards.length, held.length)
  t.equal(delta.volumes.length, 0)
  const bytes = encodeDelta(delta).length
  const dictionary = 32 * 200
  t.ok(bytes < dictionary + 40 * held.length, `${bytes} bytes for ${held.length} shards`)
  t.end()
})

test('what a decoder makes many times is one object', t => {
  const configuration = largeCluster({ servers: 20, volumes: 30 })
  const { volumes } = decodeConfiguration(encodeConfiguration(configuration))
  const replicas = [...volumes.values()].flatMap(({ shards }) =>
    shards.flatMap(shard => shard.replicas),
  )
  t.equal(new Set(replicas).size, 20, `of ${replicas.length} replicas, one for each server`)
  t.equal(replicas.find(({ server }) => server === serverId(3))?.incarnation, 300)
  t.end()
})

test('an answer to status has room for all volumes', t => {
  const configuration = largeCluster({ servers: 1000, volumes: VOLUMES_MAX })
  const attachments = [
    { client: testPeer(1), host: 'a-host', mode: 'shared', since: SINCE },
  ] as const
  const volumes = [...configuration.volumes].map(([id, volume]) => {
    return [id, { ...volume, attachments }] as const
  })
  const view = {
    configuration: { ...configuration, volumes: new Map(volumes) },
    ...{ self: testPeer(1), leader: testPeer(1), managers: [], newerElsewhere: 0 },
    connected: new Map([...configuration.servers.values()].map(one => [one.id, one.incarnation])),
    ...{ storageReports: new Map(), clientReports: new Map() },
    seen: () => ({ lastSeen: SINCE, expired: false }),
    progress: { drainOf: () => null, syncSeconds: () => null },
  }
  const bytes = Buffer.byteLength(JSON.stringify(statusOf(view)))
  t.ok(bytes < ADMIN_JSON_BYTES_MAX, `${bytes} bytes, each volume attached`)
  t.end()
})
