// swarmdisk cluster key --data DIR
import { SwarmdiskCommand } from '../../cli/base-command.js'
import { dataFlag, keyFlags } from '../../cli/flags.js'
import { clusterAccess } from '../../cli/processes/cluster-access.js'

interface KnownKey {
  readonly key: string
}

export default class ClusterKeyCommand extends SwarmdiskCommand<KnownKey> {
  static override readonly summary = 'Print the cluster key that a data directory keeps.'
  static override readonly examples = ['<%= config.bin %> cluster key --data /srv/swarmdisk']
  static override readonly flags = { ...keyFlags, data: dataFlag }

  protected override async execute(): Promise<KnownKey> {
    const { flags } = await this.parse(ClusterKeyCommand)
    const { key } = clusterAccess({ ...flags, 'log-level': 'silent' }, flags.data)
    return { key: key.reveal() }
  }

  protected override show({ key }: KnownKey): void {
    this.log(key)
  }
}
