// Memory that was lost (design §5): when a shard's generation rises, all its in-sync replicas had
// restarted, and acknowledged writes that no FLUSH covered may be gone. They are written again,
// with those under way, as the last of them left each block, before anything else is sent to the
// shard; when the generation rises once more meanwhile, from the beginning.
import { REPLAYS_IN_FLIGHT, REQUEST_BYTES_MAX } from '../../base/limits.js'
import { isSwarmdiskError, SwarmdiskError, type ErrorCode } from '../../base/errors.js'
import { flattened, type KeptWrite } from './kept-writes.js'
import type { ShardRequest } from './shard-request.js'

export interface ReplaySource {
  /** All that is to be repeated, the older first. */
  writes(): readonly KeptWrite[]
  begin(): ShardRequest
  end(request: ShardRequest): void
  /** Writes it under a new number. */
  write(request: ShardRequest, write: KeptWrite): Promise<void>
  /** This write could not be repeated. */
  lost(write: KeptWrite, error: SwarmdiskError): void
}

const ENDS = new Set<ErrorCode>(['aborted', 'not-found', 'fenced'])
const SUPERSEDED = new SwarmdiskError('aborted', 'The shard lost its memory once more.')

export class Replay {
  readonly #source: ReplaySource
  readonly #requests = new Set<ShardRequest>()
  readonly #waiting = new Set<() => void>()
  #running = false
  #again = false

  constructor(source: ReplaySource) {
    this.#source = source
  }

  get running(): boolean {
    return this.#running
  }

  start(): void {
    if (this.#running) {
      this.#again = true
      for (const request of [...this.#requests]) request.cancel(SUPERSEDED)
    } else {
      this.#running = true
      void this.#run()
    }
  }

  whenDone(done: () => void): () => void {
    if (!this.#running) done()
    else this.#waiting.add(done)
    return () => this.#waiting.delete(done)
  }

  async #run(): Promise<void> {
    do {
      this.#again = false
    } while (!(await this.#once()))
    this.#running = false
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const done of waiting) done()
  }

  /** False: it must begin anew. */
  async #once(): Promise<boolean> {
    const writes = flattened(this.#source.writes(), REQUEST_BYTES_MAX)
    let ended = false
    const line = async (): Promise<void> => {
      for (const write of writes) {
        if ((await this.#one(write)) === 'ended') ended = true
        if (ended || this.#again) return
      }
    }
    await Promise.all(Array.from({ length: REPLAYS_IN_FLIGHT }, line))
    return !this.#again
  }

  async #one(write: KeptWrite): Promise<'done' | 'ended'> {
    let request: ShardRequest | null = null
    try {
      request = this.#source.begin()
      this.#requests.add(request)
      await this.#source.write(request, write)
      return 'done'
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      // All I/O was ended, the volume was deleted, or it begins anew: nobody's data is at stake.
      // And of a volume that another client has taken over, FLUSH says what was lost.
      if (ENDS.has(error.code)) return 'ended'
      this.#source.lost(write, error)
      return 'done'
    } finally {
      if (request) {
        this.#requests.delete(request)
        this.#source.end(request)
      }
    }
  }
}
