// swarmdisk volume flatten NAME
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import type { VolumeFlattened } from '../../net/admin.js'

export default class VolumeFlatten extends ClusterCommand<VolumeFlattened> {
  static override readonly summary = 'Make a clone need its origin no more.'
  static override readonly description =
    'The snapshot that it was made of can be deleted from then on. Each server merges what the ' +
    'clone inherited in the background, by itself; the volume can be used all the time.'
  static override readonly examples = ['<%= config.bin %> volume flatten trial']
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<VolumeFlattened> {
    const { args, flags } = await this.parse(VolumeFlatten)
    return this.ask(flags, { command: 'volume-flatten', name: args.name })
  }

  protected override show({ name, origin, epoch }: VolumeFlattened): void {
    this.log(`volume ${name} needs ${origin} no more since epoch ${epoch}`)
  }
}
