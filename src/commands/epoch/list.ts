// swarmdisk epoch list
import { Flags } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { wholeNumber } from '../../cli/flags.js'
import { renderEpochs } from '../../cli/render/cluster.js'
import type { EpochResult } from '../../net/admin.js'

interface Epochs {
  readonly epochs: readonly EpochResult[]
}

export default class EpochList extends ClusterCommand<Epochs> {
  static override readonly summary = 'List the changes of the configuration, the newest last.'
  static override readonly examples = [
    '<%= config.bin %> epoch list',
    '<%= config.bin %> epoch list --from 1 --limit 10',
  ]
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    from: Flags.string({ description: 'first epoch to list; default: the newest ones' }),
    limit: Flags.string({ description: 'how many at most', default: '100' }),
  }

  protected override async execute(): Promise<Epochs> {
    const { flags } = await this.parse(EpochList)
    return this.ask(flags, {
      command: 'epoch-list',
      from: flags.from === undefined ? null : wholeNumber(flags.from, '--from'),
      limit: wholeNumber(flags.limit, '--limit'),
    })
  }

  protected override show({ epochs }: Epochs): void {
    this.log(renderEpochs(epochs))
  }
}
