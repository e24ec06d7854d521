// Commands that ask the cluster something. They use the socket of a process of this host if --data
// names its directory, else join the swarm as a client for the moment.
import type { AdminCommand } from '../net/admin.js'
import { systemClock, wait } from '../base/clock.js'
import { COMMAND_DEADLINE_MS } from '../base/limits.js'
import { unwrap } from '../client/admin-client.js'
import { SwarmdiskCommand } from './base-command.js'
import { clusterFlags, dataFlag, type ClusterFlags } from './flags.js'
import { createLog } from './log.js'
import { onSignals } from './signals.js'
import { openAdminChannel, type AdminChannel } from './processes/admin-channel.js'

export type AskFlags = ClusterFlags & { readonly data?: string | undefined }

const WATCH_INTERVAL_MS = 1_000

export abstract class ClusterCommand<Result extends object> extends SwarmdiskCommand<Result> {
  static readonly clusterFlags = { ...clusterFlags, data: dataFlag }

  /** The answer, or the refusal as a typed error. */
  protected async ask(flags: AskFlags, command: AdminCommand): Promise<Result> {
    const channel = await this.channel(flags)
    try {
      return unwrap(await channel.ask(command, COMMAND_DEADLINE_MS)) as Result
    } finally {
      await channel.close()
    }
  }

  /** Asks again and again until the process is told to stop, which is how it ends well. */
  protected async repeat(
    flags: AskFlags,
    command: () => AdminCommand,
    each: (result: Result) => void,
  ): Promise<never> {
    // Nothing here has to be undone, so it leaves at once, also out of a question under way.
    onSignals(() => process.exit(0))
    const channel = await this.channel(flags)
    for (;;) {
      each(unwrap(await channel.ask(command(), COMMAND_DEADLINE_MS)) as Result)
      await wait(systemClock, WATCH_INTERVAL_MS)
    }
  }

  /** Asks something else again and again until the answer will do. */
  protected async repeatUntil(
    flags: AskFlags,
    command: AdminCommand,
    enough: (answer: unknown) => boolean,
  ): Promise<void> {
    const channel = await this.channel(flags)
    try {
      while (!enough(unwrap(await channel.ask(command, COMMAND_DEADLINE_MS)))) {
        await wait(systemClock, WATCH_INTERVAL_MS)
      }
    } finally {
      await channel.close()
    }
  }

  protected channel(flags: AskFlags): Promise<AdminChannel> {
    const log = createLog(flags['log-level'], this.id ?? 'swarmdisk')
    return openAdminChannel({ flags, log, deadline: COMMAND_DEADLINE_MS })
  }
}
