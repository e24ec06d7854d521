// What exports, imports, comparisons and benchmarks share: a client of volumes for the time of the
// command, a bar on the terminal, and a clean end by a signal.
import { Flags } from '@oclif/core'
import { SwarmdiskError } from '../../base/errors.js'
import { Interruption } from '../../base/interruption.js'
import { TRANSFER_IO_TIMEOUT_MS } from '../../base/limits.js'
import { SwarmdiskCommand } from '../base-command.js'
import { parseDuration } from '../duration.js'
import { clusterFlags, dataFlag, type ClusterFlags } from '../flags.js'
import { createLog } from '../log.js'
import { clusterAccess } from '../processes/cluster-access.js'
import { ProgressLine } from '../render/progress-line.js'
import { onSignals } from '../signals.js'
import { formatSize } from '../size.js'
import type { Sink } from './streams.js'
import { openVolumeClient, type VolumeClient } from './volume-client.js'

export type TransferFlags = ClusterFlags & {
  readonly data?: string | undefined
  readonly 'io-timeout': string
}

/** A client of volumes while somebody works with it. */
export interface Session {
  readonly client: VolumeClient
  readonly line: ProgressLine
  /** By the first signal; the second one ends the process. */
  readonly interruption: Interruption
}

/** `reached`: up to where in a volume of `size` bytes. */
export type Progress = (reached: number, size: number) => void

export const outputFlag = Flags.string({
  description: 'write into this new file instead of the standard output',
  helpValue: 'FILE',
})

export const replicasFlag = Flags.string({
  description: 'copies of every block of a volume that is made',
  default: '3',
})

export abstract class TransferCommand<Result extends object> extends SwarmdiskCommand<Result> {
  static readonly transferFlags = {
    ...clusterFlags,
    data: dataFlag,
    'io-timeout': Flags.string({
      description: 'I/O held longer than this ends the command, like 30s or 5m',
      default: `${TRANSFER_IO_TIMEOUT_MS / 1000}s`,
    }),
  }

  /** Given up in the middle by a signal. */
  protected withClient<T>(
    flags: TransferFlags,
    work: (client: VolumeClient, progress: Progress) => Promise<T>,
  ): Promise<T> {
    return this.withSession(flags, ({ client, line, interruption }) => {
      const progress: Progress = (reached, size) => {
        const text = `${formatSize(reached)} of ${formatSize(size)}`
        line.bar(size === 0 ? 1 : reached / size, text)
      }
      return Promise.race([work(client, progress), interrupted(interruption)])
    })
  }

  /** The work looks for the interruption by itself. */
  protected async withSession<T>(
    flags: TransferFlags,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const name = (this.id ?? 'swarmdisk').replaceAll(':', ' ')
    const ioTimeout = parseDuration(flags['io-timeout'], '--io-timeout')
    let client: VolumeClient | null = null
    const interruption = new Interruption()
    onSignals(count => {
      if (count > 1) process.exit(130)
      interruption.ask()
    })
    const line = new ProgressLine(process.stderr)
    try {
      const opening = openVolumeClient({
        access: clusterAccess(flags, flags.data),
        log: createLog(flags['log-level'], name),
        ioTimeout,
        name,
      })
      client = await Promise.race([opening, interrupted(interruption)])
      return await work({ client, line, interruption })
    } finally {
      line.end()
      await client?.close()
    }
  }
}

async function interrupted(interruption: Interruption): Promise<never> {
  await interruption.until
  throw new SwarmdiskError('aborted', 'Interrupted: what was begun is not complete.')
}

/** Closes the sink, or discards what was written when that failed. */
export async function intoSink<T>(sink: Sink, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work()
    await sink.close()
    return result
  } catch (error) {
    await sink.discard()
    throw error
  }
}
