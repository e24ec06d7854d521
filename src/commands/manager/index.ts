// swarmdisk manager --data DIR [--key K] [--bootstrap H:P] [--new] [--host ADDR]
import { Flags } from '@oclif/core'
import { systemClock } from '../../base/clock.js'
import { JOIN_NOTICE_MS } from '../../base/limits.js'
import { SwarmdiskCommand } from '../../cli/base-command.js'
import {
  clusterFlags,
  parsePort,
  portFlag,
  requiredDataFlag,
  roleLogFlags,
} from '../../cli/flags.js'
import { parseDuration } from '../../cli/duration.js'
import { createLog } from '../../cli/log.js'
import { clusterAccess } from '../../cli/processes/cluster-access.js'
import {
  startManager,
  type JoinedManager,
  type ManagerProcess,
} from '../../cli/processes/manager-process.js'
import { toleranceNote } from '../../cli/render/managers.js'
import { untilSignal } from '../../cli/signals.js'

export default class ManagerCommand extends SwarmdiskCommand<undefined> {
  static override readonly summary =
    'Run a manager: with the others it decides the configuration of the cluster.'
  static override readonly description =
    'With --new it starts a cluster in an empty data directory. Without, it goes on as what the ' +
    'directory says, or joins the cluster of its key if that is empty. It is ready when it is a ' +
    'member. Run three of them, or five, each on a host of its own: a majority must be up for ' +
    'the configuration to change.'
  static override readonly examples = [
    '<%= config.bin %> manager --data /srv/swarmdisk/manager --new',
    '<%= config.bin %> manager --data /srv/swarmdisk/manager',
    '<%= config.bin %> manager --data /srv/swarmdisk/manager --rebuild-after 1h',
  ]
  static override readonly flags = {
    ...clusterFlags,
    ...roleLogFlags,
    data: requiredDataFlag,
    port: portFlag,
    new: Flags.boolean({ description: 'start a new cluster' }),
    'rebuild-after': Flags.string({
      description:
        'while this manager leads, make the copies of a storage server anew on others when it ' +
        'has been down for this long',
      default: '10m',
    }),
    // For `dev`, where more hosts are not what is wanted.
    advice: Flags.boolean({ hidden: true, allowNo: true, default: true }),
  }

  protected override async execute(): Promise<undefined> {
    const { flags } = await this.parse(ManagerCommand)
    const manager = await startManager({
      access: clusterAccess(flags, flags.data),
      data: flags.data,
      newCluster: flags.new,
      port: parsePort(flags.port, '--port'),
      rebuildAfter: parseDuration(flags['rebuild-after'], '--rebuild-after'),
      log: createLog(flags['log-level'], 'manager'),
    })
    const { id } = manager
    const stopped = untilSignal()
    try {
      const joined = await Promise.race([this.#membership(manager), stopped])
      if (!joined) return
      const { epoch, managers } = joined
      const note = toleranceNote(managers)
      const begins = flags.new || manager.fresh
      if (note !== null && begins && flags.advice) this.logToStderr(note)
      this.announce(`manager ${id.slice(0, 16)} at epoch ${epoch}`, { id, epoch, data: flags.data })
      await stopped
    } finally {
      await manager.stop()
    }
  }

  /** A member is one at once; whoever else waits says for what. */
  async #membership(manager: ManagerProcess): Promise<JoinedManager> {
    const notice = systemClock.after(JOIN_NOTICE_MS, () => this.logToStderr(manager.waitingFor()))
    try {
      return await manager.joined
    } finally {
      notice.cancel()
    }
  }

  protected override show(): void {
    // Its ready line is all there is to show.
  }
}
