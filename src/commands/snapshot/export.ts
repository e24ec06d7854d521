// swarmdisk snapshot export [--from VOLUME@NAME] VOLUME@NAME > FILE
import { Args, Flags } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { parseSnapshotName, snapshotText } from '../../cli/input/snapshot-name.js'
import { formatSize } from '../../cli/size.js'
import { openSink } from '../../cli/transfer/streams.js'
import { intoSink, outputFlag, TransferCommand } from '../../cli/transfer/transfer-command.js'
import { exportSnapshot, findSnapshot } from '../../client/transfer/export-snapshot.js'

interface Exported {
  readonly snapshot: string
  readonly identity: string
  /** Identity of the snapshot that the stream starts from. */
  readonly from: string | null
  /** Of the stream. */
  readonly bytes: number
  /** Content in it, and what it says to be zeroes. */
  readonly data: number
  readonly zeroes: number
}

export default class SnapshotExport extends TransferCommand<Exported> {
  static override readonly summary = 'Write a snapshot as a stream, for "snapshot import".'
  static override readonly description =
    'With --from only what changed since that snapshot: whoever imports it needs that one. Holes ' +
    'take no room. The stream goes to the standard output, never to a terminal, or into a new ' +
    'file with --output; --json needs --output. The bytes are told in docs/export-format.md.'
  static override readonly examples = [
    '<%= config.bin %> snapshot export data@monday > monday.swd',
    '<%= config.bin %> snapshot export --from data@monday data@tuesday > tuesday.swd',
    '<%= config.bin %> snapshot export data@monday | ssh backup swarmdisk snapshot import data',
  ]
  static override readonly args = {
    snapshot: Args.string({ description: 'VOLUME@NAME', required: true }),
  }
  static override readonly flags = {
    ...TransferCommand.transferFlags,
    from: Flags.string({ description: 'a snapshot of the same volume', helpValue: 'VOLUME@NAME' }),
    output: outputFlag,
  }

  protected override async execute(): Promise<Exported> {
    const { args, flags } = await this.parse(SnapshotExport)
    const to = parseSnapshotName(args.snapshot)
    const from = flags.from === undefined ? null : parseSnapshotName(flags.from)
    if (from && from.volume !== to.volume) {
      throw new SwarmdiskError('bad-input', '--from is of another volume: name one of the same.')
    }
    if (this.jsonEnabled() && flags.output === undefined) {
      throw new SwarmdiskError(
        'bad-input',
        'The stream has the standard output: --json needs --output.',
      )
    }
    const sink = await openSink(flags.output)
    return intoSink(sink, () =>
      this.withClient(flags, async (client, progress) => {
        const configuration = client.current()
        const place = findSnapshot(configuration, to)
        const made = exportSnapshot(client.driver, configuration, {
          to: place,
          from: from && findSnapshot(configuration, from),
        })
        for await (const bytes of made.stream(reached => progress(reached, place.snapshot.size))) {
          await sink.write(bytes)
        }
        const { dataBytes: data, zeroesBytes: zeroes } = made.encoder.counts
        const { identity, from: start } = made.header
        const { bytes } = made.encoder
        return { snapshot: snapshotText(to), identity, from: start, bytes, data, zeroes }
      }),
    )
  }

  protected override show({ snapshot, bytes }: Exported): void {
    this.logToStderr(`snapshot ${snapshot} exported, ${formatSize(bytes)}`)
  }
}
