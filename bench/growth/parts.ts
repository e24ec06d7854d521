// The parts that are measured, as they are in their processes: a mount's driver, a storage server.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { byteCount, epoch, type PeerId } from '../../src/base/brands.js'
import { systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import { ClusterVolumeDriver } from '../../src/client/driver.js'
import { NodeDisk } from '../../src/disk/node-disk.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import type { DataReply, ReadRequest } from '../../src/net/messages.js'
import { UNSHARED_FRAMES } from '../../src/net/wire/frame-memory.js'
import { StorageServer } from '../../src/storage/storage-server.js'
import { FileBlockStore, type StoreLimits } from '../../src/storage/store/file-block-store.js'
import { CLIENT, MANAGER, START } from './cluster.js'
import { QuietPeers } from './quiet-peers.js'

/** Every read is answered with zeroes, in the same turn. */
export function mountOf(configuration: Configuration): ClusterVolumeDriver {
  const { epoch: at } = configuration
  const peers = new QuietPeers(CLIENT, configuration, (operation, request) => {
    if (operation !== 'read') return undefined
    const payload = Buffer.alloc((request as ReadRequest).length)
    const reply: Partial<DataReply> = { status: 'ok', epoch: at, queue: 0, payload }
    return { ...reply, generation: 0 }
  })
  const common = { clock: systemClock, random: systemRandom, log: silentLog }
  const watch = new ConfigurationWatch({ peers, ...common, initial: configuration })
  return new ClusterVolumeDriver({
    ...{ ...common, peers, watch, memory: UNSHARED_FRAMES, ioTimeout: null, shared: false },
    ...{ host: 'host', mountPoint: '/mnt' },
  })
}

export interface Served {
  readonly server: StorageServer
  readonly peers: QuietPeers
  readonly watch: ConfigurationWatch
}

/** With a lease, as long as it lives. */
export async function serverOf(
  configuration: Configuration,
  self: PeerId,
  work: (served: Served) => Promise<void>,
): Promise<void> {
  await withStore({}, async (store, disk) => {
    const granted = {
      ...{ kind: 'granted', epoch: configuration.epoch, leader: MANAGER, released: epoch(0) },
    }
    const peers = new QuietPeers(self, configuration, operation => {
      if (operation === 'heartbeat') return granted
      if (operation === 'register') return { kind: 'registered', epoch: configuration.epoch }
      return undefined
    })
    const common = { clock: systemClock, random: systemRandom, log: silentLog }
    const watch = new ConfigurationWatch({ peers, ...common, initial: configuration })
    const server = new StorageServer({
      ...{ ...common, disk, peers, watch, store },
      self: {
        ...{ name: 's', domain: 'd', weight: 100, capacity: byteCount(2 ** 40) },
        ...{ incarnation: START, addresses: () => [] },
      },
    })
    await server.start()
    try {
      await work({ server, peers, watch })
    } finally {
      watch.stop()
      await server.stop()
    }
  })
}

export async function withStore(
  limits: Partial<StoreLimits>,
  work: (store: FileBlockStore, disk: NodeDisk) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'swarmdisk-growth-'))
  try {
    const disk = new NodeDisk({ root })
    const store = await FileBlockStore.open({ clock: systemClock, disk, log: silentLog, limits })
    await work(store, disk)
    await store.close()
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
