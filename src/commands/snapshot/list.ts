// swarmdisk snapshot list [VOLUME]
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { renderSnapshots } from '../../cli/render/snapshots.js'
import type { SnapshotListResult } from '../../net/admin.js'

export default class SnapshotList extends ClusterCommand<SnapshotListResult> {
  static override readonly summary = 'List the snapshots of one volume, or of all.'
  static override readonly examples = [
    '<%= config.bin %> snapshot list',
    '<%= config.bin %> snapshot list data --json',
  ]
  static override readonly args = { volume: Args.string({ required: false }) }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<SnapshotListResult> {
    const { args, flags } = await this.parse(SnapshotList)
    return this.ask(flags, { command: 'snapshot-list', volume: args.volume ?? null })
  }

  protected override show({ snapshots }: SnapshotListResult): void {
    this.log(
      snapshots.length > 0
        ? renderSnapshots(snapshots)
        : 'No snapshots yet: make one with "snapshot create VOLUME@NAME".',
    )
  }
}
