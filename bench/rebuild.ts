// `npm run bench:rebuild`: what clients get while copies are made, compared with what they get
// without, in one run. Four storage servers, a manager and the client on this machine; a volume
// with three replicas. Prints a table; --json FILE keeps the figures.
//
//   drain    a server is emptied: its copies are made on the others
//   return   a server comes back after half of the volume has been written without it
//
//   npm run bench:rebuild -- [--seconds 3] [--size 1024] [--json FILE]     size in MiB
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { renderTable } from '../src/cli/render/table.js'
import type { ServerResult } from '../src/net/admin.js'
import { TestCluster } from '../test/e2e/cluster.js'
import { eventually } from '../test/e2e/tools.js'
import { fill, JOBS, measure, median, type Job, type Measurement, type Target } from './jobs.js'
import { machine } from './machine.js'

/** Of a whole volume, gently, on a busy machine. */
const REBUILD_LIMIT_MS = 15 * 60_000
const RUNS_WITHOUT = 3
const NAMES = ['4 KiB random read, depth 16', '4 KiB random write, depth 16']
const MOVED = 'd'

interface Bench {
  readonly cluster: TestCluster
  readonly target: Target
}

interface Rebuild {
  readonly name: string
  begin(bench: Bench): Promise<void>
  over(cluster: TestCluster): Promise<boolean>
  /** Back to where it was before. */
  undo(cluster: TestCluster): Promise<void>
}

interface Row {
  readonly rebuild: string
  readonly job: string
  readonly without: Measurement
  /** Runs that began and ended while copies were made; the median of them. */
  readonly during: Measurement
  readonly runs: number
  /** From the beginning until all copies were there. */
  readonly seconds: number
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    size: { type: 'string', default: '1024' },
    json: { type: 'string' },
  },
})

async function server(cluster: TestCluster): Promise<ServerResult> {
  const found = (await cluster.status()).servers.find(({ name }) => name === MOVED)
  if (!found) throw new Error(`${MOVED} is no member`)
  return found
}

/** All copies are there, and none is being made. */
async function complete(cluster: TestCluster): Promise<boolean> {
  const { health, volumes } = await cluster.status()
  return health === 'ok' && volumes.every(({ shards }) => shards.syncing === 0)
}

function drain(share: number): Rebuild {
  return {
    name: 'drain',
    async begin({ cluster }) {
      await cluster.json(['server', 'drain', MOVED])
    },
    over: async cluster => (await server(cluster)).drain?.shardsLeft === 0,
    async undo(cluster) {
      await cluster.json(['server', 'undrain', MOVED])
      // A difference of one copy is not worth the copying.
      const back = async (): Promise<boolean> =>
        (await server(cluster)).shards >= share - 1 && (await complete(cluster))
      await eventually('it has its share again', back, REBUILD_LIMIT_MS)
    },
  }
}

const comeBack: Rebuild = {
  name: 'return',
  async begin({ cluster, target }) {
    await cluster.kill(MOVED)
    await eventually('it is down', async () => (await server(cluster)).state === 'down')
    await fill({ ...target, size: target.size / 2 })
    await cluster.startServer(MOVED)
  },
  over: complete,
  undo: () => Promise.resolve(),
}

async function compare(bench: Bench, rebuild: Rebuild, job: Job): Promise<Row> {
  const { cluster, target } = bench
  const seconds = Number(values.seconds)
  const without: Measurement[] = []
  for (let i = 0; i < RUNS_WITHOUT; i++) without.push(await measure(target, job, seconds))
  await rebuild.begin(bench)
  const began = performance.now()
  const during: Measurement[] = []
  for (;;) {
    const run = await measure(target, job, seconds)
    if (await rebuild.over(cluster)) break
    during.push(run)
    if (performance.now() - began > REBUILD_LIMIT_MS) throw new Error(`${rebuild.name} hangs`)
  }
  const took = (performance.now() - began) / 1000
  if (during.length === 0) throw new Error(`${rebuild.name} was too short: use a larger --size`)
  await rebuild.undo(cluster)
  return {
    ...{ rebuild: rebuild.name, job: job.name, without: median(without), during: median(during) },
    ...{ runs: during.length, seconds: took },
  }
}

function print(rows: readonly Row[]): void {
  const round = (value: number): string => Math.round(value).toLocaleString('en')
  const table = renderTable(rows, [
    { title: 'COPIES MADE BY', cell: row => row.rebuild },
    { title: 'JOB', cell: row => row.job },
    { title: 'IOPS WITHOUT', align: 'right', cell: row => round(row.without.iops) },
    { title: 'IOPS DURING', align: 'right', cell: row => round(row.during.iops) },
    {
      title: 'RATIO',
      align: 'right',
      cell: row => (row.during.iops / row.without.iops).toFixed(2),
    },
    { title: 'P99 US WITHOUT', align: 'right', cell: row => round(row.without.p99Microseconds) },
    { title: 'P99 US DURING', align: 'right', cell: row => round(row.during.p99Microseconds) },
    { title: 'RUNS', align: 'right', cell: row => String(row.runs) },
    { title: 'TOOK S', align: 'right', cell: row => round(row.seconds) },
  ])
  process.stdout.write(`${table}\n`)
}

async function measureAll(cluster: TestCluster): Promise<readonly Row[]> {
  const size = Number(values.size) * 2 ** 20
  await cluster.json(['volume', 'create', 'bench', '--size', String(size), '--replicas', '3'])
  await cluster.startMount()
  const target = { file: cluster.image('bench'), size }
  await fill(target)
  const rebuilds = [drain((await server(cluster)).shards), comeBack]
  const rows: Row[] = []
  for (const rebuild of rebuilds) {
    for (const job of JOBS.filter(({ name }) => NAMES.includes(name))) {
      const row = await compare({ cluster, target }, rebuild, job)
      process.stderr.write(`${row.rebuild}: ${row.job}: ${Math.round(row.during.iops)} IOPS\n`)
      rows.push(row)
    }
  }
  return rows
}

let end: () => Promise<void> = () => Promise.resolve()
try {
  const cluster = await TestCluster.start(
    { teardown: undo => (end = undo), comment: () => undefined },
    { servers: 4 },
  )
  const rows = await measureAll(cluster)
  print(rows)
  const report = { machine: machine(), replicas: 3, mebibytes: Number(values.size), rows }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, null, 2))
  process.stdout.write(`\n${report.machine}; four storage servers and the client on this machine\n`)
} finally {
  await end()
}
