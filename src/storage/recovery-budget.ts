// What a server spends on copies for catching up, and how much it has fetched. There are so many
// bytes a second, in and out, and fewer beside clients. Beside clients it also fetches in no more
// than a part of its time: a host or a disk that is slow, or busy with something else, may have
// nothing left where those bytes are spent. There each copy takes long, and the next one begins
// later.
import { byteCount, type ByteCount } from '../base/brands.js'
import type { Clock } from '../base/clock.js'
import {
  CLIENTS_ARE_QUIET_AFTER_MS,
  RECOVERY_APART_MAX_MS,
  RECOVERY_GIVE_MAX_MS,
  RECOVERY_PART_BESIDE_CLIENTS,
  SCRUB_AFTER_COPY_MS,
} from '../base/limits.js'
import type { ClientActivity } from './client-activity.js'
import { PaceState } from './replication/pace-state.js'

/** One copy in eight decides: they differ in size. */
const SMOOTHING = 1 / 8

interface RecoveryBudgetOptions {
  readonly clock: Clock
  readonly clients: Pick<ClientActivity, 'quiet'>
  readonly bytesPerSecond: number
}

export class RecoveryBudget {
  readonly #clock: Clock
  readonly #clients: Pick<ClientActivity, 'quiet'>
  readonly #bytesPerSecond: number
  readonly #pace = new PaceState()
  #fetched = 0
  #sourceBusyAt = -Infinity
  #gaveAt = -Infinity
  /** Milliseconds that a copy took lately, from the question until it was stored, or given up. */
  #usual = 0

  constructor({ clock, clients, bytesPerSecond }: RecoveryBudgetOptions) {
    this.#clock = clock
    this.#clients = clients
    this.#bytesPerSecond = bytesPerSecond
  }

  /** From other servers, to catch up and to repair. */
  get fetched(): ByteCount {
    return byteCount(this.#fetched)
  }

  /** Clients want something of this server. What others have said of theirs does not count. */
  get busy(): boolean {
    return !this.#clients.quiet
  }

  /**
   * Milliseconds to wait before so much may be given to another server. Null: it would not wait so
   * long, and should ask again.
   */
  pauseToGive(bytes: number): number | null {
    this.#gaveAt = this.#clock.now()
    return this.#pauseFor(bytes)
  }

  /** The same before so much is read for a scrub, which gives way to those who copy from us. */
  pauseToScrub(bytes: number): number | null {
    if (this.#clock.now() - this.#gaveAt < SCRUB_AFTER_COPY_MS) return null
    return this.#pauseFor(bytes)
  }

  #pauseFor(bytes: number): number | null {
    const moment = this.#moment
    if (this.#pace.wouldWait(moment, bytes) > RECOVERY_GIVE_MAX_MS) return null
    return this.#pace.take(moment, bytes)
  }

  /** Milliseconds to wait before so much may be asked of another server. */
  pauseToFetch(bytes: number): number {
    const apart = this.#givesWay
      ? Math.min(RECOVERY_APART_MAX_MS, this.#usual / RECOVERY_PART_BESIDE_CLIENTS)
      : 0
    return this.#pace.take({ ...this.#moment, apart }, bytes)
  }

  /** What has come, whatever becomes of it. */
  count(bytes: number): void {
    this.#fetched += bytes
  }

  /** Clients want something of whom we copy from, and perhaps nothing of us. */
  sourceIsBusy(): void {
    this.#sourceBusyAt = this.#clock.now()
  }

  /** A copy was fetched and stored, or was asked for in vain. */
  took(milliseconds: number): void {
    this.#usual += (milliseconds - this.#usual) * SMOOTHING
  }

  get #givesWay(): boolean {
    const since = this.#clock.now() - this.#sourceBusyAt
    return this.busy || since < CLIENTS_ARE_QUIET_AFTER_MS
  }

  get #moment(): { readonly now: number; readonly rate: number } {
    const part = this.#givesWay ? RECOVERY_PART_BESIDE_CLIENTS : 1
    return { now: this.#clock.now(), rate: this.#bytesPerSecond * part }
  }
}
