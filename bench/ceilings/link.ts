// What a link for data allows at best: Noise over TCP on loopback, as between two peers, with
// nothing behind it. A frame of 4 KiB comes back; one of 1 MiB is acknowledged.
import { systemRandom } from '../../src/base/random.js'
import { ClusterKey } from '../../src/net/cluster-key.js'
import type { Timing } from '../shared/fio.js'
import { middleBy } from '../shared/statistics.js'
import { CeilingChild } from './child.js'

export interface LinkLoad {
  readonly bytes: number
  /** Frames under way. */
  readonly depth: number
  readonly seconds: number
}

export interface LinkRate {
  /** Frames that were answered. */
  readonly perSecond: number
  readonly p50Microseconds: number
  readonly p99Microseconds: number
}

/** One rate for each load, in their order: the median of the runs after one that does not count. */
export async function measureLink(
  loads: readonly Omit<LinkLoad, 'seconds'>[],
  { seconds, runs, signal }: Timing & { readonly signal: AbortSignal },
): Promise<readonly LinkRate[]> {
  const key = ClusterKey.generate(systemRandom).reveal()
  const start = (words: readonly string[]): CeilingChild =>
    new CeilingChild({ name: 'link-end', words, signal })
  const answering = start(['answer', key])
  let asking: CeilingChild | null = null
  try {
    const port = (await answering.told()) as number
    asking = start(['ask', key, String(port)])
    await asking.told()
    const rates: LinkRate[] = []
    for (const load of loads) {
      const measured: LinkRate[] = []
      for (let i = 0; i <= runs; i++) {
        const rate = (await asking.ask({ ...load, seconds })) as LinkRate
        if (i > 0) measured.push(rate)
      }
      rates.push(middleBy(measured, ({ perSecond }) => perSecond))
    }
    return rates
  } finally {
    await asking?.stop()
    await answering.stop()
  }
}
