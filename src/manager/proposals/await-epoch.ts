// Waiting, with a limit, until the configuration of this manager is where somebody needs it.
import type { Epoch } from '../../base/brands.js'
import type { Clock } from '../../base/clock.js'
import type { ConfigurationHistory } from '../history/configuration-history.js'

export interface EpochWait {
  readonly clock: Clock
  readonly history: Pick<ConfigurationHistory, 'current' | 'subscribe'>
}

/** False: still at this epoch after `limit` milliseconds. */
export function untilEpochIsNot(options: EpochWait, epoch: Epoch, limit: number): Promise<boolean> {
  return untilEpoch(options, current => current !== epoch, limit)
}

/** False: still before this epoch after `limit` milliseconds. */
export function untilEpochReaches(
  options: EpochWait,
  epoch: Epoch,
  limit: number,
): Promise<boolean> {
  return untilEpoch(options, current => current >= epoch, limit)
}

/** What the work gives; null as soon as this is not the epoch any more, for then it is in vain. */
export async function whileEpochIs<T>(
  { history }: Pick<EpochWait, 'history'>,
  epoch: Epoch,
  work: () => Promise<T>,
): Promise<T | null> {
  let stop = (): void => undefined
  const over = new Promise<null>(resolve => {
    const look = (): void => {
      if (history.current()?.epoch !== epoch) resolve(null)
    }
    stop = history.subscribe(look)
    look()
  })
  try {
    return await Promise.race([work(), over])
  } finally {
    stop()
  }
}

function untilEpoch(
  { clock, history }: EpochWait,
  reached: (epoch: number) => boolean,
  limit: number,
): Promise<boolean> {
  const here = (): boolean => reached(history.current()?.epoch ?? 0)
  if (here()) return Promise.resolve(true)
  return new Promise(resolve => {
    const finish = (result: boolean): void => {
      timer.cancel()
      stop()
      resolve(result)
    }
    const timer = clock.after(limit, () => finish(here()))
    const stop = history.subscribe(() => {
      if (here()) finish(true)
    })
  })
}
