// The load of the memory benchmark: small mixed I/O most of the time, large reads and writes in
// between, turn after turn, and what the processes computed for what was written.
import type { TestCluster } from '../../test/e2e/cluster.js'
import type { Fio, Measurement, Target } from '../shared/fio.js'
import { JOB, MIXED, type Job } from '../shared/jobs.js'
import { cpuOf } from '../shared/volumes.js'

const GiB = 2 ** 30

export interface Turn {
  readonly job: Job
  readonly result: Measurement
  /** Of all processes of the cluster. */
  readonly cpuSeconds: number
  /** Minutes since the beginning, at the end of the turn. */
  readonly minutes: number
}

/** One round: two thirds of the time are small. */
const ROUND: readonly Job[] = [MIXED, JOB.writeAll, MIXED, MIXED, JOB.readAll, MIXED]

export interface TurnsOptions {
  readonly fio: Fio
  readonly cluster: TestCluster
  readonly target: Target
  readonly seconds: number
  /** Minutes since the beginning. */
  readonly elapsed: () => number
}

/** Whole turns until so many minutes are over. */
export async function takeTurns(options: TurnsOptions, minutes: number): Promise<readonly Turn[]> {
  const { fio, cluster, target, seconds, elapsed } = options
  const turns: Turn[] = []
  while (elapsed() < minutes) {
    const job = ROUND[turns.length % ROUND.length]!
    const before = cpuOf(cluster)
    const result = await fio.measure(target, job, seconds)
    turns.push({ job, result, cpuSeconds: cpuOf(cluster) - before, minutes: elapsed() })
  }
  return turns
}

/** Seconds of CPU for 1 GiB written in large pieces, all processes; null if nothing was. */
export function cpuPerGiB(turns: readonly Turn[]): number | null {
  const writes = turns.filter(({ job }) => job === JOB.writeAll)
  const bytes = writes.reduce((sum, { result }) => sum + result.bytes, 0)
  if (bytes === 0) return null
  return writes.reduce((sum, turn) => sum + turn.cpuSeconds, 0) / (bytes / GiB)
}
