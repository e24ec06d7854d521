// swarmdisk manager remove ID [--force]
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { forceFlag } from '../../cli/flags.js'
import type { ManagerChangeResult } from '../../cli/render/managers.js'

export default class ManagerRemove extends ClusterCommand<ManagerChangeResult> {
  static override readonly summary = 'Take a manager out of the cluster, running or not.'
  static override readonly description =
    'Its process may go on: it then waits for "manager add" to take it back. The others need a ' +
    'majority of the managers to agree, the one that leaves included.'
  static override readonly examples = ['<%= config.bin %> manager remove 5f0c2a91']
  static override readonly args = {
    id: Args.string({
      description: 'its identity, or a beginning that no other has',
      required: true,
    }),
  }
  static override readonly flags = { ...ClusterCommand.clusterFlags, force: forceFlag }

  protected override async execute(): Promise<ManagerChangeResult> {
    const { args, flags } = await this.parse(ManagerRemove)
    return this.ask(flags, { command: 'manager-remove', manager: args.id, force: flags.force })
  }

  protected override show({ id, epoch }: ManagerChangeResult): void {
    this.log(`manager ${id.slice(0, 16)} is no member any more since epoch ${epoch}`)
  }
}
