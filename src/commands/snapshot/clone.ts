// swarmdisk snapshot clone VOLUME@NAME NEW
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { parseSnapshotName } from '../../cli/input/snapshot-name.js'
import { renderVolumes } from '../../cli/render/cluster.js'
import type { VolumeCloned } from '../../net/admin.js'

export default class SnapshotClone extends ClusterCommand<VolumeCloned> {
  static override readonly summary = 'Make a volume that begins as what a snapshot shows.'
  static override readonly description =
    'At once, without copying: the new volume shares with its origin what neither changes. It ' +
    'can be written, and have snapshots, like any other. The snapshot cannot be deleted while ' +
    'it is the origin of a clone: "volume flatten" makes the clone need it no more.'
  static override readonly examples = ['<%= config.bin %> snapshot clone data@monday trial']
  static override readonly args = {
    snapshot: Args.string({ description: 'VOLUME@NAME', required: true }),
    name: Args.string({ description: 'of the new volume', required: true }),
  }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<VolumeCloned> {
    const { args, flags } = await this.parse(SnapshotClone)
    const { volume, name: snapshot } = parseSnapshotName(args.snapshot)
    return this.ask(flags, { command: 'snapshot-clone', volume, snapshot, name: args.name })
  }

  protected override show(volume: VolumeCloned): void {
    this.log(`volume ${volume.name} made of ${volume.origin ?? ''} in epoch ${volume.epoch}\n`)
    this.log(renderVolumes([volume]))
  }
}
