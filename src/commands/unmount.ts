// swarmdisk unmount DIR [--abort]
import { Args, Flags } from '@oclif/core'
import { systemClock } from '../base/clock.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { logFlags } from '../cli/flags.js'
import { createLog } from '../cli/log.js'
import { mountHost } from '../cli/mount-host.js'
import { MountRegistry } from '../cli/mount-registry.js'
import { untilGone } from '../cli/processes/live-process.js'
import { canonical, unmountMount } from '../fuse/unmount.js'

interface Unmounted {
  readonly mountPoint: string
}

export default class Unmount extends SwarmdiskCommand<Unmounted> {
  static override readonly summary = 'Take a mount away, also one whose process has died.'
  static override readonly description =
    'Refuses, and names the user, while something stands on it. --abort ends all I/O that waits ' +
    'and undoes file systems, loop devices and the mount at once: what was not flushed is lost.'
  static override readonly examples = [
    '<%= config.bin %> unmount /mnt/swarmdisk',
    '<%= config.bin %> unmount /mnt/swarmdisk --abort',
  ]
  static override readonly args = {
    dir: Args.string({ description: 'the mount point', required: true }),
  }
  static override readonly flags = {
    ...logFlags,
    abort: Flags.boolean({ description: 'end everything that waits or is in use' }),
  }

  protected override async execute(): Promise<Unmounted> {
    const { args, flags } = await this.parse(Unmount)
    const host = mountHost({ clock: systemClock, log: createLog(flags['log-level'], 'unmount') })
    const mountPoint = await canonical(args.dir)
    const served = new MountRegistry().find(mountPoint)
    await unmountMount(host, mountPoint, { abort: flags.abort })
    if (served) await untilGone(served.process)
    return { mountPoint }
  }

  protected override show({ mountPoint }: Unmounted): void {
    this.log(`${mountPoint} is unmounted`)
  }
}
