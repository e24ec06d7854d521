// `npm run bench:chain`: what reads cost through a chain of layers. Two volumes with the same
// content on one cluster of this machine, one of them written between snapshots, so that its blocks
// lie in all layers; runs on both by turns, so that the figures are a ratio whatever else the
// machine does. Prints a table; --json FILE keeps the figures.
//
//   npm run bench:chain -- [--seconds 4] [--runs 5] [--size 256] [--layers 16]     size in MiB
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { renderTable } from '../src/cli/render/table.js'
import { TestCluster } from '../test/e2e/cluster.js'
import { mustRun } from '../test/e2e/tools.js'
import { fill, JOBS, measure, median, type Measurement, type Target } from './jobs.js'
import { machine } from './machine.js'

const MiB = 2 ** 20

interface Row {
  readonly job: string
  readonly flat: Measurement
  readonly deep: Measurement
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    runs: { type: 'string', default: '5' },
    size: { type: 'string', default: '256' },
    layers: { type: 'string', default: '16' },
    json: { type: 'string' },
  },
})
const size = Number(values.size) * MiB
const layers = Number(values.layers)

async function volume(cluster: TestCluster, name: string): Promise<Target> {
  await cluster.json(['volume', 'create', name, '--size', String(size), '--replicas', '3'])
  return { file: cluster.image(name), size }
}

/** After the first layer every MiB of the rest has a layer of its own, by turns. */
async function fillInLayers(cluster: TestCluster, target: Target): Promise<void> {
  await fill(target)
  for (let layer = 1; layer < layers; layer++) {
    await cluster.json(['snapshot', 'create', `deep@s${layer}`])
    for (let at = layer; at * MiB < size; at += layers) {
      const where = [`of=${target.file}`, `seek=${at}`, 'bs=1M', 'count=1']
      const how = ['conv=notrunc', 'oflag=direct', 'status=none']
      await mustRun('dd', ['if=/dev/urandom', 'iflag=fullblock', ...where, ...how])
    }
  }
}

async function measureAll(cluster: TestCluster): Promise<readonly Row[]> {
  await cluster.startMount()
  const [flat, deep] = [await volume(cluster, 'flat'), await volume(cluster, 'deep')]
  await fill(flat)
  await fillInLayers(cluster, deep)
  const rows: Row[] = []
  for (const job of JOBS.filter(({ pattern }) => pattern.endsWith('read'))) {
    const runs: { readonly flat: Measurement[]; readonly deep: Measurement[] } = {
      ...{ flat: [], deep: [] },
    }
    for (let i = 0; i < Number(values.runs); i++) {
      runs.flat.push(await measure(flat, job, Number(values.seconds)))
      runs.deep.push(await measure(deep, job, Number(values.seconds)))
    }
    rows.push({ job: job.name, flat: median(runs.flat), deep: median(runs.deep) })
    process.stderr.write(`${job.name}: ${Math.round(median(runs.deep).iops)} IOPS\n`)
  }
  return rows
}

function print(rows: readonly Row[]): void {
  const round = (value: number): string => Math.round(value).toLocaleString('en')
  const table = renderTable(rows, [
    { title: 'JOB', cell: row => row.job },
    { title: 'IOPS, ONE LAYER', align: 'right', cell: row => round(row.flat.iops) },
    { title: `IOPS, ${layers} LAYERS`, align: 'right', cell: row => round(row.deep.iops) },
    { title: 'RATIO', align: 'right', cell: row => (row.deep.iops / row.flat.iops).toFixed(2) },
    { title: 'P99 US, ONE LAYER', align: 'right', cell: row => round(row.flat.p99Microseconds) },
    {
      title: `P99 US, ${layers} LAYERS`,
      align: 'right',
      cell: row => round(row.deep.p99Microseconds),
    },
  ])
  process.stdout.write(`${table}\n`)
}

let end: () => Promise<void> = () => Promise.resolve()
try {
  const owner = { teardown: (undo: () => Promise<void>) => (end = undo), comment: () => undefined }
  const cluster = await TestCluster.start(owner)
  const rows = await measureAll(cluster)
  print(rows)
  const report = { machine: machine(), replicas: 3, layers, mebibytes: size / MiB, rows }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, null, 2))
  process.stdout.write(`\n${report.machine}; three storage servers and the client on it\n`)
} finally {
  await end()
}
