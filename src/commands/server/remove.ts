// swarmdisk server remove NAME [--force]
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { forceFlag } from '../../cli/flags.js'

interface Removed {
  readonly name: string
  readonly epoch: number
}

export default class ServerRemove extends ClusterCommand<Removed> {
  static override readonly summary = 'Take a storage server out of the cluster, with its copies.'
  static override readonly description =
    'Refused while it holds the last in-sync copy of something, whatever the flags. Refused also ' +
    'where a volume could then no longer have all its replicas, unless with --force.'
  static override readonly examples = [
    '<%= config.bin %> server remove b',
    '<%= config.bin %> server remove b --force',
  ]
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = { ...ClusterCommand.clusterFlags, force: forceFlag }

  protected override async execute(): Promise<Removed> {
    const { args, flags } = await this.parse(ServerRemove)
    return this.ask(flags, { command: 'server-remove', name: args.name, force: flags.force })
  }

  protected override show({ name, epoch }: Removed): void {
    this.log(`storage server ${name} is no member any more since epoch ${epoch}`)
  }
}
