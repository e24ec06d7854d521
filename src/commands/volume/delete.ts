// swarmdisk volume delete NAME
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'

interface Deleted {
  readonly name: string
  readonly epoch: number
}

export default class VolumeDelete extends ClusterCommand<Deleted> {
  static override readonly summary =
    'Delete a volume and its blocks on every server. There is no way back.'
  static override readonly examples = ['<%= config.bin %> volume delete scratch']
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<Deleted> {
    const { args, flags } = await this.parse(VolumeDelete)
    return this.ask(flags, { command: 'volume-delete', name: args.name })
  }

  protected override show({ name }: Deleted): void {
    this.log(`volume ${name} deleted`)
  }
}
