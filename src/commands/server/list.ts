// swarmdisk server list
import { ClusterCommand } from '../../cli/cluster-command.js'
import { renderServers } from '../../cli/render/servers.js'
import type { ServerResult } from '../../net/admin.js'

interface Servers {
  readonly servers: readonly ServerResult[]
}

export default class ServerList extends ClusterCommand<Servers> {
  static override readonly summary = 'List the storage servers.'
  static override readonly examples = ['<%= config.bin %> server list']
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<Servers> {
    const { flags } = await this.parse(ServerList)
    return this.ask(flags, { command: 'server-list' })
  }

  protected override show({ servers }: Servers): void {
    this.log(
      servers.length > 0
        ? renderServers(servers)
        : 'No storage servers yet: start one with "swarmdisk storage".',
    )
  }
}
