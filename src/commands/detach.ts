// swarmdisk detach DEVICE|VOLUME|VOLUME@SNAPSHOT [--abort]
import { basename, dirname } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { systemClock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { logFlags } from '../cli/flags.js'
import { isSnapshotName } from '../cli/input/snapshot-name.js'
import { createLog } from '../cli/log.js'
import { askMount } from '../cli/mounts/mount-control.js'
import { mountHost } from '../cli/mount-host.js'
import { IMAGE_SUFFIX, imageName } from '../fuse/file-operations.js'
import type { ImageUsers } from '../fuse/unmount.js'

interface Detached {
  readonly device: string
}

export default class Detach extends SwarmdiskCommand<Detached> {
  static override readonly summary =
    'Undo what stands on a volume: file system, loop device, then the right to write.'
  static override readonly description =
    'Works also when the mount below has died. If something is busy, it names the process.'
  static override readonly examples = [
    '<%= config.bin %> detach data',
    '<%= config.bin %> detach data@monday',
    '<%= config.bin %> detach /dev/loop0 --abort',
  ]
  static override readonly args = {
    device: Args.string({
      description: 'a loop device, or the name of a volume or snapshot',
      required: true,
    }),
  }
  static override readonly flags = {
    ...logFlags,
    abort: Flags.boolean({ description: 'unmount also what is in use' }),
  }

  protected override async execute(): Promise<Detached> {
    const { args, flags } = await this.parse(Detach)
    const host = mountHost({ clock: systemClock, log: createLog(flags['log-level'], 'detach') })
    const device = args.device.startsWith('/')
      ? args.device
      : await deviceOf(host.loops, args.device)
    const attached = (await host.loops.list()).find(other => other.device === device)
    await host.loops.detach(device, { abort: flags.abort })
    if (attached) await releasedBy(attached.backingFile)
    return { device }
  }

  protected override show({ device }: Detached): void {
    this.log(`${device} is detached`)
  }
}

/** Another mount may have it when the command returns. */
async function releasedBy(image: string): Promise<void> {
  const name = basename(image)
  if (!name.endsWith(IMAGE_SUFFIX)) return
  const volume = name.slice(0, -IMAGE_SUFFIX.length)
  if (isSnapshotName(volume)) return // nobody ever has it for writing
  await askMount({ mountPoint: dirname(image), volume, takeover: false, what: 'released' })
}

async function deviceOf(loops: ImageUsers, volume: string): Promise<string> {
  const attached = await loops.list()
  const devices = attached.filter(({ backingFile }) => basename(backingFile) === imageName(volume))
  const what = `${isSnapshotName(volume) ? 'Snapshot' : 'Volume'} ${volume}`
  const [only, ...more] = devices
  if (only && more.length === 0) return only.device
  if (only) {
    const names = devices.map(({ device }) => device).join(', ')
    throw new SwarmdiskError('bad-input', `${what} is on ${names}: name the device.`)
  }
  throw new SwarmdiskError('not-found', `${what} is on no loop device of this host.`)
}
