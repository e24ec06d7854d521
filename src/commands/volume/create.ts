// swarmdisk volume create NAME --size 10G [--replicas 3] [--min-in-sync N] [--force]
import { Args, Flags } from '@oclif/core'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { renderVolumes } from '../../cli/render/cluster.js'
import { forceFlag, wholeNumber } from '../../cli/flags.js'
import { formatSize, parseSize } from '../../cli/size.js'
import type { VolumeResult } from '../../net/admin.js'

export default class VolumeCreate extends ClusterCommand<VolumeResult> {
  static override readonly summary = 'Make a volume: a thin virtual disk, replicated on servers.'
  static override readonly examples = [
    '<%= config.bin %> volume create data --size 10G',
    '<%= config.bin %> volume create scratch --size 512M --replicas 2 --min-in-sync 1',
  ]
  static override readonly args = {
    name: Args.string({
      description: 'letters, digits, ".", "_", "-"; at most 64',
      required: true,
    }),
  }
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    size: Flags.string({ description: 'a multiple of 4096, like 10G', required: true }),
    replicas: Flags.string({ description: 'copies of every block', default: '3' }),
    'min-in-sync': Flags.string({
      description: 'writes wait while fewer copies are in-sync; default: a majority',
    }),
    force: forceFlag,
  }

  protected override async execute(): Promise<VolumeResult> {
    const { args, flags } = await this.parse(VolumeCreate)
    const minInSync = flags['min-in-sync']
    return this.ask(flags, {
      command: 'volume-create',
      name: args.name,
      size: parseSize(flags.size, '--size'),
      replicas: wholeNumber(flags.replicas, '--replicas'),
      minInSync: minInSync === undefined ? null : wholeNumber(minInSync, '--min-in-sync'),
      force: flags.force,
    })
  }

  protected override show(volume: VolumeResult): void {
    this.log(`volume ${volume.name} created, ${formatSize(volume.size)}\n`)
    this.log(renderVolumes([volume]))
  }
}
