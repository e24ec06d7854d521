// What a link for data allows at best: Noise over TCP on loopback, as between two peers, with
// nothing behind it. A frame of 4 KiB comes back; one of 1 MiB is acknowledged. And what links
// allow where a frame has to be in several processes: one gets it and sends it to the others.
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

type Loads = readonly Omit<LinkLoad, 'seconds'>[]
type Options = Timing & { readonly signal: AbortSignal }

/** One rate for each load, in their order: the median of the runs after one that does not count. */
export function measureLink(loads: Loads, options: Options): Promise<readonly LinkRate[]> {
  return measure(loads, options, start => start(['answer']))
}

/** The same for frames that are acknowledged when so many processes have them. */
export function measureCopies(
  loads: Loads,
  copies: number,
  options: Options,
): Promise<readonly LinkRate[]> {
  return measure(loads, options, async start => {
    const ports: number[] = []
    while (ports.length < copies - 1) ports.push(await start(['acknowledge']))
    return start(copies === 1 ? ['acknowledge'] : ['relay', ...ports.map(String)])
  })
}

/** Starts a process that is not the one that asks; answers with its port. */
type Start = (words: readonly string[]) => Promise<number>

async function measure(
  loads: Loads,
  { seconds, runs, signal }: Options,
  startOthers: (start: Start) => Promise<number>,
): Promise<readonly LinkRate[]> {
  const key = ClusterKey.generate(systemRandom).reveal()
  const children: CeilingChild[] = []
  const child = ([role = '', ...ports]: readonly string[]): CeilingChild => {
    const started = new CeilingChild({ name: 'link-end', words: [role, key, ...ports], signal })
    children.unshift(started)
    return started
  }
  try {
    const port = await startOthers(async words => (await child(words).told()) as number)
    const asking = child(['ask', String(port)])
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
    for (const started of children) await started.stop()
  }
}
