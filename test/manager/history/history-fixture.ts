// Small histories for tests, and disks made of the bytes of other disks.
import { byteCount, clusterId, incarnation, type PeerId } from '../../../src/base/brands.js'
import type { Disk } from '../../../src/disk/disk.js'
import type { Change } from '../../../src/layout/change.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { NO_LATENCY, SimulatedDisk } from '../../simulator/simulated-disk.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

export const CLUSTER = clusterId('c'.repeat(32))
export const SELF = testPeer(1)
export const ORIGIN = {
  proposer: 'operator at client 0000beef',
  votes: [{ voter: SELF, role: 'manager', approve: true, policy: false, reason: '' }],
} as const

export const CREATED: Change = {
  kind: 'cluster-created',
  cluster: CLUSTER,
  manager: { id: SELF, addresses: [] },
}

export function registered(id: PeerId, start = 1): Change {
  const name = `s${Number.parseInt(id, 16)}`
  return {
    kind: 'server-registered',
    server: {
      ...{ id, name, domain: name, addresses: [], weight: 1, state: 'up' },
      capacity: byteCount(2 ** 30),
      incarnation: incarnation(start),
    },
  }
}

export function emptyDisk(seed = 1): SimulatedDisk {
  const random = new SeededRandom(seed)
  return new SimulatedDisk({ clock: new VirtualClock(), random, latency: NO_LATENCY })
}

export type Files = ReadonlyMap<string, Uint8Array>

export async function filesOf(disk: Disk, folder = 'manager'): Promise<Files> {
  const files = new Map<string, Uint8Array>()
  for (const name of await disk.list(folder)) {
    const file = await disk.open(`${folder}/${name}`, 'existing')
    if (!file) throw new Error(`no ${name}`)
    const bytes = new Uint8Array(await file.size())
    await file.read(bytes, 0)
    await file.close()
    files.set(`${folder}/${name}`, bytes)
  }
  return files
}

export async function diskOf(files: Files, seed = 1): Promise<SimulatedDisk> {
  const disk = emptyDisk(seed)
  await disk.makeFolder('manager')
  for (const [path, bytes] of files) {
    const file = await disk.open(path, 'create')
    if (!file) throw new Error(`no ${path}`)
    await file.write(bytes, 0)
    await file.sync()
    await file.close()
  }
  await disk.syncFolder('manager')
  return disk
}
