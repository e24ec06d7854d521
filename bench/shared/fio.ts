// One run of fio, or the median of some: O_DIRECT throughout, so that the path to the servers is
// measured and not the page cache of this host.
import { execFile, type ChildProcess } from 'node:child_process'
import { promisify } from 'node:util'
import { isOver } from '../../test/e2e/tools.js'
import type { Job } from './jobs.js'
import type { Session } from './session.js'
import { middleBy } from './statistics.js'

/** V8 compiles in the first seconds of a new kind of work: a run that long is not measured. */
const WARM_UP_SECONDS = 1
/** Interrupted, fio waits for its requests, which may be held: then it is left to the unmount. */
const STOP_LIMIT_MS = 3_000
const OUTPUT_BYTES_MAX = 2 ** 24

export interface Measurement {
  readonly iops: number
  /** Millions of bytes a second. */
  readonly megabytes: number
  readonly p50Microseconds: number
  readonly p99Microseconds: number
  /** Read and written in all. */
  readonly bytes: number
}

export interface Target {
  /** Requests go to all of them by turns. */
  readonly files: readonly string[]
  /** Bytes from the start of each file. */
  readonly size: number
}

export interface Timing {
  readonly seconds: number
  readonly runs: number
}

interface FioSide {
  readonly iops: number
  readonly bw_bytes: number
  readonly io_bytes: number
  readonly lat_ns: { readonly percentile?: Readonly<Record<string, number>> }
}

interface FioOutput {
  readonly jobs: readonly { readonly read: FioSide; readonly write: FioSide }[]
}

/** What a benchmark asks of fio, until it is interrupted. */
export class Fio {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  /** Lays the whole range out once, so that no job measures first writes. */
  async fill(target: Target): Promise<void> {
    const how = ['--rw=write', '--bs=1m', '--iodepth=8', '--end_fsync=1']
    await this.#run(['--name=fill', ...how, ...words(target)])
  }

  async measure(target: Target, job: Job, seconds: number): Promise<Measurement> {
    const output = await this.#run([
      ...['--name=job', `--rw=${job.pattern}`, `--bs=${job.blockSize}`, `--iodepth=${job.depth}`],
      ...['--time_based', `--runtime=${Math.round(seconds * 1000)}ms`, '--randrepeat=0'],
      ...['--lat_percentiles=1', '--output-format=json', ...words(target)],
      ...(job.fsyncEvery > 0 ? [`--fsync=${job.fsyncEvery}`] : []),
    ])
    return parseOutput(output, job)
  }

  async warmUp(target: Target, job: Job): Promise<void> {
    await this.measure(target, job, WARM_UP_SECONDS)
  }

  /** The run in the middle by operations a second, after one that does not count. */
  async median(target: Target, job: Job, { seconds, runs }: Timing): Promise<Measurement> {
    await this.warmUp(target, job)
    const measured: Measurement[] = []
    for (let i = 0; i < runs; i++) measured.push(await this.measure(target, job, seconds))
    return median(measured)
  }

  async #run(more: readonly string[]): Promise<string> {
    const { signal } = this.#session
    signal.throwIfAborted()
    let interrupted: () => void = () => undefined
    const stopped = new Promise<void>(resolve => (interrupted = resolve))
    signal.addEventListener('abort', interrupted)
    try {
      const { child, output } = start(more)
      await Promise.race([output, stopped])
      if (signal.aborted) {
        child.kill('SIGTERM')
        await isOver(output, STOP_LIMIT_MS)
      }
      signal.throwIfAborted()
      return await output
    } finally {
      signal.removeEventListener('abort', interrupted)
    }
  }
}

function start(more: readonly string[]): {
  readonly child: ChildProcess
  readonly output: Promise<string>
} {
  const running = promisify(execFile)('fio', [...more], { maxBuffer: OUTPUT_BYTES_MAX })
  const output = running.then(({ stdout }) => stdout)
  return { child: running.child, output }
}

export function median(runs: readonly Measurement[]): Measurement {
  return middleBy(runs, ({ iops }) => iops)
}

/** Of a job that reads and writes: both together, and the slower percentiles. */
export function parseOutput(text: string, { pattern }: Pick<Job, 'pattern'>): Measurement {
  // Notes of fio may stand before it.
  const output = JSON.parse(text.slice(text.indexOf('{'))) as FioOutput
  const first = output.jobs[0]
  if (!first) throw new Error('fio reported no job')
  const [reads, writes] = [/read|rw/.test(pattern), /write|rw/.test(pattern)]
  const sides = [...(reads ? [first.read] : []), ...(writes ? [first.write] : [])]
  const sum = (of: (side: FioSide) => number): number =>
    sides.reduce((total, side) => total + of(side), 0)
  const slowest = (percentile: string): number =>
    Math.max(...sides.map(side => side.lat_ns.percentile?.[percentile] ?? 0)) / 1000
  return {
    iops: sum(side => side.iops),
    megabytes: sum(side => side.bw_bytes) / 1e6,
    p50Microseconds: slowest('50.000000'),
    p99Microseconds: slowest('99.000000'),
    bytes: sum(side => side.io_bytes),
  }
}

function words({ files, size }: Target): readonly string[] {
  const all = size * files.length
  return ['--ioengine=libaio', '--direct=1', `--filename=${files.join(':')}`, `--size=${all}`]
}
