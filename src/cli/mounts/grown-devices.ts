// Loop devices of this host on the image of a volume that has grown, and the commands by which they
// and the file systems on them follow. The kernel asks for the size of an image again a second
// after it did so before, and a loop device knows what the kernel knows; so this waits until it
// does.
import { join } from 'node:path'
import { wait, type Clock } from '../../base/clock.js'
import {
  DEVICE_RELEASE_INTERVAL_MS,
  FUSE_ATTRIBUTE_SECONDS,
  MOUNT_PROBE_DEADLINE_MS,
} from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { imageName } from '../../fuse/file-operations.js'
import { readMountTable, type MountEntry } from '../../fuse/mount-table.js'
import type { Tools } from '../../fuse/run-tool.js'
import type { LoopDevices } from '../loop-devices.js'
import { MountRegistry } from '../mount-registry.js'
import { askMount } from './mount-control.js'

export interface GrownDevice {
  readonly device: string
  /** To be run one after the other. */
  readonly commands: readonly string[]
}

export interface GrownDevicesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly host: { readonly loops: Pick<LoopDevices, 'list'>; readonly tools: Pick<Tools, 'run'> }
}

interface Grown {
  readonly name: string
  readonly size: number
}

/** What cannot be told is left out: the volume has grown all the same. */
export async function grownDevices(
  options: GrownDevicesOptions,
  volume: Grown,
): Promise<readonly GrownDevice[]> {
  try {
    return await lookForDevices(options, volume)
  } catch (error) {
    leaveOut(options, error)
    return []
  }
}

/** An operating error, of ours or of the system; bugs go on. */
function leaveOut({ log }: GrownDevicesOptions, error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code
  if (!(error instanceof Error) || typeof code !== 'string') throw error
  log.info('loop devices are not looked at', { reason: error.message })
}

async function lookForDevices(
  options: GrownDevicesOptions,
  volume: Grown,
): Promise<readonly GrownDevice[]> {
  const found: GrownDevice[] = []
  for (const { mountPoint } of new MountRegistry().list()) {
    const image = join(mountPoint, imageName(volume.name))
    const devices = (await options.host.loops.list()).filter(one => one.backingFile === image)
    if (devices.length === 0) continue
    try {
      await askMount({ mountPoint, volume: volume.name, size: volume.size, what: 'sized' })
      await untilSeen(options, image, volume.size)
    } catch (error) {
      leaveOut(options, error)
      continue
    }
    const mounts = await readMountTable()
    for (const { device } of devices) {
      found.push({ device, commands: [`losetup -c ${device}`, ...growing(mounts, device)] })
    }
  }
  return found
}

/** Not by looking ourselves: the mount may hang. */
async function untilSeen(
  { clock, host }: GrownDevicesOptions,
  image: string,
  size: number,
): Promise<void> {
  const end = clock.now() + 2_000 * FUSE_ATTRIBUTE_SECONDS
  // Our clocks do not keep a process alive, so something has to.
  const alive = setInterval(() => undefined, 2 ** 30)
  try {
    do {
      const seen = await host.tools.run('stat', ['-c', '%s', '--', image], MOUNT_PROBE_DEADLINE_MS)
      if (seen.exitCode === 0 && Number(seen.stdout) === size) return
      await wait(clock, DEVICE_RELEASE_INTERVAL_MS)
    } while (clock.now() < end)
  } finally {
    clearInterval(alive)
  }
}

/** Of file systems that grow while they are mounted. */
export function growing(mounts: readonly MountEntry[], device: string): readonly string[] {
  const on = mounts.find(({ source }) => source === device)
  if (on === undefined) return []
  if (/^ext[234]$/.test(on.type)) return [`resize2fs ${device}`]
  if (on.type === 'xfs') return [`xfs_growfs ${quoted(on.mountPoint)}`]
  if (on.type === 'btrfs') return [`btrfs filesystem resize max ${quoted(on.mountPoint)}`]
  return []
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
