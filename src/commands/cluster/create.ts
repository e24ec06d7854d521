// swarmdisk cluster create
import { systemRandom } from '../../base/random.js'
import { SwarmdiskCommand } from '../../cli/base-command.js'
import { ClusterKey } from '../../net/cluster-key.js'

interface NewCluster {
  readonly key: string
}

export default class ClusterCreate extends SwarmdiskCommand<NewCluster> {
  static override readonly summary = 'Make a cluster key. Whoever has it can join: keep it secret.'
  static override readonly description =
    'The key is printed once and kept nowhere. Give it to every process of the cluster with ' +
    'SWARMDISK_KEY, --key-file or --key; data directories remember it.'
  static override readonly examples = [
    '<%= config.bin %> cluster create',
    '<%= config.bin %> cluster create --json',
    'export SWARMDISK_KEY=$(<%= config.bin %> cluster create)',
  ]

  protected override async execute(): Promise<NewCluster> {
    await this.parse(ClusterCreate)
    return { key: ClusterKey.generate(systemRandom).reveal() }
  }

  protected override show({ key }: NewCluster): void {
    this.log(key)
  }
}
