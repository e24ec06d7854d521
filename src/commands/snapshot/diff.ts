// swarmdisk snapshot diff VOLUME@A VOLUME@B|VOLUME
import { Args } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { isSnapshotName, parseSnapshotName } from '../../cli/input/snapshot-name.js'
import { formatSize } from '../../cli/size.js'
import { renderTable } from '../../cli/render/table.js'
import { TransferCommand } from '../../cli/transfer/transfer-command.js'
import { findSnapshot, findVolume, rangesOf } from '../../client/transfer/export-snapshot.js'
import { nameProblem } from '../../layout/names.js'

interface DiffRange {
  readonly offset: number
  readonly length: number
}

interface Difference {
  readonly from: string
  readonly to: string
  readonly ranges: readonly DiffRange[]
  readonly bytes: number
}

export default class SnapshotDiff extends TransferCommand<Difference> {
  static override readonly summary = 'Show where two snapshots of a volume can differ.'
  static override readonly description =
    'The ranges that were written between them, in whole blocks, from the indexes alone: what ' +
    'was written again as it was before is among them. Instead of the second one the volume ' +
    'itself may be named, for what was written since the snapshot. If the volume has grown in ' +
    'between, what was written to its new part is among them.'
  static override readonly examples = [
    '<%= config.bin %> snapshot diff data@monday data@tuesday',
    '<%= config.bin %> snapshot diff data@monday data --json',
  ]
  static override readonly args = {
    from: Args.string({ description: 'VOLUME@NAME', required: true }),
    to: Args.string({ description: 'VOLUME@NAME, or VOLUME', required: true }),
  }
  static override readonly flags = { ...TransferCommand.transferFlags }

  protected override async execute(): Promise<Difference> {
    const { args, flags } = await this.parse(SnapshotDiff)
    const from = parseSnapshotName(args.from)
    const to = isSnapshotName(args.to) ? parseSnapshotName(args.to) : volumeOf(args.to)
    if (from.volume !== to.volume) {
      throw new SwarmdiskError(
        'bad-input',
        `${args.from} and ${args.to} are of two volumes: compare snapshots of one.`,
      )
    }
    return this.withClient(flags, async (client, progress) => {
      const configuration = client.current()
      const record = findVolume(configuration, from.volume)
      const ends = {
        from: findSnapshot(configuration, from).snapshot,
        to: to.name === null ? null : findSnapshot(configuration, to).snapshot,
      }
      const { size } = ends.to ?? record
      const ranges: DiffRange[] = []
      let bytes = 0
      for await (const { offset, length } of rangesOf(client.driver, record, ends)) {
        const last = ranges.at(-1)
        const joined = last && last.offset + last.length === offset
        if (joined) ranges[ranges.length - 1] = { ...last, length: last.length + length }
        else ranges.push({ offset, length })
        bytes += length
        progress(offset + length, size)
      }
      return { from: args.from, to: args.to, ranges, bytes }
    })
  }

  protected override show({ from, to, ranges, bytes }: Difference): void {
    if (ranges.length === 0) return this.log(`Nothing was written between ${from} and ${to}.`)
    this.log(
      renderTable(ranges, [
        { title: 'OFFSET', align: 'right', cell: range => String(range.offset) },
        { title: 'LENGTH', align: 'right', cell: range => String(range.length) },
      ]),
    )
    this.log(`\n${formatSize(bytes)} in ${ranges.length} ranges`)
  }
}

function volumeOf(name: string): { readonly volume: string; readonly name: null } {
  const problem = nameProblem('volume name', name)
  if (problem === null) return { volume: name, name: null }
  throw new SwarmdiskError('bad-input', problem)
}
