// swarmdisk snapshot delete VOLUME@NAME
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { parseSnapshotName, snapshotText } from '../../cli/input/snapshot-name.js'
import type { SnapshotChanged } from '../../net/admin.js'

export default class SnapshotDelete extends ClusterCommand<SnapshotChanged> {
  static override readonly summary = 'Delete a snapshot. There is no way back.'
  static override readonly description =
    'Neither the volume nor its other snapshots change. The space that only this one needed ' +
    'comes back in the background, on each server by itself.'
  static override readonly examples = ['<%= config.bin %> snapshot delete data@monday']
  static override readonly args = {
    snapshot: Args.string({ description: 'VOLUME@NAME', required: true }),
  }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<SnapshotChanged> {
    const { args, flags } = await this.parse(SnapshotDelete)
    const { volume, name } = parseSnapshotName(args.snapshot)
    return this.ask(flags, { command: 'snapshot-delete', volume, name })
  }

  protected override show(deleted: SnapshotChanged): void {
    this.log(`snapshot ${snapshotText(deleted)} deleted`)
  }
}
