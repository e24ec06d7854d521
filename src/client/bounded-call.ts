// A call of a client, made of requests to shards, ends with the first of them that fails, or by the
// I/O timeout.
import type { Timer } from '../base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import type { ClientContext } from './context.js'
import type { ShardRequest } from './shard/shard-request.js'

const FAILED_TOGETHER = new SwarmdiskError('aborted', 'Another part of the same call failed.')

export interface CallParts {
  /** For the sentence: "A read of volume data". */
  readonly what: string
  readonly requests: readonly ShardRequest[]
}

/**
 * What was not sent is given up when the call fails, and no read touches the caller's buffer;
 * writes that may have been sent go on until they are decided, so that later ones to the same place
 * still come after them.
 */
export async function boundedCall(
  context: ClientContext,
  { what, requests }: CallParts,
  work: Promise<unknown>,
): Promise<void> {
  const { ioTimeout, clock } = context
  let timer: Timer | null = null
  try {
    if (ioTimeout === null) await work
    else {
      const timeout = new Promise<never>((_, reject) => {
        timer = clock.after(ioTimeout, () => reject(timedOut(what, ioTimeout)))
      })
      await Promise.race([work, timeout])
    }
  } catch (error) {
    const reason = isSwarmdiskError(error) ? error : FAILED_TOGETHER
    for (const request of requests) if (!request.admitted) request.cancel(reason)
    throw error
  } finally {
    // What the compiler cannot see is that the callback above has set it.
    ;(timer as Timer | null)?.cancel()
  }
}

export function timedOut(what: string, ioTimeout: number): SwarmdiskError {
  return new SwarmdiskError(
    'io-timeout',
    `${what} was held for ${ioTimeout / 1000} s and given up (--io-timeout).`,
  )
}
