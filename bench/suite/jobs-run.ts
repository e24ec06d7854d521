// Measures the groups of a plan on one cluster: three storage servers, a manager, and one mount at
// a time, all on this machine.
import { TestCluster } from '../../test/e2e/cluster.js'
import { Fio, type Measurement, type Target, type Timing } from '../shared/fio.js'
import { MIXED } from '../shared/jobs.js'
import type { Session } from '../shared/session.js'
import { showWhole } from '../shared/statistics.js'
import { filledVolume, memoryOf, type Memory } from '../shared/volumes.js'
import { groupTitle, titleOf, type Group, type MountKind, type PlannedRow } from './plan.js'

/** A new mount computes less with every second at first; its first job would look slow. */
const NEW_MOUNT_SECONDS = 5

export interface MeasuredRow extends PlannedRow {
  readonly result: Measurement
}

export interface GroupMemory {
  readonly group: string
  readonly memory: Memory
}

export interface JobsRunOptions {
  readonly session: Session
  readonly timing: Timing
  /** Bytes of each volume. */
  readonly size: number
}

export class JobsRun {
  readonly rows: MeasuredRow[] = []
  readonly memory: GroupMemory[] = []
  readonly #options: JobsRunOptions
  readonly #fio: Fio
  readonly #cluster: TestCluster
  /** Volumes that are there, by their replicas. */
  readonly #volumes = new Map<number, string>()
  #mount: MountKind | null = null

  private constructor(options: JobsRunOptions, cluster: TestCluster) {
    this.#options = options
    this.#cluster = cluster
    this.#fio = new Fio(options.session)
  }

  static async start(options: JobsRunOptions): Promise<JobsRun> {
    return new JobsRun(options, await TestCluster.start(options.session))
  }

  async measureAll(groups: readonly Group[]): Promise<void> {
    for (const group of groups) {
      const isNew = await this.#use(group.mount)
      const image = await this.#image(group)
      if (isNew) await this.#fio.measure(image, MIXED, NEW_MOUNT_SECONDS)
      if (group.on === 'image') await this.#measure(group, image)
      else await this.#onLoop(group)
      const memory = memoryOf(this.#cluster, group.mount.process)
      this.memory.push({ group: groupTitle(group), memory })
    }
  }

  /**
   * One mount at a time: a volume has one writer, and idle processes take memory. True: it was
   * started now.
   */
  async #use(mount: MountKind): Promise<boolean> {
    this.#options.session.signal.throwIfAborted()
    if (this.#mount === mount) return false
    if (this.#mount) await this.#cluster.kill(this.#mount.process, 'SIGTERM')
    const cache = mount.writeBack ? 'writeback' : 'none'
    const flags = ['--transport', mount.transport, '--cache', cache]
    await this.#cluster.startMount(flags, mount.process)
    this.#mount = mount
    return true
  }

  async #image({ replicas, mount }: Group): Promise<Target> {
    const known = this.#volumes.get(replicas)
    const { size } = this.#options
    if (known !== undefined) return { files: [this.#cluster.image(known, mount.process)], size }
    const name = `replicas-${replicas}`
    this.#volumes.set(replicas, name)
    const maker = { cluster: this.#cluster, fio: this.#fio, mount: mount.process }
    return filledVolume(maker, { name, bytes: size, replicas })
  }

  async #onLoop(group: Group): Promise<void> {
    const volume = this.#volumes.get(group.replicas)
    const device = await this.#cluster.attach(group.mount.process, [], volume)
    await this.#measure(group, { files: [device], size: this.#options.size })
    await this.#cluster.json(['detach', device])
  }

  async #measure(group: Group, target: Target): Promise<void> {
    for (const job of group.jobs) {
      const { mount, on, replicas } = group
      const result = await this.#fio.median(target, job, this.#options.timing)
      const row = { mount, on, replicas, job, result }
      this.rows.push(row)
      this.#options.session.say(`${titleOf(row)}: ${showWhole(result.iops)} IOPS`)
    }
  }
}
