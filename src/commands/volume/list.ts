// swarmdisk volume list
import { ClusterCommand } from '../../cli/cluster-command.js'
import { renderVolumes } from '../../cli/render/cluster.js'
import type { VolumeResult } from '../../net/admin.js'

interface Volumes {
  readonly volumes: readonly VolumeResult[]
}

export default class VolumeList extends ClusterCommand<Volumes> {
  static override readonly summary = 'List the volumes and their health.'
  static override readonly examples = [
    '<%= config.bin %> volume list',
    '<%= config.bin %> volume list --json',
  ]
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<Volumes> {
    const { flags } = await this.parse(VolumeList)
    return this.ask(flags, { command: 'volume-list' })
  }

  protected override show({ volumes }: Volumes): void {
    this.log(
      volumes.length > 0
        ? renderVolumes(volumes)
        : 'No volumes yet: make one with "volume create".',
    )
  }
}
