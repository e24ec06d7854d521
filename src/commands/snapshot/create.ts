// swarmdisk snapshot create VOLUME@NAME [VOLUME@NAME…] [--atomic]
import { Args, Flags } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { parseSnapshotNames } from '../../cli/input/snapshot-name.js'
import { renderCreated } from '../../cli/render/snapshots.js'
import type { SnapshotsCreated } from '../../net/admin.js'

export default class SnapshotCreate extends ClusterCommand<SnapshotsCreated> {
  static override readonly summary = 'Keep a volume as it is now, while it goes on being written.'
  static override readonly description =
    'It is one point in time over the whole volume, as after a power cut: what was flushed is in ' +
    'it. Freeze the file system before (fsfreeze) if that is not enough. Writes wait until ' +
    'those under way are durable, 3 s at most. Each mount shows it as .snapshots/VOLUME@NAME.img.'
  static override readonly examples = [
    '<%= config.bin %> snapshot create data@monday',
    '<%= config.bin %> snapshot create data@monday log@monday --atomic',
  ]
  static override readonly args = {
    snapshot: Args.string({
      description: 'VOLUME@NAME; letters, digits, ".", "_", "-"; at most 64',
      multiple: true,
      required: true,
    }),
  }
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    atomic: Flags.boolean({ description: 'several volumes, all at one point in time' }),
  }

  protected override async execute(): Promise<SnapshotsCreated> {
    const { args, flags } = await this.parse(SnapshotCreate)
    const snapshots = parseSnapshotNames(args.snapshot, flags)
    return this.ask(flags, { command: 'snapshot-create', snapshots })
  }

  protected override show(created: SnapshotsCreated): void {
    this.log(renderCreated(created))
  }
}
