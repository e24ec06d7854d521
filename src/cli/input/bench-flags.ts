// The words of `bench` as what is to be done, or 'bad-input'.
import { SwarmdiskError } from '../../base/errors.js'
import {
  BENCH_DEPTH_MAX,
  BENCH_SECONDS_MAX,
  BLOCK_BYTES,
  CLIENT_WINDOW_BYTES,
  REQUEST_BYTES_MAX,
} from '../../base/limits.js'
import { benchJobs, sizeText, type BenchJob } from '../../client/bench/jobs.js'
import { wholeNumber } from '../flags.js'
import { parseSize } from '../size.js'

export interface BenchWords {
  readonly depth?: string | undefined
  readonly 'block-size'?: string | undefined
  readonly only?: string | undefined
  readonly write: boolean
}

/** At least one. */
export function chosenJobs(words: BenchWords): readonly BenchJob[] {
  const depth = words.depth === undefined ? null : depthOf(words.depth)
  const size = words['block-size']
  const blockSize = size === undefined ? null : blockSizeOf(size)
  const all = benchJobs({ depth, blockSize })
  const only = words.only === undefined ? /^/ : patternOf(words.only)
  const matching = all.filter(({ name }) => only.test(name))
  const jobs = matching.filter(({ kind }) => words.write || kind === 'read')
  if (matching.length === 0) {
    const names = all.map(({ name }) => `"${name}"`).join(', ')
    throw bad(`--only "${words.only ?? ''}" matches no job: there are ${names}.`)
  }
  if (jobs.length === 0) {
    throw bad(`--only "${words.only ?? ''}" matches only jobs that write: add --write.`)
  }
  for (const job of jobs) checkWindow(job)
  return jobs
}

/** Milliseconds. */
export function benchTime(seconds: string): number {
  const value = Number(seconds)
  if (/^\d{1,9}(\.\d{1,3})?$/.test(seconds) && value > 0 && value <= BENCH_SECONDS_MAX) {
    return value * 1000
  }
  throw bad(
    `--seconds must be above 0 and at most ${BENCH_SECONDS_MAX}, in thousandths, not "${seconds}".`,
  )
}

function depthOf(text: string): number {
  const depth = wholeNumber(text, '--depth')
  if (depth >= 1 && depth <= BENCH_DEPTH_MAX) return depth
  throw bad(`--depth must be from 1 to ${BENCH_DEPTH_MAX}, not ${text}.`)
}

function blockSizeOf(text: string): number {
  const bytes = parseSize(text, '--block-size')
  if (bytes > 0 && bytes <= REQUEST_BYTES_MAX && bytes % BLOCK_BYTES === 0) return bytes
  throw bad(
    `--block-size must be a multiple of ${BLOCK_BYTES} up to ${sizeText(REQUEST_BYTES_MAX)}, ` +
      `not "${text}".`,
  )
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text, 'i')
  } catch {
    throw bad(`--only takes a regular expression, and "${text}" is none.`)
  }
}

/** What does not fit the client's window waits there, and would be measured for the cluster's. */
function checkWindow({ depth, blockSize }: BenchJob): void {
  const most = Math.floor(CLIENT_WINDOW_BYTES / blockSize)
  if (depth <= most) return
  throw bad(
    `--depth ${depth} is too much for requests of ${sizeText(blockSize)}: a client has ` +
      `${sizeText(CLIENT_WINDOW_BYTES)} under way, so take at most ${most}, or leave out such ` +
      'jobs by --only.',
  )
}

function bad(sentence: string): SwarmdiskError {
  return new SwarmdiskError('bad-input', sentence)
}
