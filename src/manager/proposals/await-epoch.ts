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
