// swarmdisk manager add ID [--force]
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { forceFlag } from '../../cli/flags.js'
import type { ManagerChangeResult } from '../../cli/render/managers.js'

export default class ManagerAdd extends ClusterCommand<ManagerChangeResult> {
  static override readonly summary = 'Take a manager process into the cluster, or back into it.'
  static override readonly description =
    'A manager with a new data directory joins by itself; one that was removed waits for this ' +
    'command. It must be running: "manager list" shows it as a candidate.'
  static override readonly examples = ['<%= config.bin %> manager add 5f0c2a91']
  static override readonly args = {
    id: Args.string({
      description: 'its identity, or a beginning that no other has',
      required: true,
    }),
  }
  static override readonly flags = { ...ClusterCommand.clusterFlags, force: forceFlag }

  protected override async execute(): Promise<ManagerChangeResult> {
    const { args, flags } = await this.parse(ManagerAdd)
    return this.ask(flags, { command: 'manager-add', manager: args.id, force: flags.force })
  }

  protected override show({ id, epoch }: ManagerChangeResult): void {
    this.log(`manager ${id.slice(0, 16)} is a member since epoch ${epoch}`)
  }
}
