// A scrub of a volume: all its shards, a few at a time, until each has been looked at, or the time
// is over; then it says what it has. Nothing has to be undone: it may end anywhere, and be run
// again.
import { assert } from '../../base/assert.js'
import { shardIndex, type PeerId } from '../../base/brands.js'
import { SCRUB_SHARDS_AT_ONCE } from '../../base/limits.js'
import type { VolumeRecord } from '../../layout/configuration.js'
import { Questions, type ScrubContext } from './questions.js'
import { ScrubReport, type ScrubResult } from './scrub-report.js'
import { ShardScrub } from './shard-scrub.js'

export interface ScrubProgress {
  /** From 0 to 1. */
  readonly done: number
  /** Copies of blocks read so far. */
  readonly blocks: number
  /** Rotten or different. */
  readonly problems: number
}

export interface VolumeScrubOptions {
  readonly context: ScrubContext
  readonly volume: VolumeRecord
  readonly repair: boolean
  /** Often. */
  readonly progress?: (progress: ScrubProgress) => void
}

export class VolumeScrub {
  readonly #o: VolumeScrubOptions
  readonly #questions: Questions
  readonly #report: ScrubReport
  readonly #shards: readonly ShardScrub[]
  #end: () => void = () => undefined
  readonly #ended = new Promise<void>(resolve => (this.#end = resolve))

  constructor(options: VolumeScrubOptions) {
    this.#o = options
    const { context, volume, repair } = options
    this.#questions = new Questions(context)
    this.#report = new ScrubReport({
      volume: volume.name,
      shardCount: volume.shards.length,
      nameOf: server => this.#nameOf(server),
    })
    this.#shards = volume.shards.map(
      (_, i) =>
        new ShardScrub({
          ...{ context, repair, questions: this.#questions, report: this.#report },
          ...{ volume: volume.id, volumeName: volume.name, shard: shardIndex(i) },
        }),
    )
  }

  /** Its answer comes now, with what there is. */
  end(): void {
    this.#questions.end()
    this.#end()
  }

  /** Or 'not-found', when the volume is deleted. */
  async run(): Promise<ScrubResult> {
    const next = this.#shards.values()
    const worker = async (): Promise<void> => {
      for (const shard of next) {
        await this.#watched(shard)
        if (this.#questions.over) return
      }
    }
    const workers = Array.from({ length: SCRUB_SHARDS_AT_ONCE }, worker)
    try {
      await Promise.race([Promise.all(workers), this.#ended])
    } finally {
      this.#questions.end()
      for (const one of workers) one.catch(() => undefined)
    }
    for (const shard of this.#shards) shard.finish()
    return this.#report.result()
  }

  async #watched(shard: ShardScrub): Promise<void> {
    await shard.run(() => this.#o.progress?.(this.#progress()))
  }

  #progress(): ScrubProgress {
    const sum = this.#shards.reduce((total, { progress }) => total + progress, 0)
    assert(this.#shards.length > 0, 'a volume has shards')
    const { blocks, problems } = this.#report
    return { done: sum / this.#shards.length, blocks, problems }
  }

  #nameOf(server: PeerId): string {
    const record = this.#o.context.watch.current()?.servers.get(server)
    return record?.name ?? server.slice(0, 8)
  }
}
