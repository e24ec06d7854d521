import test from 'tape'
import { minuteRows, verdicts } from '../../../bench/memory/figures.js'
import type { Sample } from '../../../bench/memory/sampler.js'
import { cpuPerGiB, type Turn } from '../../../bench/memory/turns.js'
import { JOB, MIXED, type Job } from '../../../bench/shared/jobs.js'

const GiB = 2 ** 30

function turn(job: Job, minutes: number, more: { iops?: number; cpuSeconds?: number }): Turn {
  const { iops = 0, cpuSeconds = 0 } = more
  const result = { iops, megabytes: 100, bytes: GiB / 2, p50Microseconds: 1, p99Microseconds: 2 }
  return { job, result, cpuSeconds, minutes }
}

function samples(resident: (i: number) => Record<string, number>): Sample[] {
  return Array.from({ length: 18 }, (_, i) => ({ minutes: (i + 1) / 6, resident: resident(i) }))
}

test('what each minute was like', t => {
  const turns = [
    turn(MIXED, 0.2, { iops: 1000 }),
    turn(MIXED, 0.9, { iops: 2000 }),
    turn(JOB.writeAll, 1, { cpuSeconds: 4 }),
    turn(JOB.readAll, 1.1, {}),
  ]
  const seen = samples(i => ({ mount: i < 6 ? 100 : 200 }))
  const [first, second, third] = minuteRows(seen, turns)
  t.equal(first?.resident['mount'], 100)
  t.equal(first?.mixedIops, 1500)
  t.equal(first?.cpuPerGiB, 8, 'half a GiB was written')
  t.equal(first?.readMegabytes, null, 'none was read')
  t.equal(second?.resident['mount'], 200)
  t.equal(second?.readMegabytes, 100)
  t.equal(second?.cpuPerGiB, null, 'nothing was written')
  t.equal(third?.minute, 3)
  t.deepEqual(minuteRows([], []), [], 'nothing at all')
  t.end()
})

test('CPU time counts turns that write in large pieces only', t => {
  const writes = [
    turn(JOB.writeAll, 1, { cpuSeconds: 3 }),
    turn(JOB.writeAll, 2, { cpuSeconds: 5 }),
  ]
  t.equal(cpuPerGiB([...writes, turn(MIXED, 3, { cpuSeconds: 99 })]), 8)
  t.equal(cpuPerGiB([turn(MIXED, 1, { cpuSeconds: 99 })]), null)
  t.end()
})

test('growth counts in the last third only, of each process by itself', t => {
  const found = verdicts(
    samples(i => ({ mount: i < 12 ? i * 50 : 600, a: 100 + 3 * i, b: 100 - i })),
  )
  const flat = Object.fromEntries(found.map(verdict => [verdict.process, verdict.flat]))
  t.deepEqual(flat, { mount: true, a: false, b: true })
  const slope = found.find(({ process }) => process === 'a')?.slope ?? 0
  t.ok(Math.abs(slope - 18) < 1e-9, 'six samples a minute')
  t.equal(verdicts(samples(() => ({ mount: 1 })).slice(0, 4))[0]?.flat, null, 'too few')
  t.end()
})
