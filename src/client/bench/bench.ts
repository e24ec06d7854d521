// Measures how fast a volume is from this host, through the client's driver and nothing above it,
// and leaves the volume as it is. Reads need no attachment. What is written is what is there:
// attached as its only writer, it reads some places that hold data and writes exactly that back, so
// that there is no moment at which a crash, of this client or of servers, leaves anything else.
import { assert } from '../../base/assert.js'
import type { Clock } from '../../base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import type { Interruption } from '../../base/interruption.js'
import { BENCH_WARM_UP_MS } from '../../base/limits.js'
import type { Random } from '../../base/random.js'
import type { Reader } from '../transfer/pieces.js'
import type { HeldState } from '../volume-driver.js'
import { contentUnits, readContents, type Written } from './contents.js'
import { findData } from './find-data.js'
import { sizeText, type BenchJob } from './jobs.js'
import type { LatencySummary } from './latencies.js'
import { Reporter, type BenchProgress } from './reporter.js'
import { runLoad, type Load, type Measured } from './run-load.js'
import type { BenchSubject } from './subject.js'
import { allUnits, fewer, nextUnit, UnitSample, type Units } from './units.js'

export interface BenchOptions {
  readonly clock: Clock
  readonly random: Random
  readonly subject: BenchSubject
  /** Of each job. */
  readonly milliseconds: number
  readonly interruption: Interruption
  readonly held: () => HeldState | null
  readonly tell: (progress: BenchProgress) => void
}

export interface MeasuredJob extends Measured {
  readonly latency: LatencySummary
  readonly job: BenchJob
  /** Only places with data were read; else any, and a hole costs no server a look at its disk. */
  readonly onData: boolean
}

export interface SkippedJob {
  readonly job: BenchJob
  readonly reason: string
}

export interface BenchReport {
  readonly measured: readonly MeasuredJob[]
  readonly skipped: readonly SkippedJob[]
  /** What ended it before its end; null: it is complete. */
  readonly error: SwarmdiskError | null
}

export class Bench {
  readonly #options: BenchOptions
  readonly #reporter: Reporter
  readonly #measured: MeasuredJob[] = []
  readonly #skipped: SkippedJob[] = []
  readonly #samples = new Map<string, UnitSample>()
  /** Of the last job that wrote: the next one often writes the same. */
  #contents: { readonly key: string; readonly written: readonly Written[] } | null = null

  constructor(options: BenchOptions) {
    this.#options = options
    this.#reporter = new Reporter(options)
  }

  /**
   * Fails as the driver does, and with 'aborted' after an interruption, if nothing was measured by
   * then. The attachment is left to whoever closes the driver, which gives up on servers that do
   * not answer.
   */
  async run(jobs: readonly BenchJob[]): Promise<BenchReport> {
    let error: SwarmdiskError | null = null
    try {
      await this.#runAll(jobs)
    } catch (problem) {
      if (!isSwarmdiskError(problem)) throw problem
      error = this.#reporter.withReason(problem)
      if (this.#measured.length === 0) throw error
    } finally {
      this.#reporter.end()
    }
    return { measured: this.#measured, skipped: this.#skipped, error }
  }

  async #runAll(jobs: readonly BenchJob[]): Promise<void> {
    const { volume } = this.#options.subject
    if (jobs.some(({ kind }) => kind === 'write')) {
      assert(volume !== null, 'only what can be written is')
      this.#reporter.doing('attaching')
      // Before it looks for data: what it finds stays as it is from then on.
      await this.#unlessInterrupted(volume.attach())
    }
    await this.#look(jobs)
    const milliseconds = this.#options.milliseconds + this.#warmUp
    for (const [i, job] of jobs.entries()) {
      this.#reporter.job(job.name, { part: i / jobs.length, of: 1 / jobs.length, milliseconds })
      await (job.kind === 'read' ? this.#read(job) : this.#write(job))
    }
  }

  async #look(jobs: readonly BenchJob[]): Promise<void> {
    const { random, subject, interruption } = this.#options
    for (const job of jobs) {
      const shape = { unit: job.blockSize, order: job.order }
      this.#samples.set(keyOf(job), new UnitSample(shape, random))
    }
    const reached = (part: number): void => {
      this.#reporter.doing(`looking for data, ${Math.floor(part * 100)} %`)
    }
    const samples = [...this.#samples.values()]
    const looking = findData(subject.place, samples, { random, interruption, reached })
    await this.#unlessInterrupted(looking)
  }

  async #read(job: BenchJob): Promise<void> {
    const { random, subject } = this.#options
    const data = this.#dataOf(job)
    const units = data.count > 0 ? data : allUnits(subject.place.size, job.blockSize)
    if (units.count === 0) return this.#skip(job, `it has less than ${sizeText(job.blockSize)}`)
    const next = nextUnit(units, job.order, random)
    const buffers = Array.from({ length: job.depth }, () => Buffer.alloc(job.blockSize))
    await this.#measure(job, data.count > 0, line =>
      subject.reader.read(units.offset(next()), buffers[line]!),
    )
  }

  async #write(job: BenchJob): Promise<void> {
    const { random, subject } = this.#options
    const { volume } = subject
    assert(volume !== null, 'only what can be written is')
    const written = await this.#contentsFor(job, volume)
    if (written.length === 0) {
      const size = sizeText(job.blockSize)
      return this.#skip(job, `no ${size} of it are data throughout, which alone is written`)
    }
    const next = nextUnit({ count: written.length }, job.order, random)
    await this.#measure(job, true, async () => {
      const { offset, content } = written[next()]!
      await volume.write(offset, content)
      if (job.flush) await volume.flush()
    })
    // Not to be paid for by the next job.
    await this.#unlessInterrupted(volume.flush())
  }

  async #contentsFor(job: BenchJob, reader: Reader): Promise<readonly Written[]> {
    const { random, interruption } = this.#options
    const key = keyOf(job)
    if (this.#contents?.key === key) return this.#contents.written
    this.#contents = null // before there is memory for two of them
    const most = contentUnits(job.blockSize)
    const units = fewer(this.#dataOf(job), { order: job.order, most }, random)
    const wanted = { units, unit: job.blockSize, interruption }
    const written = await this.#unlessInterrupted(readContents(reader, wanted))
    this.#contents = { key, written }
    return written
  }

  async #measure(job: BenchJob, onData: boolean, operate: Load['operate']): Promise<void> {
    const { depth } = job
    const { milliseconds } = this.#options
    await runLoad({ depth, operate, milliseconds: this.#warmUp }, this.#options)
    this.#check()
    const measured = await runLoad({ depth, operate, milliseconds }, this.#options)
    const { latency } = measured
    if (latency !== null) this.#measured.push({ job, onData, ...measured, latency })
    this.#check()
  }

  get #warmUp(): number {
    return Math.min(BENCH_WARM_UP_MS, this.#options.milliseconds)
  }

  #dataOf(job: BenchJob): Units {
    const sample = this.#samples.get(keyOf(job))
    assert(sample, 'data was looked for before a job')
    return sample.units()
  }

  #skip(job: BenchJob, reason: string): void {
    this.#skipped.push({ job, reason })
  }

  /** Nothing of it has to be waited for: it changes nothing. */
  async #unlessInterrupted<T>(work: Promise<T>): Promise<T> {
    const { interruption } = this.#options
    work.catch(() => undefined) // heard of here, or too late to matter
    const result = await Promise.race([work, interruption.until.then(() => null)])
    this.#check()
    return result as T
  }

  #check(): void {
    if (!this.#options.interruption.asked) return
    throw new SwarmdiskError('aborted', 'Interrupted: what was not measured yet is left out.')
  }
}

/** Jobs that use the same places. */
function keyOf({ order, blockSize }: BenchJob): string {
  return `${order} ${blockSize}`
}
