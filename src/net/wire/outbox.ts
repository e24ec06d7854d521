// What waits to be sent on one link. Small entries of one turn share a frame, control goes before
// data, nothing is sent while the link asks to wait. What is patient waits for the next frame, but
// not for long. Requests may wait: who asked bounds them. Answers and notices have no one who waits
// for room: a link on which too many pile up is closed.
import { Alarms, type Alarm } from '../../base/alarms.js'
import type { Clock } from '../../base/clock.js'
import {
  FRAME_BATCH_BYTES,
  LINK_OUTBOX_BYTES_MAX,
  LINK_REQUESTS_WAITING_MAX,
  NOTICE_PATIENCE_MS,
} from '../../base/limits.js'
import { buildFrame, framedBytes, parcelBytes, type Parcel } from './entry.js'

export interface OutboxOptions {
  readonly clock: Clock
  /** As Link.allocate. */
  readonly allocate: (bytes: number) => Uint8Array
  /** As Link.send. */
  readonly send: (frame: Uint8Array) => boolean
  /** More waits than the limits allow. The outbox is closed then. */
  readonly overflow: () => void
}

export class Outbox {
  readonly #options: OutboxOptions
  #control: Parcel[] = []
  #data: Parcel[] = []
  /** Bytes of answers and notices, number of requests. */
  #bytes = 0
  #requests = 0
  #scheduled = false
  readonly #alarms: Alarms
  /** When patient entries that wait are sent at the latest; null: none waits. */
  #patience: Alarm | null = null
  #blocked = false
  #closed = false

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#alarms = new Alarms(options.clock)
  }

  push(parcel: Parcel): void {
    if (this.#closed) return
    const lane = parcel.lane === 'control' ? this.#control : this.#data
    lane.push(parcel)
    this.#count(parcel, 1)
    if (this.#bytes > LINK_OUTBOX_BYTES_MAX || this.#requests > LINK_REQUESTS_WAITING_MAX) {
      this.close()
      this.#options.overflow()
      return
    }
    if (parcel.patient) this.#sendLater()
    else this.#schedule()
  }

  /** The link can take more. */
  drain(): void {
    this.#blocked = false
    this.#schedule()
  }

  /** The data path moved: requests and notices that still wait for the old one are not sent. */
  forgetData(): void {
    for (const parcel of this.#data) if (parcel.kind !== 'reply') parcel.cancelled = true
  }

  close(): void {
    this.#closed = true
    this.#endPatience()
    this.#control = []
    this.#data = []
  }

  #count(parcel: Parcel, sign: 1 | -1): void {
    if (parcel.kind === 'request') this.#requests += sign
    else this.#bytes += sign * parcelBytes(parcel)
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked || this.#closed) return
    this.#scheduled = true
    // A tick asked for by a promise comes when no promise is left in this turn: what follows from
    // one event of the host shares frames, however many awaits it took.
    queueMicrotask(() => process.nextTick(this.#turnOver))
  }

  #sendLater(): void {
    if (this.#patience) return
    const due = this.#options.clock.now() + NOTICE_PATIENCE_MS
    this.#patience = { due, ring: () => this.#schedule() }
    this.#alarms.add(this.#patience)
  }

  #endPatience(): void {
    if (this.#patience) this.#alarms.delete(this.#patience)
    this.#patience = null
  }

  readonly #turnOver = (): void => {
    this.#scheduled = false
    this.#flush()
  }

  /** One frame at a time: the link takes up its memory before it is asked for more. */
  #flush(): void {
    const { allocate, send } = this.#options
    if (this.#blocked || this.#closed) return
    const batch = this.#takeBatch()
    this.#endPatience()
    if (batch.length === 0) return
    this.#blocked = !send(buildFrame(batch, allocate))
    if (this.#control.length > 0 || this.#data.length > 0) this.#schedule()
  }

  /** What fits the next frame, control first; at least one entry if there is any. */
  #takeBatch(): readonly Parcel[] {
    const batch: Parcel[] = []
    let room = FRAME_BATCH_BYTES
    for (const lane of [this.#control, this.#data]) {
      let taken = 0
      for (const parcel of lane) {
        if (!parcel.cancelled) {
          const bytes = framedBytes(parcel)
          if (bytes > room && batch.length > 0) break
          room -= bytes
          batch.push(parcel)
        }
        this.#count(parcel, -1)
        taken++
      }
      const full = taken < lane.length
      lane.splice(0, taken)
      if (full) break
    }
    return batch
  }
}
