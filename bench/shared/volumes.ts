// A cluster of a benchmark: mounts by the name of their process, volumes that are laid out before
// they are measured, and the memory of the processes.
import { TestCluster } from '../../test/e2e/cluster.js'
import type { Fio, Target } from './fio.js'
import { cpuSeconds, footprintOf, type Footprint } from './processes.js'

export interface NewVolume {
  readonly name: string
  readonly bytes: number
  readonly replicas?: number
}

export async function createVolume(cluster: TestCluster, volume: NewVolume): Promise<void> {
  const { name, bytes, replicas = 3 } = volume
  const words = ['--size', String(bytes), '--replicas', String(replicas)]
  await cluster.json(['volume', 'create', name, ...words])
}

/** A new volume, its first `size` bytes laid out through that mount. */
export async function filledVolume(
  { cluster, fio, mount = 'mount' }: VolumeMaker,
  { size, ...volume }: NewVolume & { readonly size?: number },
): Promise<Target> {
  await createVolume(cluster, volume)
  const target = { files: [cluster.image(volume.name, mount)], size: size ?? volume.bytes }
  await fio.fill(target)
  return target
}

export interface VolumeMaker {
  readonly cluster: TestCluster
  readonly fio: Fio
  readonly mount?: string
}

/** Together as large as the one: what is read and written does not grow with the number. */
export function several(targets: readonly Target[], bytes: number): Target {
  return { files: targets.flatMap(({ files }) => files), size: bytes / targets.length }
}

export interface Memory {
  readonly mount: Footprint
  /** By their names. */
  readonly servers: Readonly<Record<string, Footprint>>
}

export function memoryOf(cluster: TestCluster, mount = 'mount'): Memory {
  const servers = cluster.servers.map(name => [name, footprintOf(cluster.pid(name))] as const)
  return { mount: footprintOf(cluster.pid(mount)), servers: Object.fromEntries(servers) }
}

/** Of all processes of the cluster that take part in I/O, and its managers. */
export function cpuOf(cluster: TestCluster, mount = 'mount'): number {
  const names = [mount, ...cluster.servers, ...cluster.managers]
  return cpuSeconds(names.map(name => cluster.pid(name)))
}

/** The largest of the servers: no one of them may need more. */
export function largest({ servers }: Memory, of: keyof Footprint): number {
  return Math.max(...Object.values(servers).map(footprint => footprint[of]))
}
