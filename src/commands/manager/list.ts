// swarmdisk manager list
import { ClusterCommand } from '../../cli/cluster-command.js'
import { renderManagerList } from '../../cli/render/managers.js'
import type { ManagerListResult } from '../../net/admin.js'

export default class ManagerList extends ClusterCommand<ManagerListResult> {
  static override readonly summary =
    'List the managers, and the processes that could become managers.'
  static override readonly examples = [
    '<%= config.bin %> manager list',
    '<%= config.bin %> manager list --json',
  ]
  static override readonly flags = { ...ClusterCommand.clusterFlags }

  protected override async execute(): Promise<ManagerListResult> {
    const { flags } = await this.parse(ManagerList)
    return this.ask(flags, { command: 'manager-list' })
  }

  protected override show(result: ManagerListResult): void {
    this.log(renderManagerList(result))
  }
}
