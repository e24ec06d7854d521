// swarmdisk volume set NAME [--snapshots hourly=24,daily=7] [--min-in-sync N] [--force]
import { Args, Flags } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { forceFlag, wholeNumber } from '../../cli/flags.js'
import { parseSchedules } from '../../cli/input/schedules.js'
import { renderVolumeSettings } from '../../cli/render/cluster.js'
import type { VolumeResult } from '../../net/admin.js'

export default class VolumeSet extends ClusterCommand<VolumeResult> {
  static override readonly summary = 'Change what a volume was made with, while it is in use.'
  static override readonly description =
    'Snapshots by schedule are made by the managers at the beginning of each hour, day, week ' +
    '(on Monday) or month, in UTC, and named after it, like daily-20260131T0000Z. When there ' +
    'are more of a kind than are kept, the oldest one is deleted.'
  static override readonly examples = [
    '<%= config.bin %> volume set data --snapshots hourly=24,daily=7',
    '<%= config.bin %> volume set data --snapshots none',
    '<%= config.bin %> volume set data --min-in-sync 2',
  ]
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    snapshots: Flags.string({
      description: 'how many hourly, daily, weekly and monthly snapshots are kept, or "none"',
      helpValue: 'hourly=24,daily=7',
    }),
    'min-in-sync': Flags.string({
      description: 'writes wait while fewer copies are in-sync',
    }),
    force: forceFlag,
  }

  protected override async execute(): Promise<VolumeResult> {
    const { args, flags } = await this.parse(VolumeSet)
    const { snapshots, 'min-in-sync': minInSync, force } = flags
    if (snapshots === undefined && minInSync === undefined) {
      const message = 'There is nothing to set: give --snapshots or --min-in-sync.'
      throw new SwarmdiskError('bad-input', message)
    }
    return this.ask(flags, {
      ...{ command: 'volume-set', name: args.name, force },
      snapshots: snapshots === undefined ? null : parseSchedules(snapshots),
      minInSync: minInSync === undefined ? null : wholeNumber(minInSync, '--min-in-sync'),
    })
  }

  protected override show(volume: VolumeResult): void {
    this.log(renderVolumeSettings(volume))
  }
}
