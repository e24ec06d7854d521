// An ext4 on a loop device over the beginning of the volume `data`; the end of the volume is left
// to those who read and write the image beside it. A file of random content is in it all along.
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { TestCluster } from './cluster.js'
import { mustRun, runTool, type Outcome } from './tools.js'

const MiB = 2 ** 20

export interface FileSystemOptions {
  readonly mebibytes: number
  /** Of the file that is in it. */
  readonly filled: number
}

export class FileSystem {
  readonly folder: string
  readonly #device: string
  readonly #image: string
  /** Of the file that is in it. */
  #sum = ''

  private constructor(cluster: TestCluster, device: string) {
    this.folder = join(cluster.folder, 'files')
    this.#image = cluster.image('data')
    this.#device = device
  }

  static async make(cluster: TestCluster, options: FileSystemOptions): Promise<FileSystem> {
    const { mebibytes, filled } = options
    const device = await cluster.attach()
    const files = new FileSystem(cluster, device)
    await mustRun('mkfs.ext4', ['-q', '-F', device, `${mebibytes}M`])
    mkdirSync(files.folder)
    cluster.undoLater(() => runTool('umount', ['-l', files.folder]))
    await mustRun('mount', [device, files.folder])
    const words = ['if=/dev/urandom', `of=${files.path('filled')}`, `bs=${MiB}`, `count=${filled}`]
    await mustRun('dd', [...words, 'conv=fsync', 'status=none'])
    files.#sum = await sha256(`cat ${files.path('filled')}`)
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

  /** When it is detached, and from the image: nothing that was cached helps. */
  check(): Promise<Outcome> {
    return runTool('fsck.ext4', ['-fn', this.#image])
  }

  /** So is this. */
  async isIntact(): Promise<boolean> {
    return (await sha256(`debugfs -R 'cat /filled' ${this.#image}`)) === this.#sum
  }
}

function sha256(source: string): Promise<string> {
  return mustRun('sh', ['-c', `${source} | sha256sum`])
}
