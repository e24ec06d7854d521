// What a benchmark measured, for scripts and for people.
import { sizeText } from '../../client/bench/jobs.js'
import type { BenchReport, MeasuredJob } from '../../client/bench/bench.js'
import type { LatencySummary } from '../../client/bench/latencies.js'
import { renderTable } from './table.js'

export interface BenchJobResult {
  readonly name: string
  /** Bytes. */
  readonly blockSize: number
  readonly depth: number
  /** That it took. */
  readonly seconds: number
  readonly operations: number
  readonly iops: number
  readonly bytesPerSecond: number
  /** Seconds. */
  readonly latency: LatencySummary
  /** Only places that hold data were read or written. */
  readonly onData: boolean
}

export interface BenchResult {
  readonly volume: string
  readonly jobs: readonly BenchJobResult[]
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
  /** What ended it early; left out if nothing did. */
  readonly error?: { readonly code: string; readonly message: string }
}

export function benchResult(volume: string, report: BenchReport): BenchResult {
  const { measured, skipped, error } = report
  return {
    volume,
    jobs: measured.map(jobResult),
    skipped: skipped.map(({ job, reason }) => ({ name: job.name, reason })),
    ...(error === null ? {} : { error: { code: error.code, message: error.message } }),
  }
}

function jobResult({ job, seconds, operations, latency, onData }: MeasuredJob): BenchJobResult {
  const { name, blockSize, depth } = job
  const perSecond = operations / seconds
  return {
    ...{ name, blockSize, depth, operations, onData },
    seconds: rounded(seconds),
    iops: rounded(perSecond),
    bytesPerSecond: Math.round(perSecond * blockSize),
    latency: { p50: rounded(latency.p50), p99: rounded(latency.p99), max: rounded(latency.max) },
  }
}

/** To millionths: no clock here is better. */
function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6
}

export function renderBench({ jobs, skipped }: BenchResult): string {
  const table = renderTable(jobs, [
    { title: 'JOB', cell: job => job.name },
    { title: 'PER SECOND', align: 'right', cell: job => whole(job.iops) },
    { title: 'MB/S', align: 'right', cell: job => tenths(job.bytesPerSecond / 1e6) },
    { title: 'MEDIAN US', align: 'right', cell: job => whole(job.latency.p50 * 1e6) },
    { title: 'P99 US', align: 'right', cell: job => whole(job.latency.p99 * 1e6) },
    { title: 'MAX US', align: 'right', cell: job => whole(job.latency.max * 1e6) },
  ])
  const anywhere = jobs.filter(({ onData }) => !onData).map(anywhereNote)
  const notes = [skippedText(skipped), joined(anywhere)].filter(note => note !== '')
  return [table, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

/** '' if none was. */
export function skippedText(skipped: BenchResult['skipped']): string {
  const notes = skipped.map(({ name, reason }) => ({ name, text: `left out, since ${reason}.` }))
  return joined(notes)
}

function anywhereNote({ name, blockSize }: BenchJobResult): Note {
  const text =
    `read anywhere, since no ${sizeText(blockSize)} of it are data throughout; holes are ` +
    'answered without a look at a disk, so this measures the network.'
  return { name, text }
}

interface Note {
  readonly name: string
  readonly text: string
}

/** Jobs of which the same is to be said, on one line. */
function joined(notes: readonly Note[]): string {
  const texts = [...new Set(notes.map(({ text }) => text))]
  return texts
    .map(same => {
      const names = notes.filter(({ text }) => text === same).map(({ name }) => name)
      return `${names.join('; ')}: ${same}`
    })
    .join('\n')
}

function whole(value: number): string {
  return String(Math.round(value))
}

function tenths(value: number): string {
  return value.toFixed(1)
}
