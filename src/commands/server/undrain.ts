// swarmdisk server undrain NAME
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import type { ServerDrainResult } from '../../net/admin.js'

export default class ServerUndrain extends ClusterCommand<ServerDrainResult> {
  static override readonly summary = 'End the emptying of a storage server: it is used again.'
  static override readonly description =
    'What has moved stays where it is; the server gets its share of new volumes, and of what ' +
    'others hold, as one that joins does.'
  static override readonly examples = ['<%= config.bin %> server undrain b']
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<ServerDrainResult> {
    const { args, flags } = await this.parse(ServerUndrain)
    return this.ask(flags, { command: 'server-undrain', name: args.name })
  }

  protected override show({ name, epoch }: ServerDrainResult): void {
    this.log(`storage server ${name} is used again since epoch ${epoch}`)
  }
}
