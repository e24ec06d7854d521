// swarmdisk server drain NAME [--wait] [--force]
import { Args, Flags } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { ClusterCommand } from '../../cli/cluster-command.js'
import { forceFlag } from '../../cli/flags.js'
import { ProgressLine } from '../../cli/render/progress-line.js'
import { renderDrain } from '../../cli/render/servers.js'
import type { DrainResult, ServerDrainResult, ServerResult } from '../../net/admin.js'

interface Servers {
  readonly servers: readonly ServerResult[]
}

export default class ServerDrain extends ClusterCommand<ServerDrainResult> {
  static override readonly summary = 'Have a storage server emptied, so that it can be removed.'
  static override readonly description =
    'Its copies are made on other servers first and given up then, a few at a time, while ' +
    'clients go on; it gets nothing new. "server list" and "status" show what is left, ' +
    '"server undrain" ends it. Refused where a volume could then no longer have all its ' +
    'replicas, unless with --force.'
  static override readonly examples = [
    '<%= config.bin %> server drain b',
    '<%= config.bin %> server drain b --wait',
  ]
  static override readonly args = { name: Args.string({ required: true }) }
  static override readonly flags = {
    ...ClusterCommand.clusterFlags,
    force: forceFlag,
    wait: Flags.boolean({ description: 'return when it is empty, and show how far it is' }),
  }

  protected override async execute(): Promise<ServerDrainResult> {
    const { args, flags } = await this.parse(ServerDrain)
    const { name } = args
    const begun = await this.ask(flags, { command: 'server-drain', name, force: flags.force })
    if (!flags.wait) return begun
    const line = new ProgressLine(process.stderr)
    let drain: DrainResult | null = begun.drain
    try {
      await this.repeatUntil(flags, { command: 'server-list' }, answer => {
        drain = drainOf((answer as Servers).servers, name)
        line.show(drain)
        return drain.shardsLeft === 0
      })
    } finally {
      line.end()
    }
    return { ...begun, drain }
  }

  protected override show({ name, epoch, drain }: ServerDrainResult): void {
    this.log(renderDrain({ name, epoch, drain }))
  }
}

/** Somebody else may have ended it, and then it never becomes empty. */
function drainOf(servers: readonly ServerResult[], name: string): DrainResult {
  const drain = servers.find(server => server.name === name)?.drain
  if (drain) return drain
  throw new SwarmdiskError(
    'refused',
    `Storage server "${name}" is no longer being emptied: somebody has undrained or removed it.`,
  )
}
