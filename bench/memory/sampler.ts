// Looks at the memory of a mount and its servers again and again, until told to stop.
import type { TestCluster } from '../../test/e2e/cluster.js'
import { memoryOf } from '../shared/volumes.js'

export interface Sample {
  /** Since the beginning. */
  readonly minutes: number
  /** MiB of each process that are in memory, by its name. */
  readonly resident: Readonly<Record<string, number>>
}

export class Sampler {
  readonly samples: Sample[] = []
  readonly #began = performance.now()
  readonly #cluster: TestCluster
  readonly #timer: NodeJS.Timeout

  constructor(cluster: TestCluster, seconds: number) {
    this.#cluster = cluster
    this.#timer = setInterval(() => this.#take(), seconds * 1000)
  }

  elapsed(): number {
    return (performance.now() - this.#began) / 60_000
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #take(): void {
    const { mount, servers } = memoryOf(this.#cluster)
    const of = Object.entries({ mount, ...servers })
    const resident = of.map(([name, footprint]) => [name, footprint.resident] as const)
    this.samples.push({ minutes: this.elapsed(), resident: Object.fromEntries(resident) })
  }
}
