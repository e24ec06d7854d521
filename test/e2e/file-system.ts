// An ext4 on a loop device over the beginning of a volume; the end of the volume is left to those
// who read and write the image beside it. A file of random content is in it from the beginning.
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { TestCluster } from './cluster.js'
import { mustRun, runTool, type Outcome } from './tools.js'

const MiB = 2 ** 20

export interface FileSystemOptions {
  readonly volume: string
  readonly mebibytes: number
  /** Of the file that is in it. */
  readonly filled: number
}

export class FileSystem {
  readonly folder: string
  readonly #device: string
  readonly #image: string
  #sum = ''

  private constructor(cluster: TestCluster, volume: string, device: string) {
    this.folder = join(cluster.folder, `files-${volume}`)
    this.#image = cluster.image(volume)
    this.#device = device
  }

  static async make(cluster: TestCluster, options: FileSystemOptions): Promise<FileSystem> {
    const { volume, mebibytes, filled } = options
    const device = await cluster.attach(volume)
    const files = new FileSystem(cluster, volume, device)
    await mustRun('mkfs.ext4', ['-q', '-F', device, `${mebibytes}M`])
    mkdirSync(files.folder)
    cluster.undoLater(() => runTool('umount', ['-l', files.folder]))
    await mustRun('mount', [device, files.folder])
    const words = ['if=/dev/urandom', `of=${files.path('filled')}`, `bs=${MiB}`, `count=${filled}`]
    await mustRun('dd', [...words, 'conv=fsync', 'status=none'])
    files.#sum = await files.#sumNow()
    return files
  }

  path(file: string): string {
    return join(this.folder, file)
  }

  /** As the kernel has counted them, of metadata too. */
  get errors(): number {
    const counter = `/sys/fs/ext4/${basename(this.#device)}/errors_count`
    return Number(readFileSync(counter, 'utf8'))
  }

  /** Read from the volume again: what was cached goes with the mount. */
  async isIntact(): Promise<boolean> {
    await mustRun('umount', [this.folder])
    await mustRun('mount', ['-o', 'ro', this.#device, this.folder])
    return (await this.#sumNow()) === this.#sum
  }

  /** When it is detached. */
  check(): Promise<Outcome> {
    return runTool('fsck.ext4', ['-fn', this.#image])
  }

  async #sumNow(): Promise<string> {
    const [sum = ''] = (await mustRun('sha256sum', [this.path('filled')])).split(' ')
    return sum
  }
}
