import test from 'tape'
import { JOB } from '../../../bench/shared/jobs.js'
import {
  copiesCeiling,
  diskCeiling,
  fuseCeiling,
  LINK,
  lowestCeiling,
} from '../../../bench/suite/limits.js'
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

test('a write passes the links to and among the servers of its replicas', t => {
  const jobs = [JOB.write1, JOB.write16, JOB.writeAll]
  const names = [1, 3].flatMap(replicas => jobs.map(job => copiesCeiling(job, replicas)))
  t.equal(new Set(names).size, 6, 'each load and number of replicas has its own')
  const rates = measured({
    ...Object.fromEntries(names.map((name, i) => [name, 100 + i])),
    ...{ [LINK.one]: 1, [LINK.many]: 1, [LINK.large]: 1 },
  })
  const of = (row: PlannedRow): unknown => lowestCeiling(row, rates)
  t.deepEqual(
    jobs.map(job => of({ ...IMAGE, job })),
    [103, 104, 105].map((perSecond, i) => ({ name: names[3 + i], perSecond })),
  )
  t.deepEqual(of({ ...IMAGE, replicas: 1, job: JOB.write1 }), { name: names[0], perSecond: 100 })
  t.equal(lowestCeiling({ ...IMAGE, job: JOB.readAll }, rates)?.name, LINK.large, 'reads do not')
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
