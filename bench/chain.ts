// `npm run bench:chain`: what reads cost through a chain of layers. Two volumes with the same
// content on one cluster of this machine, one of them written between snapshots, so that its blocks
// lie in all layers; runs on both by turns, so that the figures are a ratio whatever else the
// machine does. Prints a table; --json FILE keeps the figures.
//
//   npm run bench:chain -- [--seconds 4] [--runs 5] [--size 256] [--layers 16]     size in MiB
import { renderTable } from '../src/cli/render/table.js'
import { TestCluster } from '../test/e2e/cluster.js'
import { mustRun } from '../test/e2e/tools.js'
import { Fio, median, type Measurement, type Target } from './shared/fio.js'
import { JOBS } from './shared/jobs.js'
import { jsonPath, positive, readOptions, whole } from './shared/options.js'
import { Report } from './shared/report.js'
import { runBenchmark } from './shared/session.js'
import { ratio, showRatio, showWhole } from './shared/statistics.js'
import { filledVolume, type VolumeMaker } from './shared/volumes.js'

const MiB = 2 ** 20

interface Row {
  readonly job: string
  readonly flat: Measurement
  readonly deep: Measurement
}

interface Bench extends VolumeMaker {
  readonly layers: number
  readonly size: number
}

/** After the first layer every MiB of the rest has a layer of its own, by turns. */
async function fillInLayers({ cluster, layers, size }: Bench, target: Target): Promise<void> {
  for (let layer = 1; layer < layers; layer++) {
    await cluster.json(['snapshot', 'create', `deep@s${layer}`])
    for (let at = layer; at * MiB < size; at += layers) {
      const where = [`of=${target.files.join()}`, `seek=${at}`, 'bs=1M', 'count=1']
      const how = ['conv=notrunc', 'oflag=direct', 'status=none']
      await mustRun('dd', ['if=/dev/urandom', 'iflag=fullblock', ...where, ...how])
    }
  }
}

async function measureAll(
  bench: Bench,
  { seconds, runs }: { readonly seconds: number; readonly runs: number },
): Promise<readonly Row[]> {
  const { cluster, fio, size } = bench
  await cluster.startMount()
  const flat = await filledVolume(bench, { name: 'flat', bytes: size })
  const deep = await filledVolume(bench, { name: 'deep', bytes: size })
  await fillInLayers(bench, deep)
  const rows: Row[] = []
  for (const job of JOBS.filter(({ pattern }) => pattern.endsWith('read'))) {
    const measured: Record<'flat' | 'deep', Measurement[]> = { flat: [], deep: [] }
    for (let i = 0; i < runs; i++) {
      measured.flat.push(await fio.measure(flat, job, seconds))
      measured.deep.push(await fio.measure(deep, job, seconds))
    }
    rows.push({ job: job.name, flat: median(measured.flat), deep: median(measured.deep) })
  }
  return rows
}

function table(rows: readonly Row[], layers: number): string {
  return renderTable(rows, [
    { title: 'JOB', cell: row => row.job },
    { title: 'IOPS, ONE LAYER', align: 'right', cell: row => showWhole(row.flat.iops) },
    { title: `IOPS, ${layers} LAYERS`, align: 'right', cell: row => showWhole(row.deep.iops) },
    {
      title: 'RATIO',
      align: 'right',
      cell: row => showRatio(ratio(row.deep.iops, row.flat.iops)),
    },
    {
      title: 'P99 US, ONE LAYER',
      align: 'right',
      cell: row => showWhole(row.flat.p99Microseconds),
    },
    {
      title: `P99 US, ${layers} LAYERS`,
      align: 'right',
      cell: row => showWhole(row.deep.p99Microseconds),
    },
  ])
}

await runBenchmark(async session => {
  const options = readOptions(process.argv.slice(2), {
    seconds: positive(4),
    runs: whole(5, { from: 1, to: 100 }),
    size: whole(256, { from: 16, to: 2 ** 20 }),
    layers: whole(16, { from: 2, to: 250 }),
    json: jsonPath(),
  })
  const report = new Report(options.json)
  const { layers, size } = options
  const cluster = await TestCluster.start(session)
  const bench = { cluster, fio: new Fio(session), layers, size: size * MiB }
  const rows = await measureAll(bench, options)
  const where = 'three storage servers and the client on this machine'
  const text = `${table(rows, layers)}\n\n${where}`
  report.give({ replicas: 3, layers, mebibytes: size, rows }, text)
})
