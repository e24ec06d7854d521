// swarmdisk manager --data DIR [--key K] [--bootstrap H:P] [--new] [--host ADDR]
import { Flags } from '@oclif/core'
import { SwarmdiskCommand } from '../../cli/base-command.js'
import {
  clusterFlags,
  parsePort,
  portFlag,
  requiredDataFlag,
  roleLogFlags,
} from '../../cli/flags.js'
import { createLog } from '../../cli/log.js'
import { clusterAccess } from '../../cli/processes/cluster-access.js'
import { startManager } from '../../cli/processes/manager-process.js'
import { untilSignal } from '../../cli/signals.js'

export default class ManagerCommand extends SwarmdiskCommand<undefined> {
  static override readonly summary = 'Run a manager: it decides the configuration of the cluster.'
  static override readonly description =
    'With --new it starts a cluster in an empty data directory; without, it goes on with the one ' +
    'that the directory holds. This release has one manager for each cluster.'
  static override readonly examples = [
    '<%= config.bin %> manager --data /srv/swarmdisk/manager --new',
    '<%= config.bin %> manager --data /srv/swarmdisk/manager',
  ]
  static override readonly flags = {
    ...clusterFlags,
    ...roleLogFlags,
    data: requiredDataFlag,
    port: portFlag,
    new: Flags.boolean({ description: 'start a new cluster' }),
  }

  protected override async execute(): Promise<undefined> {
    const { flags } = await this.parse(ManagerCommand)
    const manager = await startManager({
      access: clusterAccess(flags, flags.data),
      data: flags.data,
      newCluster: flags.new,
      port: parsePort(flags.port, '--port'),
      log: createLog(flags['log-level'], 'manager'),
    })
    const { id, epoch } = manager
    this.announce(`manager ${id.slice(0, 16)} at epoch ${epoch}`, { id, epoch, data: flags.data })
    await untilSignal()
    await manager.stop()
  }

  protected override show(): void {
    // Its ready line is all there is to show.
  }
}
