// What samples and turns come to: a line for each minute, and for each process whether it still
// grows. Pure.
import { JOB, MIXED, type Job } from '../shared/jobs.js'
import type { Measurement } from '../shared/fio.js'
import { isFlat, lastThird, mean, trend } from '../shared/statistics.js'
import type { Sample } from './sampler.js'
import { cpuPerGiB, type Turn } from './turns.js'

/** MiB a minute: what grows more slowly takes hours to be noticed. */
const FLAT_TOLERANCE = 1

export interface MinuteRow {
  /** The first is 1. */
  readonly minute: number
  /** Means over the minute; null where there was no sample, or no such turn. */
  readonly resident: Readonly<Record<string, number | null>>
  readonly mixedIops: number | null
  readonly readMegabytes: number | null
  readonly writeMegabytes: number | null
  readonly cpuPerGiB: number | null
}

export interface Verdict {
  readonly process: string
  /** MiB a minute over the last third. */
  readonly slope: number
  readonly error: number
  /** Null: too few samples to say. */
  readonly flat: boolean | null
}

export function minuteRows(samples: readonly Sample[], turns: readonly Turn[]): MinuteRow[] {
  const last = Math.max(0, ...[...samples, ...turns].map(({ minutes }) => minutes))
  return Array.from({ length: Math.ceil(last) }, (_, i) => {
    const within = ({ minutes }: { readonly minutes: number }): boolean =>
      minutes > i && minutes <= i + 1
    return minuteRow(i + 1, samples.filter(within), turns.filter(within))
  })
}

function minuteRow(minute: number, samples: readonly Sample[], turns: readonly Turn[]): MinuteRow {
  const meanOf = (job: Job, of: (result: Measurement) => number): number | null =>
    mean(turns.filter(turn => turn.job === job).map(({ result }) => of(result)))
  const resident = processesOf(samples).map(
    name => [name, mean(samples.map(sample => sample.resident[name] ?? 0))] as const,
  )
  return {
    ...{ minute, resident: Object.fromEntries(resident) },
    mixedIops: meanOf(MIXED, ({ iops }) => iops),
    readMegabytes: meanOf(JOB.readAll, ({ megabytes }) => megabytes),
    writeMegabytes: meanOf(JOB.writeAll, ({ megabytes }) => megabytes),
    cpuPerGiB: cpuPerGiB(turns),
  }
}

export function verdicts(samples: readonly Sample[]): readonly Verdict[] {
  const end = lastThird(samples)
  return processesOf(samples).map(process => {
    const points = end.map(({ minutes, resident }) => ({ x: minutes, y: resident[process] ?? 0 }))
    const { slope, error } = trend(points)
    return { process, slope, error, flat: isFlat({ slope, error }, FLAT_TOLERANCE) }
  })
}

export function processesOf(samples: readonly Sample[]): readonly string[] {
  return Object.keys(samples[0]?.resident ?? {})
}
