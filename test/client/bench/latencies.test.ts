import test from 'tape'
import { Latencies } from '../../../src/client/bench/latencies.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

/** What the counts of times may be off by. */
const OFF = 1.001

interface Case {
  readonly what: string
  /** Milliseconds. */
  readonly durations: readonly number[]
  /** Seconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1)

function many(count: number, duration: number): readonly number[] {
  return Array.from({ length: count }, () => duration)
}

const CASES: readonly Case[] = [
  { what: 'one', durations: [2], p50: 0.002, p99: 0.002, max: 0.002 },
  { what: 'two: the middle is the lower', durations: [3, 1], p50: 0.001, p99: 0.003, max: 0.003 },
  { what: 'a hundred', durations: upTo(100), p50: 0.05, p99: 0.099, max: 0.1 },
  { what: 'ten thousand', durations: upTo(10_000), p50: 5, p99: 9.9, max: 10 },
  { what: 'all the same', durations: many(500, 0.25), p50: 250e-6, p99: 250e-6, max: 250e-6 },
  {
    what: 'one that was held for a day',
    durations: [...many(199, 0.1), 86_400_000],
    ...{ p50: 100e-6, p99: 100e-6, max: 86_400 },
  },
  { what: 'none took any time', durations: [0, 0], p50: 1e-9, p99: 1e-9, max: 1e-9 },
]

test('median, 99th percentile and maximum', t => {
  for (const { what, durations, p50, p99, max } of CASES) {
    const latencies = new Latencies()
    for (const duration of durations) latencies.add(duration)
    t.equal(latencies.count, durations.length, `${what}: counted`)
    const summary = latencies.summary()
    t.ok(near(summary?.p50, p50), `${what}: median ${summary?.p50} of ${p50}`)
    t.ok(near(summary?.p99, p99), `${what}: p99 ${summary?.p99} of ${p99}`)
    t.ok(near(summary?.max, max), `${what}: max ${summary?.max} of ${max}`)
  }
  t.equal(new Latencies().summary(), null, 'of nothing there is none')
  t.end()
})

test('beside a sorted list, over many sizes', t => {
  const random = new SeededRandom(5)
  for (let round = 0; round < 20; round++) {
    const latencies = new Latencies()
    const all = Array.from({ length: 1 + random.below(5_000) }, () => {
      const duration = 10 ** (random.below(9_000) / 1_000 - 4)
      latencies.add(duration)
      return duration
    }).sort((a, b) => a - b)
    const at = (part: number): number =>
      (all[Math.max(1, Math.round(all.length * part)) - 1] ?? 0) / 1000
    const summary = latencies.summary()
    const fits = near(summary?.p50, at(0.5)) && near(summary?.p99, at(0.99))
    t.ok(fits && near(summary?.max, at(1)), `${all.length} durations`)
  }
  t.end()
})

function near(found: number | undefined, exact: number): boolean {
  const rounding = 1e-9
  return found !== undefined && found >= exact - rounding && found <= exact * OFF + rounding
}
