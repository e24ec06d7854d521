// When small reads are made on the main thread: as long as they are quick on the average.
import test from 'tape'
import {
  PROMPT_READ_PROBE_MAX,
  PROMPT_READ_PROBE_MIN,
  PROMPT_READ_WORST_MS,
} from '../../src/base/limits.js'
import { PromptReads } from '../../src/disk/prompt-reads.js'

const CACHE_MS = 0.005
const DISK_MS = 10

/** How many of `count` reads were made at once, each taking what `took` says. */
function run(reads: PromptReads, count: number, took: (n: number) => number): number {
  let prompt = 0
  for (let n = 0; n < count; n++) {
    if (!reads.mayRead()) continue
    prompt++
    reads.took(took(n))
  }
  return prompt
}

test('all that finds what it wants in the cache is read at once', t => {
  const reads = new PromptReads()
  t.equal(
    run(reads, 10_000, () => CACHE_MS),
    10_000,
  )
  t.end()
})

test('a process that lost its core now and then goes on reading at once', t => {
  const reads = new PromptReads()
  const hiccup = (n: number): number => (n % 100 === 99 ? DISK_MS : CACHE_MS)
  t.equal(run(reads, 10_000, hiccup), 10_000)
  t.end()
})

test('where the device is waited for, reads go to the pool, and are tried ever more seldom', t => {
  const reads = new PromptReads()
  const first = run(reads, PROMPT_READ_PROBE_MIN, () => DISK_MS)
  t.ok(first <= 3, `${first} reads were waited for`)
  const later = run(reads, 20 * PROMPT_READ_PROBE_MAX, () => DISK_MS)
  t.ok(later > 0, 'it is tried again')
  t.ok(later < 100, `and cost no more than ${later} reads that waited`)
  t.end()
})

test('a device that held up the whole process is not waited for again soon', t => {
  const reads = new PromptReads()
  let stalls = 0
  // Bad sectors: one read in twenty takes 10 s, the others are in the page cache.
  for (let n = 0; n < 2_000; n++) {
    if (!reads.mayRead()) continue
    const stall = n % 20 === 19
    if (stall) stalls++
    reads.took(stall ? 10_000 : CACHE_MS)
  }
  t.equal(stalls, 1)
  t.end()
})

test('when the cache has it again, all is read at once again', t => {
  const reads = new PromptReads()
  run(reads, 50 * PROMPT_READ_PROBE_MIN, () => DISK_MS)
  run(reads, 2 * PROMPT_READ_PROBE_MAX, () => CACHE_MS)
  t.equal(
    run(reads, 1_000, () => CACHE_MS),
    1_000,
  )
  const again = PROMPT_READ_PROBE_MIN
  run(reads, 2, () => PROMPT_READ_WORST_MS)
  t.equal(
    run(reads, again, () => CACHE_MS),
    0,
    'and the next pause is a short one',
  )
  t.end()
})
