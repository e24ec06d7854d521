import test from 'tape'
import { JOB } from '../../../bench/shared/jobs.js'
import { diskCeiling, fuseCeiling, LINK, lowestCeiling } from '../../../bench/suite/limits.js'
import { FUSE_NATIVE, KERNEL, planSuite, WRITE_BACK } from '../../../bench/suite/plan.js'
import type { PlannedRow } from '../../../bench/suite/plan.js'

const IMAGE = { mount: KERNEL, on: 'image', replicas: 3 } as const

function measured(rates: Readonly<Record<string, number>>): Map<string, { perSecond: number }> {
  return new Map(Object.entries(rates).map(([name, perSecond]) => [name, { perSecond }]))
}

test('the lowest ceiling is the one that counts', t => {
  const row: PlannedRow = { ...IMAGE, job: JOB.read16 }
  const fuse = fuseCeiling(row, JOB.read16)
  const low = lowestCeiling(row, measured({ [fuse]: 50_000, [LINK.many]: 40_000 }))
  t.deepEqual(low, { name: LINK.many, perSecond: 40_000 }, 'a read passes one link')
  const high = lowestCeiling(row, measured({ [fuse]: 30_000, [LINK.many]: 40_000 }))
  t.equal(high?.name, fuse)
  t.equal(lowestCeiling(row, new Map()), null, 'nothing was measured')
  t.end()
})

test('how often a write passes a link', t => {
  const rates = measured({ [LINK.one]: 6_000, [LINK.many]: 30_000, [LINK.large]: 600 })
  const of = (row: PlannedRow): number | undefined => lowestCeiling(row, rates)?.perSecond
  t.equal(of({ ...IMAGE, job: JOB.write1 }), 3_000, 'alone: to the primary, and to the others')
  t.equal(of({ ...IMAGE, replicas: 1, job: JOB.write1 }), 6_000, 'there are no others')
  t.equal(of({ ...IMAGE, job: JOB.write16 }), 10_000, 'in numbers: one for each replica')
  t.equal(of({ ...IMAGE, replicas: 2, job: JOB.writeAll }), 300)
  t.equal(lowestCeiling({ ...IMAGE, job: JOB.write16 }, rates)?.name, `${LINK.many}, ÷ 3`)
  t.end()
})

test('an fsync waits for the disks of all replicas, a cache for nothing', t => {
  const write = fuseCeiling(IMAGE, JOB.write1)
  const fsync = fuseCeiling(IMAGE, JOB.fsync)
  const disks = { [diskCeiling(1)]: 3_000, [diskCeiling(3)]: 1_000 }
  const rates = measured({ ...disks, [write]: 20_000, [fsync]: 20_000, [LINK.one]: 10 })
  t.equal(lowestCeiling({ ...IMAGE, job: JOB.fsync }, rates)?.perSecond, 1_000)
  t.equal(lowestCeiling({ ...IMAGE, replicas: 1, job: JOB.fsync }, rates)?.perSecond, 3_000)
  const cached = { ...IMAGE, mount: WRITE_BACK, job: JOB.write1 }
  t.equal(lowestCeiling(cached, rates)?.name, write)
  t.end()
})

test('the plan: every job on image and loop device, some with other mounts', t => {
  const all = planSuite([1, 3], /^/)
  const count = (what: (typeof all)[number]['mount']): number =>
    all.filter(({ mount }) => mount === what).reduce((sum, { jobs }) => sum + jobs.length, 0)
  t.equal(count(KERNEL), 28, 'seven jobs on two targets with two numbers of replicas')
  t.equal(count(WRITE_BACK), 2)
  t.equal(count(FUSE_NATIVE), 2)
  t.ok(
    all.every(({ mount, replicas }) => mount === KERNEL || replicas === 3),
    'the others with the most replicas',
  )
  const mounts = all.map(({ mount }) => mount)
  const changes = mounts.filter((mount, i) => i > 0 && mount !== mounts[i - 1])
  t.equal(changes.length, 2, 'each mount is started once')
  t.end()
})

test('the plan: --only leaves out jobs, and groups without any', t => {
  const some = planSuite([3], /fsync.*loop/i)
  t.deepEqual(
    some.map(({ on, jobs }) => [on, jobs.map(({ name }) => name)]),
    [['loop', ['4 KiB write + fsync, depth 1']]],
  )
  t.deepEqual(planSuite([3], /2 replicas/), [])
  t.end()
})
