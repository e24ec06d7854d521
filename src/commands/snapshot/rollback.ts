// swarmdisk snapshot rollback VOLUME@NAME [--yes]
import { Args, Flags } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { parseSnapshotName } from '../../cli/input/snapshot-name.js'
import { confirm } from '../../cli/terminal/confirm.js'
import type { SnapshotChanged } from '../../net/admin.js'

export default class SnapshotRollback extends ClusterCommand<SnapshotChanged> {
  static override readonly summary = 'Make a volume what it was when a snapshot of it was made.'
  static override readonly description =
    'What was written since is lost, unless another snapshot has it: make one before if in ' +
    'doubt. All snapshots stay. Refused while somebody may write to the volume: unmount and ' +
    'detach it first, so that no file system goes on with what it remembers.'
  static override readonly examples = ['<%= config.bin %> snapshot rollback data@monday']
  static override readonly args = {
    snapshot: Args.string({ description: 'VOLUME@NAME', required: true }),
  }
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    yes: Flags.boolean({ description: 'do not ask on the terminal' }),
  }

  protected override async execute(): Promise<SnapshotChanged> {
    const { args, flags } = await this.parse(SnapshotRollback)
    const { volume, name } = parseSnapshotName(args.snapshot)
    if (!flags.yes) {
      await confirm(
        `Volume ${volume} becomes what it was when snapshot ${name} was made. What was written ` +
          'to it since and is in no other snapshot is lost for good.',
        volume,
      )
    }
    return this.ask(flags, { command: 'snapshot-rollback', volume, name })
  }

  protected override show({ volume, name, epoch }: SnapshotChanged): void {
    this.log(`volume ${volume} is what snapshot ${name} has since epoch ${epoch}`)
  }
}
