// swarmdisk snapshot import VOLUME [--name NAME] [--replicas 3] < FILE
import { Args, Flags } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { wholeNumber } from '../../cli/flags.js'
import { formatSize } from '../../cli/size.js'
import { openSource } from '../../cli/transfer/streams.js'
import { replicasFlag, TransferCommand } from '../../cli/transfer/transfer-command.js'
import { importSnapshot, type ImportResult } from '../../client/transfer/import-snapshot.js'
import { nameProblem } from '../../layout/names.js'

export default class SnapshotImport extends TransferCommand<ImportResult> {
  static override readonly summary = 'Make a snapshot from a stream of "snapshot export".'
  static override readonly description =
    'A full export makes the volume; one with --from goes on where its newest snapshot is just ' +
    'the one that the stream starts from, in whatever cluster, and where nothing was written ' +
    'since. The snapshot is there when all of the stream is, and none of it is damaged. Until ' +
    'then the volume has a snapshot "importing": if the import is broken off, run it again from ' +
    'the beginning of the stream.'
  static override readonly examples = [
    '<%= config.bin %> snapshot import data < monday.swd',
    '<%= config.bin %> snapshot import copy --name tuesday < tuesday.swd',
  ]
  static override readonly args = { volume: Args.string({ required: true }) }
  static override readonly flags = {
    ...TransferCommand.transferFlags,
    name: Flags.string({
      description: 'of the snapshot; default: as in the stream',
      helpValue: 'NAME',
    }),
    replicas: replicasFlag,
  }

  protected override async execute(): Promise<ImportResult> {
    const { args, flags } = await this.parse(SnapshotImport)
    const name = flags.name ?? null
    const replicas = wholeNumber(flags.replicas, '--replicas')
    const problem =
      nameProblem('volume name', args.volume) ??
      (name === null ? null : nameProblem('snapshot name', name))
    if (problem !== null) throw new SwarmdiskError('bad-input', problem)
    const { stream } = openSource('The stream')
    return this.withClient(flags, (client, reached) =>
      importSnapshot(client, { volume: args.volume, name, replicas, reached }, stream),
    )
  }

  protected override show({ volume, snapshot, already, bytes, zeroes }: ImportResult): void {
    const what = already ? 'is there already' : 'imported'
    const much = already ? '' : `, ${formatSize(bytes)} of data and ${formatSize(zeroes)} of zeroes`
    this.log(`snapshot ${volume}@${snapshot} ${what}${much}`)
  }
}
