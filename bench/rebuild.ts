// `npm run bench:rebuild`: what clients get while copies are made, compared with what they get
// without, in one run. Four storage servers, a manager and the client on this machine; a volume
// with three replicas. Prints a table; --json FILE keeps the figures.
//
//   drain    a server is emptied: its copies are made on the others
//   return   a server comes back after half of the volume has been written without it
//
//   npm run bench:rebuild -- [--seconds 3] [--size 1024] [--json FILE]     size in MiB
import { renderTable } from '../src/cli/render/table.js'
import type { ServerResult } from '../src/net/admin.js'
import { TestCluster } from '../test/e2e/cluster.js'
import { eventually } from '../test/e2e/tools.js'
import { Fio, median, type Measurement, type Target } from './shared/fio.js'
import { JOB, type Job } from './shared/jobs.js'
import { jsonPath, positive, readOptions, whole } from './shared/options.js'
import { Report } from './shared/report.js'
import { runBenchmark } from './shared/session.js'
import { ratio, showRatio, showWhole } from './shared/statistics.js'
import { filledVolume } from './shared/volumes.js'

/** Of a whole volume, gently, on a busy machine. */
const REBUILD_LIMIT_MS = 15 * 60_000
const RUNS_WITHOUT = 3
const MOVED = 'd'

interface Bench {
  readonly cluster: TestCluster
  readonly fio: Fio
  readonly target: Target
  /** Of one run. */
  readonly seconds: number
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
  async begin({ cluster, fio, target }) {
    await cluster.kill(MOVED)
    await eventually('it is down', async () => (await server(cluster)).state === 'down')
    await fio.fill({ ...target, size: target.size / 2 })
    await cluster.startServer(MOVED)
  },
  over: complete,
  undo: () => Promise.resolve(),
}

async function compare(bench: Bench, rebuild: Rebuild, job: Job): Promise<Row> {
  const { cluster, fio, target, seconds } = bench
  const without: Measurement[] = []
  for (let i = 0; i < RUNS_WITHOUT; i++) without.push(await fio.measure(target, job, seconds))
  await rebuild.begin(bench)
  const began = performance.now()
  const during: Measurement[] = []
  for (;;) {
    const run = await fio.measure(target, job, seconds)
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

function table(rows: readonly Row[]): string {
  return renderTable(rows, [
    { title: 'COPIES MADE BY', cell: row => row.rebuild },
    { title: 'JOB', cell: row => row.job },
    { title: 'IOPS WITHOUT', align: 'right', cell: row => showWhole(row.without.iops) },
    { title: 'IOPS DURING', align: 'right', cell: row => showWhole(row.during.iops) },
    {
      title: 'RATIO',
      align: 'right',
      cell: row => showRatio(ratio(row.during.iops, row.without.iops)),
    },
    {
      title: 'P99 US WITHOUT',
      align: 'right',
      cell: row => showWhole(row.without.p99Microseconds),
    },
    { title: 'P99 US DURING', align: 'right', cell: row => showWhole(row.during.p99Microseconds) },
    { title: 'RUNS', align: 'right', cell: row => String(row.runs) },
    { title: 'TOOK S', align: 'right', cell: row => showWhole(row.seconds) },
  ])
}

await runBenchmark(async session => {
  const options = readOptions(process.argv.slice(2), {
    seconds: positive(3),
    size: whole(1024, { from: 16, to: 2 ** 20 }),
    json: jsonPath(),
  })
  const report = new Report(options.json)
  const cluster = await TestCluster.start(session, { servers: 4 })
  await cluster.startMount()
  const fio = new Fio(session)
  const target = await filledVolume(
    { cluster, fio },
    { name: 'bench', bytes: options.size * 2 ** 20 },
  )
  const bench = { cluster, fio, target, seconds: options.seconds }
  const rows: Row[] = []
  for (const rebuild of [drain((await server(cluster)).shards), comeBack]) {
    for (const job of [JOB.read16, JOB.write16]) {
      const row = await compare(bench, rebuild, job)
      session.say(`${row.rebuild}: ${row.job}: ${showWhole(row.during.iops)} IOPS`)
      rows.push(row)
    }
  }
  const where = 'four storage servers and the client on this machine'
  report.give({ replicas: 3, mebibytes: options.size, rows }, `${table(rows)}\n\n${where}`)
})
