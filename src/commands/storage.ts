// swarmdisk storage --data DIR [--name N] [--domain D] [--capacity 100G]
import { Flags } from '@oclif/core'
import { systemClock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import { JOIN_NOTICE_MS, RECOVERY_BYTES_MIN, RECOVERY_BYTES_PER_SECOND } from '../base/limits.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { clusterFlags, parsePort, portFlag, requiredDataFlag, roleLogFlags } from '../cli/flags.js'
import { createLog } from '../cli/log.js'
import { clusterAccess } from '../cli/processes/cluster-access.js'
import { startStorage, type StorageProcess } from '../cli/processes/storage-process.js'
import { untilSignal } from '../cli/signals.js'
import { formatSize, parseSize } from '../cli/size.js'

/** Less than one extent for each of the fewest shards would hold no volume worth the name. */
const CAPACITY_MIN = 64 * 2 ** 20

export default class Storage extends SwarmdiskCommand<undefined> {
  static override readonly summary =
    'Run a storage server: it keeps replicas of blocks on its disk.'
  static override readonly description =
    'It is ready when a manager has registered it, and waits for one until then.'
  static override readonly examples = [
    '<%= config.bin %> storage --data /srv/swarmdisk/storage',
    '<%= config.bin %> storage --data /mnt/ssd --name ssd1 --domain rack1 --capacity 500G',
  ]
  static override readonly flags = {
    ...clusterFlags,
    ...roleLogFlags,
    data: requiredDataFlag,
    port: portFlag,
    name: Flags.string({ description: 'unique in the cluster; default: from the host name' }),
    domain: Flags.string({
      description: 'copies of a block go to different failure domains; default: the host name',
    }),
    capacity: Flags.string({ description: 'how much it may hold; default: the size of the disk' }),
    'max-recovery': Flags.string({
      description:
        'bytes a second that it spends on copies, in and out; a quarter of it beside clients; ' +
        `default: ${formatSize(RECOVERY_BYTES_PER_SECOND)}`,
      helpValue: 'BYTES',
    }),
  }

  protected override async execute(): Promise<undefined> {
    const { flags } = await this.parse(Storage)
    const access = clusterAccess(flags, flags.data)
    const storage = await startStorage({
      access,
      data: flags.data,
      name: flags.name,
      domain: flags.domain,
      capacity: flags.capacity === undefined ? undefined : capacityOf(flags.capacity),
      maxRecovery: maxRecoveryOf(flags['max-recovery']),
      port: parsePort(flags.port, '--port'),
      log: createLog(flags['log-level'], 'storage'),
    })
    const stopped = untilSignal()
    try {
      const outcome = await Promise.race([this.#registration(storage), stopped])
      if (outcome !== 'registered') return
      this.announce(`storage ${storage.name}`, { name: storage.name, data: flags.data })
      await stopped
    } finally {
      await storage.stop()
    }
  }

  async #registration(storage: StorageProcess): Promise<'registered'> {
    const notice = systemClock.after(JOIN_NOTICE_MS, () => {
      this.logToStderr('No manager answered yet: waiting. Check that one runs with this key.')
    })
    try {
      await storage.registered
      return 'registered'
    } finally {
      notice.cancel()
    }
  }

  protected override show(): void {
    // Its ready line is all there is to show.
  }
}

function capacityOf(text: string): number {
  const capacity = parseSize(text, '--capacity')
  if (capacity >= CAPACITY_MIN) return capacity
  throw new SwarmdiskError('bad-input', `--capacity must be at least 64M, not "${text}".`)
}

function maxRecoveryOf(text: string | undefined): number | undefined {
  const bytes = text === undefined ? undefined : parseSize(text, '--max-recovery')
  if (bytes === undefined || bytes >= RECOVERY_BYTES_MIN) return bytes
  throw new SwarmdiskError('bad-input', `--max-recovery must be at least 1M, not "${text}".`)
}
