// What a storage server remembers of the configurations it has seen: the cluster and the highest
// epoch. A configuration of another cluster, or an older one (managers restored from an old copy),
// is refused, because acting on it could delete or overwrite data (design §5).
import { clusterId, epoch, type ClusterId, type Epoch } from '../base/brands.js'
import { SwarmdiskError } from '../base/errors.js'
import type { Disk } from '../disk/disk.js'
import { readDurableFile, writeDurableFile } from '../disk/durable-file.js'
import type { Configuration } from '../layout/configuration.js'

const PATH = 'known-cluster'
const FORMAT = { magic: 'SWDKNOWN', version: 1 }
/** The cluster's 16 bytes, then the epoch in 4, little endian. */
const CLUSTER_BYTES = 16
const PAYLOAD_BYTES = CLUSTER_BYTES + 4

export class KnownCluster {
  readonly #disk: Disk
  #cluster: ClusterId | null
  #epoch: Epoch

  private constructor(disk: Disk, known: { cluster: ClusterId; epoch: Epoch } | null) {
    this.#disk = disk
    this.#cluster = known?.cluster ?? null
    this.#epoch = known?.epoch ?? epoch(0)
  }

  static async open(disk: Disk): Promise<KnownCluster> {
    const content = await readDurableFile(disk, PATH, FORMAT)
    if (!content) return new KnownCluster(disk, null)
    const bytes = Buffer.from(content.payload)
    if (bytes.byteLength !== PAYLOAD_BYTES) {
      throw new SwarmdiskError('corrupt', `${PATH} has a wrong length; restore it from a backup`)
    }
    const cluster = clusterId(bytes.toString('hex', 0, CLUSTER_BYTES))
    return new KnownCluster(disk, { cluster, epoch: epoch(bytes.readUInt32LE(CLUSTER_BYTES)) })
  }

  /** Null if this configuration may be adopted; else why not, for people. */
  refusal(configuration: Configuration): string | null {
    if (this.#cluster !== null && configuration.cluster !== this.#cluster) {
      return (
        `this data directory belongs to cluster ${this.#cluster}, the managers to ` +
        `${configuration.cluster}: use the key of that cluster, or an empty data directory`
      )
    }
    if (configuration.epoch < this.#epoch) {
      return (
        `the managers are at epoch ${configuration.epoch}, this server has seen ${this.#epoch}: ` +
        `they run from an old copy of their data; restore the newest`
      )
    }
    return null
  }

  /** Durable when it resolves. */
  async remember({ cluster, epoch: seen }: Configuration): Promise<void> {
    if (cluster === this.#cluster && seen <= this.#epoch) return
    const payload = Buffer.alloc(PAYLOAD_BYTES)
    payload.write(cluster, 0, 'hex')
    payload.writeUInt32LE(seen, CLUSTER_BYTES)
    await writeDurableFile(this.#disk, PATH, { format: FORMAT, payload })
    this.#cluster = cluster
    this.#epoch = seen
  }
}
