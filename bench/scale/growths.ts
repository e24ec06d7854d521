// What grows, and how it is built: volumes, clients, shards, epochs, servers. What is read and
// written stays as large, and as much is under way at a time.
import { TestCluster } from '../../test/e2e/cluster.js'
import { BLOCK_BYTES, EXTENT_BYTES, SHARD_BYTES_AIM } from '../../src/base/limits.js'
import type { Fio, Target, Timing } from '../shared/fio.js'
import type { Session } from '../shared/session.js'
import { filledVolume, several } from '../shared/volumes.js'
import { measureByTurns, type ScaleRow, type Size } from './by-turns.js'
import { passEpochs } from './epochs.js'

export const GROWTHS = ['volumes', 'clients', 'shards', 'epochs', 'servers'] as const
export type GrowthName = (typeof GROWTHS)[number]

export interface Bench {
  readonly session: Session
  readonly fio: Fio
  readonly timing: Timing
  /** Three storage servers, and a mount. */
  readonly cluster: TestCluster
  /** Bytes that are read and written. */
  readonly bytes: number
  readonly epochs: number
}

const VOLUMES = [1, 4, 16]
/** As a volume gets them by its size; fewer than nine a volume on three servers never has. */
const SHARDS = [9, 66]
const SERVERS = 6

export const GROWS: Readonly<Record<GrowthName, (bench: Bench) => Promise<readonly ScaleRow[]>>> = {
  volumes: async bench => {
    const { fio, timing, bytes } = bench
    const targets: Target[] = []
    const sizes: Size[] = []
    for (const count of VOLUMES) {
      while (targets.length < count) {
        // Of those before it as much is used as of this one, or more.
        const volume = { name: `volume-${targets.length}`, bytes, size: shareOf(bytes, count) }
        targets.push(await filledVolume(bench, volume))
      }
      sizes.push({ count, target: several([...targets], shareOf(bytes, count) * count) })
    }
    return measureByTurns(fio, { grows: 'volumes', sizes }, timing)
  },

  /** Two volumes either way: both on one mount, or each on a mount of its own. */
  clients: async bench => {
    const { cluster, fio, timing, bytes } = bench
    await cluster.startMount([], 'mount-2')
    const halves = ['x', 'y', 'z'].map(name => ({ name: `client-${name}`, bytes: bytes / 2 }))
    const [x, y, z] = [
      await filledVolume(bench, halves[0]!),
      await filledVolume(bench, halves[1]!),
      await filledVolume({ ...bench, mount: 'mount-2' }, halves[2]!),
    ]
    const sizes = [
      { count: 1, target: several([x, y], bytes) },
      { count: 2, target: several([x, z], bytes) },
    ]
    const rows = await measureByTurns(fio, { grows: 'clients', sizes }, timing)
    await cluster.kill('mount-2', 'SIGTERM')
    return rows
  },

  /** One: an extent, which lies in one shard. */
  shards: async bench => {
    const { fio, timing } = bench
    const sizes: Size[] = []
    for (const count of SHARDS) {
      // Only as many extents are laid out as there are shards; the rest of it takes no room.
      const large = { bytes: count * SHARD_BYTES_AIM, size: count * EXTENT_BYTES }
      const small = { bytes: count * EXTENT_BYTES }
      const volume = { name: `shards-${count}`, ...(count === SHARDS[0] ? small : large) }
      sizes.push({ count, target: await filledVolume(bench, volume) })
    }
    const one = { count: 1, target: { files: sizes[0]!.target.files, size: EXTENT_BYTES } }
    return measureByTurns(fio, { grows: 'shards', sizes: [one, ...sizes] }, timing)
  },

  /** The one growth that is not measured by turns: epochs do not go back. */
  epochs: async bench => {
    const { cluster, fio, timing, bytes, epochs } = bench
    const target = await filledVolume(bench, { name: 'epochs', bytes })
    const measure = (count: number): Promise<readonly ScaleRow[]> =>
      measureByTurns(fio, { grows: 'epochs', sizes: [{ count, target }] }, timing)
    const before = await measure(0)
    await passEpochs(cluster, { volume: 'epochs', epochs })
    return [...before, ...(await measure(epochs))]
  },

  /** Two clusters at the same time, of which one is idle. */
  servers: async bench => {
    const { session, cluster, fio, timing, bytes } = bench
    const larger = await TestCluster.start(session, { servers: SERVERS })
    await larger.startMount()
    const volume = { name: 'servers', bytes }
    const sizes = [
      { count: cluster.servers.length, target: await filledVolume(bench, volume) },
      { count: SERVERS, target: await filledVolume({ cluster: larger, fio }, volume) },
    ]
    return measureByTurns(fio, { grows: 'servers', sizes }, timing)
  },
}

/** Of each of so many, in whole blocks. */
function shareOf(bytes: number, count: number): number {
  return Math.floor(bytes / count / BLOCK_BYTES) * BLOCK_BYTES
}
