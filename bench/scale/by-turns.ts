// Measures the same work on something that grows: on each size by turns, so that the figures are
// ratios whatever else the machine does meanwhile.
import { median, type Fio, type Measurement, type Target, type Timing } from '../shared/fio.js'
import { JOB, type Job } from '../shared/jobs.js'

export interface Size {
  /** Of the thing that grows. */
  readonly count: number
  readonly target: Target
}

export interface ScaleRow {
  /** What there are more of. */
  readonly grows: string
  readonly count: number
  readonly read: Measurement
  readonly write: Measurement
}

export interface Growth {
  readonly grows: string
  readonly sizes: readonly Size[]
}

export async function measureByTurns(
  fio: Fio,
  { grows, sizes }: Growth,
  timing: Timing,
): Promise<readonly ScaleRow[]> {
  const reads = await byTurns(fio, { sizes, job: JOB.read16 }, timing)
  const writes = await byTurns(fio, { sizes, job: JOB.write16 }, timing)
  return sizes.map(({ count }, i) => ({ grows, count, read: reads[i]!, write: writes[i]! }))
}

async function byTurns(
  fio: Fio,
  { sizes, job }: { readonly sizes: readonly Size[]; readonly job: Job },
  { seconds, runs }: Timing,
): Promise<readonly Measurement[]> {
  for (const { target } of sizes) await fio.warmUp(target, job)
  const measured = sizes.map((): Measurement[] => [])
  for (let run = 0; run < runs; run++) {
    for (const [i, { target }] of sizes.entries()) {
      measured[i]?.push(await fio.measure(target, job, seconds))
    }
  }
  return measured.map(median)
}
