// `npm run bench`: fio on volumes of a cluster on this machine, each figure beside the ceiling that
// limits it, which is measured first in the same run: an empty FUSE server, an encrypted link, the
// disk. Image file and loop device through the kernel transport; with a write-back cache and
// through fuse-native on the image file, with the most replicas. Prints tables.
//
//   npm run bench -- [--replicas 3] [--only PATTERN] [--seconds 2] [--runs 3] [--size 512]
//                    [--json FILE|-]                                            size in MiB
import { Report } from '../shared/report.js'
import { BadOption, jsonPath, pattern, positive } from '../shared/options.js'
import { readOptions, whole, wholeList } from '../shared/options.js'
import { runBenchmark } from '../shared/session.js'
import { CeilingRun } from './ceilings.js'
import { JobsRun } from './jobs-run.js'
import { lowestCeiling } from './limits.js'
import { planSuite, titlesOf } from './plan.js'
import { ceilingTable, jobTable, memoryTable, ratioOf } from './tables.js'

const MiB = 2 ** 20
/** A cluster has three storage servers, each a failure domain. */
const REPLICAS = { from: 1, to: 3 }

await runBenchmark(async session => {
  const options = readOptions(process.argv.slice(2), {
    replicas: wholeList([3], REPLICAS),
    only: pattern(),
    seconds: positive(2),
    runs: whole(3, { from: 1, to: 100 }),
    size: whole(512, { from: 16, to: 2 ** 20 }),
    json: jsonPath(),
  })
  const { replicas, only, seconds, runs, size } = options
  const timing = { seconds, runs }
  const groups = planSuite(replicas, only)
  if (groups.length === 0) {
    const some = planSuite(replicas, /^/).flatMap(titlesOf).slice(0, 1).join()
    throw new BadOption(`--only ${only.source} matches no job: they are called like "${some}".`)
  }
  const report = new Report(options.json)
  // A ceiling moves less than what is below it: half the time will do.
  const ceilingTiming = { seconds: seconds / 2, runs }
  const ceilings = await new CeilingRun(session, ceilingTiming).measureAll(groups)
  const jobs = await JobsRun.start({ session, timing, size: size * MiB })
  await jobs.measureAll(groups)
  const byName = new Map(ceilings.map(ceiling => [ceiling.name, ceiling]))
  const rows = jobs.rows.map(row => ({ ...row, ceiling: lowestCeiling(row, byName) }))
  const how =
    `medians of ${runs}, ${seconds} s each (ceilings ${seconds / 2} s), after a run of each job ` +
    'that does not count; three storage servers, the manager and the client on this machine'
  const tables = [ceilingTable(ceilings), jobTable(rows), memoryTable(jobs.memory), how]
  report.give(
    {
      ...{ seconds, runs, mebibytes: size, ceilings },
      rows: rows.map(row => ({ ...row, mount: row.mount.title, ratio: ratioOf(row) })),
      memory: jobs.memory,
    },
    tables.join('\n\n'),
  )
})
