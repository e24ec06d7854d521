// What a server spends on copies for catching up, and how much it has fetched. There are so many
// bytes a second, in and out, and fewer beside clients. Beside clients it also fetches in no more
// than a part of its time: a host or a disk that is slow, or busy with something else, may have
// nothing left where those bytes are spent. There each copy takes long, and the next one begins
// later.
import { byteCount, type ByteCount } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import {
  CLIENTS_ARE_QUIET_AFTER_MS,
  RECOVERY_BYTES_BESIDE_CLIENTS,
  RECOVERY_BYTES_PER_SECOND,
  RECOVERY_TIME_BESIDE_CLIENTS,
} from '../base/limits.js'
import type { ClientActivity } from './client-activity.js'
import { PaceState } from './replication/pace-state.js'

/** One copy in eight decides: they differ in size. */
const SMOOTHING = 1 / 8

export class RecoveryBudget {
  readonly #clock: Clock
  readonly #clients: Pick<ClientActivity, 'quiet'>
  readonly #pace = new PaceState()
  #fetched = 0
  #sourceBusyAt = -Infinity
  /** Milliseconds that a copy took lately, from the question until it was stored. */
  #usual = 0

  constructor(clock: Clock, clients: Pick<ClientActivity, 'quiet'>) {
    this.#clock = clock
    this.#clients = clients
  }

  /** From other servers, to catch up and to repair. */
  get fetched(): ByteCount {
    return byteCount(this.#fetched)
  }

  /** Clients want something of this server. What others have said of theirs does not count. */
  get busy(): boolean {
    return !this.#clients.quiet
  }

  /** Milliseconds to wait before so much may be given to another server. */
  pauseToGive(bytes: number): number {
    return this.#pause(bytes, 0)
  }

  /** Milliseconds to wait before so much may be asked of another server. */
  pauseToFetch(bytes: number): number {
    const apart = this.#givesWay ? this.#usual / RECOVERY_TIME_BESIDE_CLIENTS : 0
    return this.#pause(bytes, apart)
  }

  /** What has come, whatever becomes of it. */
  count(bytes: number): void {
    this.#fetched += bytes
  }

  /** Clients want something of whom we copy from, and perhaps nothing of us. */
  sourceIsBusy(): void {
    this.#sourceBusyAt = this.#clock.now()
  }

  /** A copy was fetched and stored. */
  took(milliseconds: number): void {
    this.#usual += (milliseconds - this.#usual) * SMOOTHING
  }

  get #givesWay(): boolean {
    const since = this.#clock.now() - this.#sourceBusyAt
    return this.busy || since < CLIENTS_ARE_QUIET_AFTER_MS
  }

  #pause(bytes: number, apart: number): number {
    const rate = this.#givesWay ? RECOVERY_BYTES_BESIDE_CLIENTS : RECOVERY_BYTES_PER_SECOND
    return this.#pace.take({ now: this.#clock.now(), rate, apart }, bytes)
  }
}
