// A limit on how long something is waited for that cannot be called off.
import type { Clock, Timer } from '../../base/clock.js'
import { isSwarmdiskError } from '../../base/errors.js'

const LATE = Symbol('late')

export interface TimeLimit<T> {
  /** Milliseconds. */
  readonly within: number
  readonly otherwise: T
}

/** What it comes to, or `otherwise`; its failure with the disk is nobody's any more then. */
export async function inTime<T>(
  clock: Clock,
  { within, otherwise }: TimeLimit<T>,
  result: T | Promise<T>,
): Promise<T> {
  let timer: Timer | null = null
  const limit = new Promise<typeof LATE>(resolve => {
    timer = clock.after(within, () => resolve(LATE))
  })
  const work = Promise.resolve(result)
  const first = await Promise.race([work, limit]).finally(() => timer?.cancel())
  if (first !== LATE) return first
  // A bug goes to the top of the process, however late.
  void work.catch((error: unknown) => {
    if (!isSwarmdiskError(error)) throw error
  })
  return otherwise
}
