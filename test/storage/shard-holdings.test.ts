// Which volumes a storage server looks at when a configuration comes.
import test from 'tape'
import { epoch } from '../../src/base/brands.js'
import { SwarmdiskError } from '../../src/base/errors.js'
import { silentLog } from '../../src/base/log.js'
import type { Configuration, VolumeRecord } from '../../src/layout/configuration.js'
import { volumeId } from '../../src/base/brands.js'
import type { ReplicaHost } from '../../src/storage/replica/replica-context.js'
import { ShardHoldings } from '../../src/storage/shard-holdings.js'
import { SERVER_A, testConfiguration, testVolume } from '../helpers/configurations.js'
import { testPeer } from '../helpers/scripted-peers.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { VirtualClock } from '../simulator/virtual-clock.js'
import { MemoryBlockStore } from './memory-block-store.js'

/** Notes in `looks` whenever somebody looks at its shards. */
function watched(n: number, looks: number[]): VolumeRecord {
  const volume = testVolume({ id: volumeId(n), name: `v${n}` })
  const { shards } = volume
  return Object.defineProperty({ ...volume }, 'shards', {
    get: () => {
      looks.push(n)
      return shards
    },
  })
}

function withVolumes(at: number, ...volumes: readonly VolumeRecord[]): Configuration {
  const records = volumes.map(volume => [volume.id, volume] as const)
  return { ...testConfiguration(), epoch: epoch(at), volumes: new Map(records) }
}

class FailingStore extends MemoryBlockStore {
  override openShard(): Promise<never> {
    return Promise.reject(new SwarmdiskError('disk-error', 'the disk is broken'))
  }
}

function holdingsOf(self = testPeer(99)): ShardHoldings {
  // Nobody opens a shard here, so no replica is made.
  const host = {} as ReplicaHost
  const store = new FailingStore(new VirtualClock(), new SeededRandom(1))
  return new ShardHoldings({ self, store, host, log: silentLog })
}

test('only volumes that changed are looked at when a configuration comes', async t => {
  const looks: number[] = []
  const holdings = holdingsOf()
  const [one, two] = [watched(1, looks), watched(2, looks)]
  await holdings.prepare(withVolumes(10, one, two))
  t.deepEqual([...new Set(looks)].sort(), [1, 2], 'at first all of them')
  looks.length = 0
  await holdings.prepare(withVolumes(11, one, two))
  t.deepEqual(looks, [], 'then none')
  await holdings.prepare(withVolumes(12, one, watched(2, looks), watched(3, looks)))
  t.deepEqual([...new Set(looks)].sort(), [2, 3], 'those that are new or have changed')
  t.end()
})

test('after a failure all volumes are looked at again, until it works', async t => {
  const looks: number[] = []
  const holdings = holdingsOf(SERVER_A)
  const [one, two] = [watched(1, looks), watched(2, looks)]
  await holdings.prepare(withVolumes(10, one, two))
  t.ok(holdings.incomplete, 'shards of this server cannot be opened')
  for (const at of [10, 11]) {
    looks.length = 0
    await holdings.prepare(withVolumes(at, one, two))
    t.deepEqual([...new Set(looks)].sort(), [1, 2], `epoch ${at}`)
  }
  t.end()
})
