// swarmdisk volume resize NAME --size 20G [--force]
import { Args, Flags } from '@oclif/core'
import { systemClock } from '../../base/clock.js'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { forceFlag } from '../../cli/flags.js'
import { createLog } from '../../cli/log.js'
import { mountHost } from '../../cli/mount-host.js'
import { grownDevices, type GrownDevice } from '../../cli/mounts/grown-devices.js'
import { formatSize, parseSize } from '../../cli/size.js'
import type { VolumeResized } from '../../net/admin.js'

interface Resized extends VolumeResized {
  /** Loop devices of this host, and the commands by which they follow. */
  readonly devices: readonly GrownDevice[]
}

export default class VolumeResize extends ClusterCommand<VolumeResized> {
  static override readonly summary = 'Make a volume larger, while it is in use.'
  static override readonly description =
    'I/O goes on; the new part reads as zeroes, and every mount shows the new size within a ' +
    'second. A loop device follows with "losetup -c", and then the file system on it: the ' +
    'commands are told for devices of this host. Snapshots keep the size of their time. No ' +
    'volume is made smaller. The size that it has already is no error.'
  static override readonly examples = [
    '<%= config.bin %> volume resize data --size 20G',
    '<%= config.bin %> volume resize data --size 20G && losetup -c /dev/loop0 && ' +
      'resize2fs /dev/loop0',
  ]
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    size: Flags.string({ description: 'a multiple of 4096, like 20G', required: true }),
    force: forceFlag,
  }

  protected override async execute(): Promise<Resized> {
    const { args, flags } = await this.parse(VolumeResize)
    const size = parseSize(flags.size, '--size')
    const { name } = args
    const { force } = flags
    const volume = await this.ask(flags, { command: 'volume-resize', name, size, force })
    const base = { clock: systemClock, log: createLog(flags['log-level'], 'volume resize') }
    const devices = await grownDevices({ ...base, host: mountHost(base) }, volume)
    return { ...volume, devices }
  }

  protected override show({ name, size, devices }: Resized): void {
    this.log(`volume ${name} has ${formatSize(size)} now`)
    for (const { device, commands } of devices) {
      this.log(`\n${device} is on it; it and a file system on it follow with:`)
      for (const command of commands) this.log(`  ${command}`)
    }
  }
}
