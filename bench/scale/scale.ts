// `npm run bench:scale`: 4 KiB random reads and writes, 16 under way, against the number of
// volumes, clients, shards, epochs and servers. Each figure is a ratio to the smallest number; what
// is read and written stays as large. Prints a table.
//
//   npm run bench:scale -- [--only volumes,clients,…] [--seconds 1] [--runs 3] [--size 256]
//                          [--epochs 200] [--json FILE|-]                           size in MiB
import { renderTable } from '../../src/cli/render/table.js'
import { TestCluster } from '../../test/e2e/cluster.js'
import { Fio } from '../shared/fio.js'
import { jsonPath, positive, readOptions, someOf, whole } from '../shared/options.js'
import { Report } from '../shared/report.js'
import { runBenchmark } from '../shared/session.js'
import { ratio, showRatio, showWhole } from '../shared/statistics.js'
import type { ScaleRow } from './by-turns.js'
import { GROWS, GROWTHS } from './growths.js'

interface Row extends ScaleRow {
  /** To the smallest number of the same thing. */
  readonly readRatio: number | null
  readonly writeRatio: number | null
}

function withRatios(rows: readonly ScaleRow[]): readonly Row[] {
  const [first] = rows
  return rows.map(row => ({
    ...row,
    readRatio: ratio(row.read.iops, first?.read.iops ?? 0),
    writeRatio: ratio(row.write.iops, first?.write.iops ?? 0),
  }))
}

function table(rows: readonly Row[]): string {
  return renderTable(rows, [
    { title: 'MORE', cell: row => row.grows },
    { title: 'NUMBER', align: 'right', cell: row => showWhole(row.count) },
    { title: 'READ IOPS', align: 'right', cell: row => showWhole(row.read.iops) },
    { title: 'RATIO', align: 'right', cell: row => showRatio(row.readRatio) },
    { title: 'P99 US', align: 'right', cell: row => showWhole(row.read.p99Microseconds) },
    { title: 'WRITE IOPS', align: 'right', cell: row => showWhole(row.write.iops) },
    { title: 'RATIO', align: 'right', cell: row => showRatio(row.writeRatio) },
    { title: 'P99 US', align: 'right', cell: row => showWhole(row.write.p99Microseconds) },
  ])
}

await runBenchmark(async session => {
  const { only, seconds, runs, size, epochs, json } = readOptions(process.argv.slice(2), {
    only: someOf(GROWTHS),
    seconds: positive(1),
    runs: whole(3, { from: 1, to: 100 }),
    size: whole(256, { from: 16, to: 2 ** 20 }),
    epochs: whole(200, { from: 1, to: 100_000 }),
    json: jsonPath(),
  })
  const report = new Report(json)
  const cluster = await TestCluster.start(session)
  await cluster.startMount()
  const fio = new Fio(session)
  const bench = { session, fio, cluster, timing: { seconds, runs }, bytes: size * 2 ** 20, epochs }
  const rows: Row[] = []
  for (const name of only) {
    rows.push(...withRatios(await GROWS[name](bench)))
    session.say(`${name}: done`)
  }
  const how =
    `4 KiB, 16 under way; medians of ${runs}, ${seconds} s each, by turns, after a run that does ` +
    'not count; three replicas, all on this machine'
  report.give({ seconds, runs, mebibytes: size, rows }, `${table(rows)}\n\n${how}`)
})
