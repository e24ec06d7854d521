// swarmdisk status [--watch]
import { Flags } from '@oclif/core'
import { ClusterCommand } from '../cli/cluster-command.js'
import { renderStatus } from '../cli/render/cluster.js'
import type { StatusResult } from '../net/admin.js'

export default class Status extends ClusterCommand<StatusResult> {
  static override readonly summary =
    'Show epoch, health, managers, servers, volumes, and what is syncing or held.'
  static override readonly examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --watch',
    '<%= config.bin %> status --json',
  ]
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    watch: Flags.boolean({ description: 'show it again every second until Ctrl-C' }),
  }

  protected override async execute(): Promise<StatusResult> {
    const { flags } = await this.parse(Status)
    if (!flags.watch) return this.ask(flags, { command: 'status' })
    return this.repeat(
      flags,
      () => ({ command: 'status' }),
      status => {
        if (this.jsonEnabled()) this.logJson(status)
        else process.stdout.write(`${clearScreen()}${renderStatus(status)}\n`)
      },
    )
  }

  protected override show(status: StatusResult): void {
    this.log(renderStatus(status))
  }
}

/** Only a terminal is cleared: a pipe gets one status after the other. */
function clearScreen(): string {
  return process.stdout.isTTY ? '\u001b[2J\u001b[H' : ''
}
