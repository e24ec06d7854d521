// What the FUSE transports allow at best: fio on a mount that does nothing. Prints a table of both,
// measured in one run, so that each is a ratio to the other whatever else the machine does.
//
//   npm run bench:fuse -- [--seconds 5] [--on image|loop] [--json FILE|-]
import { renderTable } from '../src/cli/render/table.js'
import { withEmptyMount } from './ceilings/fuse.js'
import { Fio, type Measurement } from './shared/fio.js'
import { JOBS } from './shared/jobs.js'
import { jsonPath, oneOf, positive, readOptions } from './shared/options.js'
import { Report } from './shared/report.js'
import { runBenchmark } from './shared/session.js'
import { ratio, showRatio, showWhole } from './shared/statistics.js'

interface Row {
  readonly job: string
  readonly results: readonly Measurement[]
}

await runBenchmark(async session => {
  const { seconds, on, json } = readOptions(process.argv.slice(2), {
    seconds: positive(5),
    on: oneOf('image', ['image', 'loop']),
    json: jsonPath(),
  })
  const report = new Report(json)
  const jobs = JOBS.filter(job => job.fsyncEvery === 0)
  const byTransport: Measurement[][] = []
  for (const transport of ['kernel', 'fuse-native'] as const) {
    const options = { transport, on, signal: session.signal }
    const { result, cpuSeconds } = await withEmptyMount(options, async target => {
      const results: Measurement[] = []
      for (const job of jobs) results.push(await new Fio(session).measure(target, job, seconds))
      return results
    })
    byTransport.push(result)
    session.say(`${transport}: ${cpuSeconds.toFixed(1)} s of CPU`)
  }
  const rows: readonly Row[] = jobs.map((job, i) => ({
    job: job.name,
    results: byTransport.flatMap(results => results.slice(i, i + 1)),
  }))
  const rate = (row: Row, i: number): number => row.results[i]?.iops ?? 0
  const table = renderTable(rows, [
    { title: 'JOB', cell: row => row.job },
    { title: 'KERNEL', align: 'right', cell: row => showWhole(rate(row, 0)) },
    { title: 'FUSE-NATIVE', align: 'right', cell: row => showWhole(rate(row, 1)) },
    { title: 'RATIO', align: 'right', cell: row => showRatio(ratio(rate(row, 0), rate(row, 1))) },
  ])
  report.give({ on, rows }, `${table}\n\nrequests a second, on ${on}`)
})
