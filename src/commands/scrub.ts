// swarmdisk scrub VOLUME [--check] [--timeout DURATION]
import { Args, Flags } from '@oclif/core'
import { systemClock } from '../base/clock.js'
import { SwarmdiskError } from '../base/errors.js'
import type { ScrubResult } from '../client/scrub/scrub-report.js'
import { VolumeScrub } from '../client/scrub/volume-scrub.js'
import { findVolume } from '../client/transfer/export-snapshot.js'
import { SwarmdiskCommand } from '../cli/base-command.js'
import { parseDuration } from '../cli/duration.js'
import { EXIT_CODES } from '../cli/exit-codes.js'
import { clusterFlags, dataFlag, type ClusterFlags } from '../cli/flags.js'
import { createLog } from '../cli/log.js'
import { clusterAccess } from '../cli/processes/cluster-access.js'
import { createMember } from '../cli/processes/swarm-member.js'
import { undoAll, type Undo } from '../cli/processes/undo.js'
import { ProgressLine } from '../cli/render/progress-line.js'
import { renderScrub, scrubFailure } from '../cli/render/scrub.js'
import { onSignals } from '../cli/signals.js'
import { formatSize } from '../cli/size.js'
import { configured } from '../cli/transfer/configured.js'
import { bytesOfBlocks } from '../layout/geometry.js'
import { nameProblem } from '../layout/names.js'
import { ConfigurationWatch } from '../net/configuration-watch.js'

interface Wish {
  readonly volume: string
  readonly repair: boolean
  /** Milliseconds; null: as long as it takes. */
  readonly timeout: number | null
}

type ScrubFlags = ClusterFlags & { readonly data?: string | undefined }

export default class Scrub extends SwarmdiskCommand<ScrubResult> {
  static override readonly summary =
    'Read every copy of a volume and its snapshots, and compare them.'
  static override readonly description =
    'Every in-sync copy reads its blocks from its disk and checks them; then the copies are ' +
    'compared with each other, while I/O goes on. What is rotten is repaired from a good copy, ' +
    'unless with --check. What differs although it is not rotten is reported: nobody knows which ' +
    'one is right. It gives way to clients, may be ended at any time, and run again. The exit ' +
    'code is 0 if all is well or was repaired, 14 if something is wrong and was not, and 19 if ' +
    'nothing is wrong but some copies could not be checked.'
  static override readonly examples = [
    '<%= config.bin %> scrub data',
    '<%= config.bin %> scrub data --check --timeout 8h --json',
  ]
  static override readonly args = {
    volume: Args.string({ description: 'name of the volume', required: true }),
  }
  static override readonly flags = {
    ...clusterFlags,
    data: dataFlag,
    check: Flags.boolean({
      aliases: ['no-repair'],
      description: 'only report what is rotten; also as --no-repair',
    }),
    timeout: Flags.string({
      description: 'end after so long, like 30m or 8h, with what was found; default: when done',
      helpValue: 'DURATION',
    }),
  }

  override async run(): Promise<ScrubResult> {
    const result = await super.run()
    const failure = scrubFailure(result)
    if (failure) {
      process.stderr.write(`${failure.sentence}\n`)
      process.exitCode = EXIT_CODES[failure.code]
    }
    return result
  }

  protected override async execute(): Promise<ScrubResult> {
    const { args, flags } = await this.parse(Scrub)
    const problem = nameProblem('volume name', args.volume)
    if (problem !== null) throw new SwarmdiskError('bad-input', problem)
    const { check, timeout } = flags
    return this.#scrub(flags, {
      volume: args.volume,
      repair: !check,
      timeout: timeout === undefined ? null : parseDuration(timeout, '--timeout'),
    })
  }

  async #scrub(flags: ScrubFlags, { volume, repair, timeout }: Wish): Promise<ScrubResult> {
    const undo: Undo[] = []
    const line = new ProgressLine(process.stderr)
    undo.push(() => line.end())
    let scrub: VolumeScrub | null = null
    // It answers with what it has; who cannot wait for that asks twice.
    onSignals(count => {
      if (count > 1 || scrub === null) process.exit(130)
      scrub.end()
    })
    try {
      const log = createLog(flags['log-level'], 'scrub')
      const access = clusterAccess(flags, flags.data)
      const member = createMember({ access, log, roles: ['client'], name: 'scrub' })
      const { peers } = member
      const watch = new ConfigurationWatch({ peers, log, clock: systemClock })
      undo.push(() => watch.stop())
      undo.push(() => member.stop())
      await member.start()
      await configured(watch, member)
      const running = new VolumeScrub({
        ...{ context: { peers, watch, clock: systemClock }, repair },
        volume: findVolume(watch.current()!, volume),
        progress: ({ done, blocks, problems }) => {
          const found = problems === 0 ? '' : `, ${problems} found`
          line.bar(done, `${formatSize(bytesOfBlocks(blocks))} read${found}`)
        },
      })
      scrub = running
      if (timeout !== null) {
        const timer = systemClock.after(timeout, () => running.end())
        undo.push(() => timer.cancel())
      }
      return await running.run()
    } finally {
      await undoAll(undo)
    }
  }

  protected override show(result: ScrubResult): void {
    this.log(renderScrub(result))
  }
}
