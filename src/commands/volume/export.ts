// swarmdisk volume export VOLUME|VOLUME@SNAPSHOT > IMAGE
import { Args } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { isSnapshotName, parseSnapshotName } from '../../cli/input/snapshot-name.js'
import { formatSize } from '../../cli/size.js'
import { openSink } from '../../cli/transfer/streams.js'
import { writeImage } from '../../cli/transfer/write-image.js'
import { intoSink, outputFlag, TransferCommand } from '../../cli/transfer/transfer-command.js'
import { findSnapshot, findVolume, rangesOf } from '../../client/transfer/export-snapshot.js'
import { readParts } from '../../client/transfer/pieces.js'

interface ImageExported {
  readonly volume: string
  /** Of the image. */
  readonly size: number
  /** That are no hole. */
  readonly data: number
}

export default class VolumeExport extends TransferCommand<ImageExported> {
  static override readonly summary = 'Write a volume or a snapshot as a raw image.'
  static override readonly description =
    'A file gets holes where the volume has them. A volume that is written meanwhile is not of ' +
    'one point in time: export a snapshot of it. The image goes to the standard output, never to ' +
    'a terminal, or into a new file with --output; --json needs --output.'
  static override readonly examples = [
    '<%= config.bin %> volume export data@monday > data.img',
    '<%= config.bin %> volume export data --output data.img',
  ]
  static override readonly args = {
    volume: Args.string({ description: 'a volume, or VOLUME@SNAPSHOT', required: true }),
  }
  static override readonly flags = { ...TransferCommand.transferFlags, output: outputFlag }

  protected override async execute(): Promise<ImageExported> {
    const { args, flags } = await this.parse(VolumeExport)
    const snapshot = isSnapshotName(args.volume) ? parseSnapshotName(args.volume) : null
    if (this.jsonEnabled() && flags.output === undefined) {
      throw new SwarmdiskError(
        'bad-input',
        'The image has the standard output: --json needs --output.',
      )
    }
    const sink = await openSink(flags.output)
    return intoSink(sink, () =>
      this.withClient(flags, async (client, progress) => {
        const configuration = client.current()
        const record = findVolume(configuration, snapshot?.volume ?? args.volume)
        const to = snapshot ? findSnapshot(configuration, snapshot).snapshot : null
        const reader =
          to === null
            ? client.driver.open(record.name)
            : client.driver.openSnapshot(record.name, to.name)
        if (!reader)
          throw new SwarmdiskError('not-found', `${args.volume} does not exist any more.`)
        const ranges = rangesOf(client.driver, record, { from: null, to })
        const { size } = to ?? record
        const data = await writeImage(sink, {
          size,
          parts: readParts(reader, ranges),
          reached: offset => progress(offset, size),
        })
        return { volume: args.volume, size, data }
      }),
    )
  }

  protected override show({ volume, size, data }: ImageExported): void {
    this.logToStderr(
      `${volume} exported, ${formatSize(size)}, of which ${formatSize(data)} is data`,
    )
  }
}
