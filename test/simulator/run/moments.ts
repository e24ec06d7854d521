// Waiting for moments of the protocol: "when the second `replicate` has arrived at b". Whoever
// waits goes on in the turn in which it happens, before anything else does.
import { wait, type Clock } from '../../../src/base/clock.js'
import type { PeerId } from '../../../src/base/brands.js'
import type { DataReply, Replicated } from '../../../src/net/messages.js'
import type { RaftMessage } from '../../../src/net/manager-messages.js'
import type { OperationName } from '../../../src/net/operations.js'
import type { Moment, Seen } from '../watched-peers.js'

export interface Sight {
  readonly operation: OperationName
  readonly moment: Moment
  /** Where; anywhere if absent. */
  readonly at?: PeerId
  /** The other side of the message; any if absent. */
  readonly by?: PeerId
  /** A `replicated` that asks to go on from there. */
  readonly resuming?: true
  /** An answer that says that it was done. */
  readonly done?: true
  /** A message of this kind between managers. */
  readonly of?: RaftMessage['kind']
}

interface Watch {
  readonly sights: readonly (Sight | 'flushed')[]
  left: number
  readonly resolve: () => void
}

export class Moments {
  readonly #clock: Clock
  readonly #watches = new Set<Watch>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  see(seen: Seen): void {
    if (this.#watches.size > 0) this.#happens(sight => sight !== 'flushed' && matches(sight, seen))
  }

  /** A FLUSH of a whole volume was acknowledged. */
  flushed(): void {
    this.#happens(sight => sight === 'flushed')
  }

  /** Until any of these was seen `count` times, or for `limit` virtual milliseconds. */
  async next(
    sights: readonly (Sight | 'flushed')[],
    count: number,
    limit: number,
  ): Promise<boolean> {
    let happened = false
    let watch: Watch | null = null
    const seen = new Promise<void>(resolve => {
      watch = { sights, left: count, resolve }
      this.#watches.add(watch)
    }).then(() => {
      happened = true
    })
    await Promise.race([seen, wait(this.#clock, limit)])
    if (watch) this.#watches.delete(watch)
    return happened
  }

  #happens(is: (sight: Sight | 'flushed') => boolean): void {
    for (const watch of this.#watches) {
      if (!watch.sights.some(is) || --watch.left > 0) continue
      this.#watches.delete(watch)
      watch.resolve()
    }
  }
}

function matches(sight: Sight, seen: Seen): boolean {
  return (
    sight.operation === seen.operation &&
    sight.moment === seen.moment &&
    (sight.at === undefined || sight.at === seen.at) &&
    (sight.by === undefined || sight.by === seen.other) &&
    (!sight.resuming || (seen.request as Partial<Replicated>).resume === true) &&
    (!sight.of || (seen.request as Partial<RaftMessage>).kind === sight.of) &&
    (!sight.done || (seen.reply as Partial<DataReply>).status === 'ok')
  )
}
