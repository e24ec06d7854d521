// The jobs of the benchmark, and one fio run of each: O_DIRECT throughout, so that the path to the
// servers is measured and not the page cache of this host.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Job {
  readonly name: string
  readonly pattern: 'randread' | 'randwrite' | 'read' | 'write'
  readonly blockSize: '4k' | '1m'
  readonly depth: number
  /** Writes between two fsyncs; 0: none. */
  readonly fsyncEvery: number
}

export const JOBS: readonly Job[] = [
  {
    name: '4 KiB random read, depth 1',
    pattern: 'randread',
    blockSize: '4k',
    depth: 1,
    fsyncEvery: 0,
  },
  {
    name: '4 KiB random read, depth 16',
    pattern: 'randread',
    blockSize: '4k',
    depth: 16,
    fsyncEvery: 0,
  },
  {
    name: '4 KiB random write, depth 1',
    pattern: 'randwrite',
    blockSize: '4k',
    depth: 1,
    fsyncEvery: 0,
  },
  {
    name: '4 KiB random write, depth 16',
    pattern: 'randwrite',
    blockSize: '4k',
    depth: 16,
    fsyncEvery: 0,
  },
  {
    name: '4 KiB write + fsync, depth 1',
    pattern: 'randwrite',
    blockSize: '4k',
    depth: 1,
    fsyncEvery: 1,
  },
  {
    name: '1 MiB sequential read, depth 8',
    pattern: 'read',
    blockSize: '1m',
    depth: 8,
    fsyncEvery: 0,
  },
  {
    name: '1 MiB sequential write, depth 8',
    pattern: 'write',
    blockSize: '1m',
    depth: 8,
    fsyncEvery: 0,
  },
]

export interface Measurement {
  readonly iops: number
  /** Millions of bytes a second. */
  readonly megabytes: number
  readonly p50Microseconds: number
  readonly p99Microseconds: number
}

export interface Target {
  readonly file: string
  /** Bytes from the start of the file. */
  readonly size: number
}

interface FioSide {
  readonly iops: number
  readonly bw_bytes: number
  readonly lat_ns: { readonly percentile?: Readonly<Record<string, number>> }
}

interface FioOutput {
  readonly jobs: readonly { readonly read: FioSide; readonly write: FioSide }[]
}

/** Lays the whole range out once, so that no job measures first writes. */
export async function fill(target: Target): Promise<void> {
  await run('fio', [
    ...['--name=fill', '--rw=write', '--bs=1m', '--iodepth=8', '--ioengine=libaio', '--direct=1'],
    ...[`--filename=${target.file}`, `--size=${target.size}`, '--end_fsync=1'],
  ])
}

export async function measure(target: Target, job: Job, seconds: number): Promise<Measurement> {
  const { stdout } = await run('fio', [
    ...['--name=job', `--rw=${job.pattern}`, `--bs=${job.blockSize}`, `--iodepth=${job.depth}`],
    ...['--ioengine=libaio', '--direct=1', '--time_based', `--runtime=${seconds}`],
    ...[`--filename=${target.file}`, `--size=${target.size}`, '--randrepeat=0'],
    ...['--lat_percentiles=1', '--output-format=json'],
    ...(job.fsyncEvery > 0 ? [`--fsync=${job.fsyncEvery}`] : []),
  ])
  const output = JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioOutput
  const first = output.jobs[0]
  if (!first) throw new Error('fio reported no job')
  const side = job.pattern.endsWith('read') ? first.read : first.write
  const percentile = side.lat_ns.percentile ?? {}
  return {
    iops: side.iops,
    megabytes: side.bw_bytes / 1e6,
    p50Microseconds: (percentile['50.000000'] ?? 0) / 1000,
    p99Microseconds: (percentile['99.000000'] ?? 0) / 1000,
  }
}

/** The run in the middle by operations a second. */
export function median(runs: readonly Measurement[]): Measurement {
  const sorted = [...runs].sort((a, b) => a.iops - b.iops)
  const middle = sorted[Math.floor((sorted.length - 1) / 2)]
  if (!middle) throw new Error('no runs')
  return middle
}
