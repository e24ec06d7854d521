// swarmdisk epoch show N
import { Args } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { wholeNumber } from '../../cli/flags.js'
import { renderEpoch } from '../../cli/render/cluster.js'
import type { EpochResult } from '../../net/admin.js'

export default class EpochShow extends ClusterCommand<EpochResult> {
  static override readonly summary = 'Show one epoch: what changed, who proposed it, who voted how.'
  static override readonly examples = ['<%= config.bin %> epoch show 12']
  static override readonly args = { epoch: Args.string({ required: true }) }
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<EpochResult> {
    const { args, flags } = await this.parse(EpochShow)
    return this.ask(flags, { command: 'epoch-show', epoch: wholeNumber(args.epoch, 'The epoch') })
  }

  protected override show(record: EpochResult): void {
    this.log(renderEpoch(record))
  }
}
