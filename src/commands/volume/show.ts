// swarmdisk volume show NAME
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { renderVolumeDetail } from '../../cli/render/cluster.js'
import type { VolumeDetail } from '../../net/admin.js'

export default class VolumeShow extends ClusterCommand<VolumeDetail> {
  static override readonly summary = 'Show one volume and where each of its shards lives.'
  static override readonly examples = ['<%= config.bin %> volume show data']
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<VolumeDetail> {
    const { args, flags } = await this.parse(VolumeShow)
    return this.ask(flags, { command: 'volume-show', name: args.name })
  }

  protected override show(volume: VolumeDetail): void {
    this.log(renderVolumeDetail(volume))
  }
}
