// swarmdisk mount DIR [--transport …] [--cache …] [--shared] [--io-timeout 30s]
import { Args, Flags } from '@oclif/core'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { clusterFlags, roleLogFlags } from '../cli/flags.js'
import { parseDuration } from '../cli/duration.js'
import { createLog } from '../cli/log.js'
import { clusterAccess } from '../cli/processes/cluster-access.js'
import { startMount, type MountProcess } from '../cli/processes/mount-process.js'
import { onSignals } from '../cli/signals.js'
import { TRANSPORT_CHOICES } from '../fuse/serve-mount.js'

export default class Mount extends SwarmdiskCommand<undefined> {
  static override readonly summary = 'Show the volumes of a cluster as image files in a folder.'
  static override readonly description =
    'Each volume is a file NAME.img. Put a loop device on it with "swarmdisk attach", or use it ' +
    'as the disk of a virtual machine. I/O that cannot go on is held, with the reason in ' +
    '"swarmdisk status", until it can; --io-timeout makes it an error instead. Ctrl-C unmounts.'
  static override readonly examples = [
    '<%= config.bin %> mount /mnt/swarmdisk',
    '<%= config.bin %> mount /mnt/swarmdisk --io-timeout 30s',
  ]
  static override readonly args = {
    dir: Args.string({ description: 'an empty directory', required: true }),
  }
  static override readonly flags = {
    ...clusterFlags,
    ...roleLogFlags,
    transport: Flags.option({
      options: TRANSPORT_CHOICES,
      default: 'auto' as const,
      description: 'how to talk to the kernel: directly (as root), or through libfuse 2',
    })(),
    cache: Flags.option({
      options: ['none', 'writeback'] as const,
      default: 'none' as const,
      description:
        'writeback answers writes from memory; what was not flushed may be lost with this ' +
        'process, as with a disk that has a cache',
    })(),
    shared: Flags.boolean({
      description:
        'write together with other --shared mounts, for cluster file systems; ' +
        'without it a volume has one writer',
    }),
    'io-timeout': Flags.string({
      description: 'I/O held longer than this fails, like 30s or 5m; default: never',
    }),
  }

  protected override async execute(): Promise<undefined> {
    const { args, flags } = await this.parse(Mount)
    if (flags.cache === 'writeback' && flags.shared) {
      throw new SwarmdiskError(
        'bad-input',
        'Other --shared mounts would not see what --cache writeback keeps: use one of them.',
      )
    }
    const timeout = flags['io-timeout']
    const mount = await startMount({
      access: clusterAccess(flags),
      directory: args.dir,
      ioTimeout: timeout === undefined ? null : parseDuration(timeout, '--io-timeout'),
      shared: flags.shared,
      writeBack: flags.cache === 'writeback',
      transport: flags.transport,
      log: createLog(flags['log-level'], 'mount'),
    })
    const { mountPoint, transport } = mount
    this.announce(mountPoint, { mountPoint, transport })
    await this.#serve(mount)
    await mount.stop()
  }

  /** The first signal unmounts if nothing is busy; one more ends it in any case. */
  #serve(mount: MountProcess): Promise<void> {
    onSignals(count => {
      mount.unmount(count > 1).catch((error: unknown) => {
        if (!isSwarmdiskError(error)) throw error
        this.logToStderr(`${error.message} Still serving; signal once more to abort.`)
      })
    })
    return mount.closed
  }

  protected override show(): void {
    // Its ready line is all there is to show.
  }
}
