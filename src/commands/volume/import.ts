// swarmdisk volume import NAME [--size 10G] [--replicas 3] < IMAGE
import { Args, Flags } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES } from '../../base/limits.js'
import { wholeNumber } from '../../cli/flags.js'
import { formatSize, parseSize } from '../../cli/size.js'
import { openSource } from '../../cli/transfer/streams.js'
import { replicasFlag, TransferCommand } from '../../cli/transfer/transfer-command.js'
import type { VolumeClient } from '../../cli/transfer/volume-client.js'
import { importImage } from '../../client/transfer/raw-image.js'
import { nameProblem, sizeProblem } from '../../layout/names.js'

interface ImageImported {
  readonly volume: string
  readonly size: number
  /** That are no hole. */
  readonly data: number
}

export default class VolumeImport extends TransferCommand<ImageImported> {
  static override readonly summary = 'Make a volume from a raw image.'
  static override readonly description =
    'It has the size of the file, in whole blocks; of a pipe, or to have more room, give --size. ' +
    'Blocks of zeroes become holes. If this does not come to its end, delete the volume and ' +
    'begin anew.'
  static override readonly examples = [
    '<%= config.bin %> volume import data < data.img',
    'xz -dc data.img.xz | <%= config.bin %> volume import data --size 10G',
  ]
  static override readonly args = {
    name: Args.string({ description: 'of the new volume', required: true }),
  }
  static override readonly flags = {
    ...TransferCommand.transferFlags,
    size: Flags.string({ description: 'a multiple of 4096, like 10G' }),
    replicas: replicasFlag,
  }

  protected override async execute(): Promise<ImageImported> {
    const { args, flags } = await this.parse(VolumeImport)
    const source = openSource('The image')
    const given = flags.size === undefined ? source.bytes : parseSize(flags.size, '--size')
    if (given === null) {
      throw new SwarmdiskError(
        'bad-input',
        'The image comes from a pipe: give the --size of the volume.',
      )
    }
    const size = flags.size === undefined ? Math.ceil(given / BLOCK_BYTES) * BLOCK_BYTES : given
    const problem = nameProblem('volume name', args.name) ?? sizeProblem(size)
    if (problem !== null) throw new SwarmdiskError('bad-input', problem)
    const replicas = wholeNumber(flags.replicas, '--replicas')
    return this.withClient(flags, async (client, progress) => {
      await create(client, { name: args.name, size, replicas })
      const volume = client.driver.open(args.name)
      if (!volume)
        throw new SwarmdiskError('not-found', `Volume ${args.name} was deleted meanwhile.`)
      await volume.attach()
      try {
        const { written } = await importImage(volume, source.stream, at => progress(at, size))
        return { volume: args.name, size, data: written }
      } finally {
        await volume.release()
      }
    })
  }

  protected override show({ volume, size, data }: ImageImported): void {
    this.log(`volume ${volume} made, ${formatSize(size)}, of which ${formatSize(data)} is data`)
  }
}

async function create(
  client: VolumeClient,
  shape: { readonly name: string; readonly size: number; readonly replicas: number },
): Promise<void> {
  await client.ask({ command: 'volume-create', ...shape, minInSync: null, force: false })
  await client.until(({ volumes }) => [...volumes.values()].some(({ name }) => name === shape.name))
}
