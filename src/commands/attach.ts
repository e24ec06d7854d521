// swarmdisk attach VOLUME|VOLUME@SNAPSHOT --mount DIR [--takeover] [--read-only]
import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { systemClock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { logFlags } from '../cli/flags.js'
import { isSnapshotName, parseSnapshotName, snapshotText } from '../cli/input/snapshot-name.js'
import { createLog } from '../cli/log.js'
import { askMount } from '../cli/mounts/mount-control.js'
import { mountHost } from '../cli/mount-host.js'
import { imageName, snapshotPath } from '../fuse/file-operations.js'
import { isSwarmdiskMount } from '../fuse/mount-table.js'
import { canonical, mountAt } from '../fuse/unmount.js'
import { nameProblem } from '../layout/names.js'

interface Attached {
  readonly device: string
}

export default class Attach extends SwarmdiskCommand<Attached> {
  static override readonly summary = 'Put a loop device on the image of a volume or snapshot.'
  static override readonly description =
    'The device uses direct I/O, and has answered a first read when the command returns. ' +
    'A volume has one writer: if another mount has it, the command says who, and --takeover ends ' +
    'its access in one step. --read-only takes it from nobody. A snapshot is always read-only: ' +
    'mount an ext4 file system on it with -o ro,noload, since it looks like after a power cut. ' +
    'Undo it with "swarmdisk detach".'
  static override readonly examples = [
    '<%= config.bin %> attach data --mount /mnt/swarmdisk',
    '<%= config.bin %> attach data@monday --mount /mnt/swarmdisk',
    'mkfs.ext4 $(<%= config.bin %> attach data --mount /mnt/swarmdisk)',
  ]
  static override readonly args = {
    volume: Args.string({ description: 'a volume, or VOLUME@SNAPSHOT', required: true }),
  }
  static override readonly flags = {
    ...logFlags,
    mount: Flags.string({
      description: 'where the volumes are mounted',
      required: true,
      helpValue: 'DIR',
    }),
    takeover: Flags.boolean({
      description: 'ends the access of the mount that has the volume',
      exclusive: ['read-only'],
    }),
    'read-only': Flags.boolean({
      description: 'nothing can be written through the device; others may write meanwhile',
    }),
  }

  protected override async execute(): Promise<Attached> {
    const { args, flags } = await this.parse(Attach)
    const image = imageOf(args.volume, flags.takeover)
    const mountPoint = await canonical(flags.mount)
    const entry = await mountAt(mountPoint)
    if (!entry || !isSwarmdiskMount(entry)) {
      throw new SwarmdiskError(
        'not-found',
        `No swarmdisk is mounted on ${mountPoint}: run "swarmdisk mount ${flags.mount}" first.`,
      )
    }
    const host = mountHost({ clock: systemClock, log: createLog(flags['log-level'], 'attach') })
    const path = join(mountPoint, image.path)
    if (flags['read-only'] || image.readOnly) {
      const { device } = await host.loops.attach(path, { readOnly: true })
      return { device }
    }
    const claim = { mountPoint, volume: args.volume, takeover: flags.takeover }
    await askMount({ ...claim, what: 'claim' })
    try {
      const { device } = await host.loops.attach(path, { readOnly: false })
      return { device }
    } finally {
      // From now on the device has it, or nobody.
      await askMount({ ...claim, what: 'unclaim' })
    }
  }

  protected override show({ device }: Attached): void {
    this.log(device)
  }
}

/** Within the mount. */
function imageOf(
  text: string,
  takeover: boolean,
): { readonly path: string; readonly readOnly: boolean } {
  if (!isSnapshotName(text)) {
    const problem = nameProblem('volume name', text)
    if (problem !== null) throw new SwarmdiskError('bad-input', problem)
    return { path: imageName(text), readOnly: false }
  }
  const path = snapshotPath(snapshotText(parseSnapshotName(text)))
  if (!takeover) return { path, readOnly: true }
  throw new SwarmdiskError(
    'bad-input',
    'Nobody can write to a snapshot, so there is nothing to take over: leave --takeover out.',
  )
}
