// swarmdisk shard promote VOLUME SHARD --server NAME --accept-data-loss [--yes]
import { Args, Flags } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { confirm } from '../../cli/terminal/confirm.js'
import { wholeNumber } from '../../cli/flags.js'

interface Promoted {
  readonly volume: string
  readonly shard: number
  readonly server: string
  readonly epoch: number
}

export default class ShardPromote extends ClusterCommand<Promoted> {
  static override readonly summary =
    'Go on from a copy that was behind, when all in-sync copies of a shard are gone for good.'
  static override readonly description =
    'The last resort: acknowledged writes that this copy does not have are lost, and with them ' +
    'possibly the file system on the volume. Refused while a server with an in-sync copy is not ' +
    'down, or is reached by anybody who is asked. Should one come back later, its copy is ' +
    'overwritten: make sure that none still runs where clients reach it. "status" says which ' +
    'servers a shard waits for, "volume show" where its copies are.'
  static override readonly examples = [
    '<%= config.bin %> shard promote data 3 --server c --accept-data-loss',
  ]
  static override readonly args = {
    volume: Args.string({ required: true }),
    shard: Args.string({ description: 'its number, as "volume show" has it', required: true }),
  }
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    server: Flags.string({
      description: 'the storage server whose copy the shard goes on from',
      helpValue: 'NAME',
      required: true,
    }),
    'accept-data-loss': Flags.boolean({
      description: 'give up the acknowledged writes that this copy does not have',
    }),
    yes: Flags.boolean({ description: 'do not ask on the terminal' }),
  }

  protected override async execute(): Promise<Promoted> {
    const { args, flags } = await this.parse(ShardPromote)
    const { volume } = args
    const { server } = flags
    const shard = wholeNumber(args.shard, 'SHARD')
    if (!flags['accept-data-loss']) {
      throw new SwarmdiskError(
        'bad-input',
        'A copy that was behind lacks acknowledged writes, which would be lost for good: say ' +
          '--accept-data-loss if no server with an in-sync copy will ever be back.',
      )
    }
    if (!flags.yes) {
      await confirm(
        `Shard ${shard} of volume ${volume} goes on from the copy of storage server ${server}. ` +
          'Acknowledged writes that it does not have are lost for good.',
        volume,
      )
    }
    return this.ask(flags, {
      ...{ command: 'shard-promote', volume, shard, server },
      acceptDataLoss: true,
    })
  }

  protected override show({ volume, shard, server, epoch }: Promoted): void {
    this.log(
      `shard ${shard} of volume ${volume} goes on from storage server ${server} since epoch ` +
        `${epoch}: check the file system on the volume`,
    )
  }
}
