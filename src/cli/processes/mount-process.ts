// A mount as a process: a client of the swarm, the volume driver, and the FUSE transport over it.
// It ends when it is told to, or when somebody unmounts it.
import { hostname } from 'node:os'
import { systemClock } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { systemRandom } from '../../base/random.js'
import { ClusterVolumeDriver } from '../../client/driver.js'
import type { VolumeDriver } from '../../client/volume-driver.js'
import { WriteBackDriver } from '../../client/write-back/write-back-driver.js'
import { FileOperations } from '../../fuse/file-operations.js'
import { prepareMountPoint } from '../../fuse/mount-point.js'
import { isWithin } from '../../fuse/mount-table.js'
import { serveMount, type TransportChoice, type TransportName } from '../../fuse/serve-mount.js'
import type { Transport } from '../../fuse/transport.js'
import { ConfigurationWatch } from '../../net/configuration-watch.js'
import { mountHost, type LocalHost } from '../mount-host.js'
import { MountRegistry } from '../mount-registry.js'
import { mountRoutes } from '../mounts/mount-control.js'
import { configured } from '../transfer/configured.js'
import type { ClusterAccess } from './cluster-access.js'
import { serveControl } from './control-socket.js'
import { socketPath } from './run-folder.js'
import { createMember } from './swarm-member.js'
import { undoAll, type Undo } from './undo.js'

export interface MountProcessOptions {
  readonly access: ClusterAccess
  readonly directory: string
  /** Milliseconds; null: I/O is held for as long as it takes. */
  readonly ioTimeout: number | null
  /** Writes together with other mounts. */
  readonly shared: boolean
  /** Answers writes from memory. */
  readonly writeBack: boolean
  readonly transport: TransportChoice
  readonly log: Log
}

export interface MountProcess {
  readonly mountPoint: string
  /** The one that serves it. */
  readonly transport: TransportName
  /** Resolves when the mount is gone, whoever unmounted it. */
  readonly closed: Promise<void>
  /**
   * Undoes file systems, loop devices and the mount, in that order. Fails with 'in-use', naming the
   * user, if something is busy, and then goes on serving; with `abort` nothing holds it up.
   */
  unmount(abort: boolean): Promise<void>
  stop(): Promise<void>
}

export async function startMount(options: MountProcessOptions): Promise<MountProcess> {
  const { access, directory, ioTimeout, shared, log } = options
  const host = mountHost({ clock: systemClock, log })
  const mountPoint = await prepareMountPoint(host, directory)
  const undo: Undo[] = []
  try {
    const member = createMember({ access, log, roles: ['client'], name: `mount ${mountPoint}` })
    const { peers } = member
    const watch = new ConfigurationWatch({ peers, log, clock: systemClock })
    undo.push(() => watch.stop())
    const cluster = new ClusterVolumeDriver({
      clock: systemClock,
      random: systemRandom,
      peers,
      watch,
      log,
      memory: member.network.memory,
      ioTimeout,
      // Sentences and records take what all hosts can show.
      host: hostname().replaceAll(/[^\x21-\x7e]/g, '?') || 'unnamed',
      mountPoint,
      shared,
    })
    const driver = options.writeBack
      ? new WriteBackDriver({ clock: systemClock, log, ioTimeout, below: cluster })
      : cluster
    undo.push(() => member.stop())
    await member.start()
    await configured(watch, member)
    undo.push(() => driver.close())
    const operations = new FileOperations({ driver, clock: systemClock })
    const { transport, name } = await serveMount({
      ...{ choice: options.transport, operations, mountPoint, host, clock: systemClock, log },
    })
    const socket = socketPath(mountPoint)
    const control = await serveControl(socket, mountRoutes({ driver, clock: systemClock }))
    undo.push(() => control.close())
    undo.push(new MountRegistry().add({ mountPoint, socket }))
    return {
      mountPoint,
      transport: name,
      closed: transport.closed,
      unmount: abort => takeDown({ host, mountPoint, transport, driver }, abort),
      stop: () => undoAll(undo),
    }
  } catch (error) {
    await undoAll(undo)
    throw error
  }
}

interface Mounted {
  readonly host: LocalHost
  readonly mountPoint: string
  readonly transport: Transport
  readonly driver: VolumeDriver
}

async function takeDown(mounted: Mounted, abort: boolean): Promise<void> {
  const { host, mountPoint, transport, driver } = mounted
  if (abort) driver.abort()
  for (const { device, backingFile } of await host.loops.list()) {
    if (isWithin(backingFile, mountPoint)) await host.loops.detach(device, { abort })
  }
  try {
    await transport.unmount({ abort })
  } catch (error) {
    // Somebody else unmounted it meanwhile: that is what was wanted.
    if (!isSwarmdiskError(error, 'not-found')) throw error
  }
}
