// swarmdisk bench VOLUME|VOLUME@SNAPSHOT [--write]
import { Args, Flags } from '@oclif/core'
import { systemClock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import { BENCH_CONTENT_BYTES, BENCH_SAY_HELD_MS, BENCH_SECONDS } from '../base/limits.js'
import { systemRandom } from '../base/random.js'
import { EXIT_CODES } from '../cli/exit-codes.js'
import { benchTime, chosenJobs } from '../cli/input/bench-flags.js'
import { isSnapshotName, parseSnapshotName } from '../cli/input/snapshot-name.js'
import { benchResult, renderBench, skippedText, type BenchResult } from '../cli/render/bench.js'
import { formatSize } from '../cli/size.js'
import type { ProgressLine } from '../cli/render/progress-line.js'
import { TransferCommand, type Session } from '../cli/transfer/transfer-command.js'
import { Bench, type BenchReport } from '../client/bench/bench.js'
import type { BenchJob } from '../client/bench/jobs.js'
import type { BenchProgress } from '../client/bench/reporter.js'
import { benchSubject, type BenchSubject, type SubjectName } from '../client/bench/subject.js'

export default class BenchCommand extends TransferCommand<BenchResult> {
  static override readonly summary = 'Measure how fast a volume is from this host.'
  static override readonly description =
    'Reads the volume through the client of this process, without a mount; what it holds stays ' +
    'as it is. Places with data are read, as far as there are some: holes cost no server a look ' +
    'at its disk. The time of an operation is that until its answer is here. A signal ends it ' +
    'early, with what it has measured by then and exit code 13.'
  static override readonly examples = [
    '<%= config.bin %> bench data',
    '<%= config.bin %> bench data --write --seconds 10',
    '<%= config.bin %> bench data --only "random read" --depth 32 --block-size 16K',
    '<%= config.bin %> bench data@monday --json',
  ]
  static override readonly args = {
    volume: Args.string({
      description: 'a volume; or VOLUME@SNAPSHOT, which is only read',
      required: true,
    }),
  }
  static override readonly flags = {
    ...TransferCommand.transferFlags,
    seconds: Flags.string({ description: 'time of each job', default: String(BENCH_SECONDS) }),
    depth: Flags.string({ description: 'requests under way, for all jobs', helpValue: 'N' }),
    'block-size': Flags.string({
      description: 'of each request, for all jobs, like 4K or 1M',
      helpValue: 'SIZE',
    }),
    only: Flags.string({
      description: 'jobs whose name matches this regular expression, like "depth 16"',
      helpValue: 'PATTERN',
    }),
    write: Flags.boolean({
      description:
        'write as well: attached as the only writer, it reads what some places hold and writes ' +
        'exactly that back; a volume that has snapshots, or is a clone, gets new blocks for ' +
        `it, up to ${formatSize(BENCH_CONTENT_BYTES)} in each copy for each kind of job`,
    }),
  }

  protected override async execute(): Promise<BenchResult> {
    const { args, flags } = await this.parse(BenchCommand)
    const jobs = chosenJobs(flags)
    const milliseconds = benchTime(flags.seconds)
    const name = nameOf(args.volume)
    if (flags.write && name.snapshot !== null) {
      throw new SwarmdiskError(
        'bad-input',
        `${args.volume} is a snapshot, which nobody writes: leave out --write, or name the volume.`,
      )
    }
    const report = await this.withSession(flags, session => {
      const { driver } = session.client
      const subject = benchSubject(driver, session.client.current(), name)
      return this.#measure(session, { jobs, milliseconds, subject })
    })
    const result = benchResult(args.volume, report)
    if (result.jobs.length === 0) throw nothingMeasured(result)
    if (report.error !== null) {
      // What was measured by then is worth to be seen, so it is no failure that hides it.
      process.stderr.write(`${report.error.message}\n`)
      process.exitCode = EXIT_CODES[report.error.code]
    }
    return result
  }

  protected override show(result: BenchResult): void {
    this.log(renderBench(result))
  }

  #measure(
    { client, line, interruption }: Session,
    { jobs, milliseconds, subject }: Plan,
  ): Promise<BenchReport> {
    const bench = new Bench({
      ...{ clock: systemClock, random: systemRandom, interruption, subject, milliseconds },
      held: () => client.driver.held(),
      tell: teller(line),
    })
    return bench.run(jobs)
  }
}

interface Plan {
  readonly jobs: readonly BenchJob[]
  readonly milliseconds: number
  readonly subject: BenchSubject
}

function nameOf(text: string): SubjectName {
  if (!isSnapshotName(text)) return { volume: text, snapshot: null }
  const { volume, name } = parseSnapshotName(text)
  return { volume, snapshot: name }
}

/** A bar where somebody looks at it; elsewhere a line when something is waited for, for long. */
function teller(line: ProgressLine): (progress: BenchProgress) => void {
  let heldSince: number | null = null
  let said: string | null = null
  return ({ part, what, held }) => {
    line.bar(part, held === null ? what : `${what}: ${held}`)
    const now = systemClock.now()
    heldSince = held === null ? null : (heldSince ?? now)
    if (heldSince === null) said = null
    else if (!process.stderr.isTTY && held !== said && now - heldSince >= BENCH_SAY_HELD_MS) {
      process.stderr.write(`I/O is held, ${held}.\n`)
      said = held
    }
  }
}

function nothingMeasured({ volume, skipped }: BenchResult): SwarmdiskError {
  const reasons = skippedText(skipped).replaceAll('\n', ' ')
  return new SwarmdiskError('bad-input', `Nothing of ${volume} was measured: ${reasons}`)
}
