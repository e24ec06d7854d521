// `npm run bench`: fio on the image file and on a loop device of a volume with three replicas, on a
// cluster of this machine. Prints a table; --json FILE keeps the figures.
//
//   npm run bench -- [--seconds 4] [--runs 3] [--size 512] [--json FILE]     size in MiB
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startChild } from '../src/cli/supervision/child.js'
import { renderTable } from '../src/cli/render/table.js'
import { mustRun } from '../test/e2e/tools.js'
import { fill, JOBS, measure, median, type Measurement, type Target } from './jobs.js'
import { machine } from './machine.js'

interface Row {
  readonly job: string
  readonly target: 'image' | 'loop'
  readonly result: Measurement
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    runs: { type: 'string', default: '3' },
    size: { type: 'string', default: '512' },
    json: { type: 'string' },
  },
})
const size = Number(values.size) * 2 ** 20

function swarmdisk(data: string, words: readonly string[]): Promise<string> {
  return mustRun('env', [`SWARMDISK_DATA=${data}`, process.execPath, 'bin/run.js', ...words])
}

async function measureAll(target: Target, kind: Row['target']): Promise<Row[]> {
  await fill(target)
  const rows: Row[] = []
  for (const job of JOBS) {
    const runs: Measurement[] = []
    for (let i = 0; i < Number(values.runs); i++) {
      runs.push(await measure(target, job, Number(values.seconds)))
    }
    rows.push({ job: job.name, target: kind, result: median(runs) })
    process.stderr.write(`${kind}: ${job.name}: ${Math.round(median(runs).iops)} IOPS\n`)
  }
  return rows
}

function print(rows: readonly Row[]): void {
  const round = (value: number): string => Math.round(value).toLocaleString('en')
  const table = renderTable(rows, [
    { title: 'JOB', cell: row => row.job },
    { title: 'ON', cell: row => row.target },
    { title: 'IOPS', align: 'right', cell: row => round(row.result.iops) },
    { title: 'MB/S', align: 'right', cell: row => round(row.result.megabytes) },
    { title: 'P50 US', align: 'right', cell: row => round(row.result.p50Microseconds) },
    { title: 'P99 US', align: 'right', cell: row => round(row.result.p99Microseconds) },
  ])
  process.stdout.write(`${table}\n`)
}

const folder = mkdtempSync(join(tmpdir(), 'swarmdisk-bench-'))
const cluster = startChild({
  title: 'the cluster',
  arguments: ['dev', '--data', join(folder, 'cluster'), '--mount', join(folder, 'mount')],
  environment: { SWARMDISK_DATA: '' },
})
try {
  await cluster.ready
  const data = join(folder, 'cluster/manager')
  await swarmdisk(data, ['volume', 'create', 'bench', '--size', String(size)])
  const image = { file: join(folder, 'mount/bench.img'), size }
  const rows = await measureAll(image, 'image')
  const attached = await swarmdisk(data, [
    'attach',
    'bench',
    '--mount',
    join(folder, 'mount'),
    '--json',
  ])
  const { device } = JSON.parse(attached) as { readonly device: string }
  try {
    rows.push(...(await measureAll({ file: device, size }, 'loop')))
  } finally {
    await swarmdisk(data, ['detach', device])
  }
  print(rows)
  const report = { machine: machine(), replicas: 3, size, rows }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, null, 2))
  process.stdout.write(
    `\n${report.machine}; three storage servers and the client on this machine\n`,
  )
} finally {
  await cluster.stop()
  rmSync(folder, { recursive: true, force: true })
}
