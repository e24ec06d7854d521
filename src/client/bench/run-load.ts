// Runs operations for a time, so many at once, and says how long they took. An operation that is
// under way at the end is waited for and counted, since leaving it out would make slow ones look
// rare; after an interruption only for a moment.
import { wait, type Clock } from '../../base/clock.js'
import type { Interruption } from '../../base/interruption.js'
import { BENCH_STOP_MS } from '../../base/limits.js'
import { Latencies, type LatencySummary } from './latencies.js'

export interface Load {
  /** Operations at once. */
  readonly depth: number
  readonly milliseconds: number
  /** One operation of the line of this number, below the depth. */
  operate(line: number): Promise<void>
}

export interface Measured {
  /** From the first operation to the end of the last. */
  readonly seconds: number
  readonly operations: number
  /** Null if none was completed. */
  readonly latency: LatencySummary | null
}

/** Fails with the first operation that does; then nothing is begun any more. */
export async function runLoad(
  load: Load,
  { clock, interruption }: { readonly clock: Clock; readonly interruption: Interruption },
): Promise<Measured> {
  const latencies = new Latencies()
  const start = clock.now()
  let over = false
  const line = async (number: number): Promise<void> => {
    while (!over && !interruption.asked && clock.now() - start < load.milliseconds) {
      const begun = clock.now()
      await load.operate(number)
      if (!over) latencies.add(clock.now() - begun)
    }
  }
  const lines = Promise.all(Array.from({ length: load.depth }, (_, number) => line(number)))
  try {
    await Promise.race([lines, interruption.until.then(() => wait(clock, BENCH_STOP_MS))])
  } finally {
    over = true
  }
  return {
    seconds: (clock.now() - start) / 1000,
    operations: latencies.count,
    latency: latencies.summary(),
  }
}
