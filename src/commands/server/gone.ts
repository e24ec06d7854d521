// swarmdisk server gone --data DIR
import { SwarmdiskError } from '../../base/errors.js'
import { SwarmdiskCommand } from '../../cli/base-command.js'
import { clusterFlags, requiredDataFlag } from '../../cli/flags.js'
import { createLog } from '../../cli/log.js'
import { clusterAccess } from '../../cli/processes/cluster-access.js'
import { tellGone, type Telling } from '../../cli/supervision/tell-gone.js'

interface Gone {
  readonly told: boolean
}

export default class ServerGone extends SwarmdiskCommand<Gone> {
  static override readonly summary =
    'Tell the managers that the storage server of a data directory has died.'
  static override readonly description =
    'For whatever starts it: then nobody has to wait for its lease to end. It looks by itself ' +
    'whether the process is gone, and says nothing if it was stopped in order, which it has told ' +
    'itself, or if that is not certain.'
  static override readonly examples = [
    '<%= config.bin %> server gone --data /srv/swarmdisk/storage',
    'ExecStopPost=<%= config.bin %> server gone --data /srv/swarmdisk/storage',
  ]
  static override readonly flags = { ...clusterFlags, data: requiredDataFlag }

  protected override async execute(): Promise<Gone> {
    const { flags } = await this.parse(ServerGone)
    const log = createLog(flags['log-level'], 'gone')
    const access = clusterAccess(flags, flags.data)
    return { told: isTold(await tellGone({ access, data: flags.data, log }), flags.data) }
  }

  protected override show({ told }: Gone): void {
    this.log(told ? 'the others go on without it' : 'it was stopped in order: nothing to tell')
  }
}

function isTold(telling: Telling, data: string): boolean {
  switch (telling.kind) {
    case 'told':
      return true
    case 'released':
      return false
    case 'lives':
      throw new SwarmdiskError(
        'in-use',
        `Process ${telling.pid} has ${data} in use and lives: stop it in order instead.`,
      )
    case 'unknown':
      throw new SwarmdiskError(
        'refused',
        `Whether the process of ${data} has ended cannot be told here: it was one of another ` +
          'host or container, or from before this host was booted. The managers wait until its ' +
          'lease is over.',
      )
    case 'unheard':
      throw new SwarmdiskError(
        'unreachable',
        'No manager took it, or another start is on record: look with "server list".',
      )
  }
}
