// `npm run bench:growth`: what grows with a cluster, and what must not. Times of one change (to
// decide about it, to tell it, to plan what follows), sizes of messages, memory of every role; and
// the time of a read request, in which nothing of it may be found. The real parts, one process, no
// network. Prints tables; --json FILE keeps the figures. Takes two minutes.
//
//   npm run bench:growth -- [--servers 1000] [--volumes 10000] [--json FILE]   the largest cluster
import { SERVERS_MAX, VOLUMES_MAX } from '../src/base/limits.js'
import { renderTable } from '../src/cli/render/table.js'
import { grown, type Cluster } from './growth/cluster.js'
import { decisions, type Figures } from './growth/decisions.js'
import { ioPaths, type Times } from './growth/io-path.js'
import { clientPerTiB, perThousandVolumes, serverPerTiB } from './growth/memory.js'
import { jsonPath, readOptions, whole } from './shared/options.js'
import { Report } from './shared/report.js'
import { runBenchmark, type Session } from './shared/session.js'

interface Row {
  readonly servers: number
  readonly volumes: number
  readonly shards: number
  readonly figures: Figures
}

function measure({ configuration, ledger }: Cluster): Row {
  const { servers, volumes } = configuration
  const shards = [...volumes.values()].reduce((sum, volume) => sum + volume.shards.length, 0)
  const figures = decisions({ configuration, ledger })
  return { servers: servers.size, volumes: volumes.size + 1, shards, figures }
}

function timesTable(rows: readonly Row[]): string {
  const names = Object.keys(rows[0]!.figures)
  const show = (name: string, value: number): string =>
    name.startsWith('bytes') ? value.toLocaleString('en') : value.toFixed(2)
  return renderTable(names, [
    { title: 'MILLISECONDS', cell: name => name },
    ...rows.map(({ servers, volumes, shards, figures }) => ({
      title: `${servers} SERVERS, ${volumes} VOLUMES, ${shards} SHARDS`,
      align: 'right' as const,
      cell: (name: string) => show(name, figures[name]!),
    })),
  ])
}

function memoryTable(memory: Readonly<Record<string, number>>): string {
  return renderTable(Object.entries(memory), [
    { title: 'MEMORY', cell: ([what]) => what },
    { title: 'MIB', align: 'right', cell: ([, mebibytes]) => mebibytes.toFixed(2) },
  ])
}

function requestsTable(requests: Readonly<Record<string, Times>>): string {
  return renderTable(Object.entries(requests), [
    { title: 'ONE READ REQUEST, US', cell: ([at]) => at },
    { title: '3 SERVERS, 1 VOLUME', align: 'right', cell: ([, [small]]) => small.toFixed(2) },
    { title: 'THE LARGEST', align: 'right', cell: ([, [, large]]) => large.toFixed(2) },
    { title: 'RATIO', align: 'right', cell: ([, [small, large]]) => (large / small).toFixed(2) },
  ])
}

/** A hundredth, a tenth and all of it, the largest last. */
function clusters(
  session: Session,
  { servers, volumes }: { readonly servers: number; readonly volumes: number },
): { readonly rows: readonly Row[]; readonly largest: Cluster } {
  const rows: Row[] = []
  for (const part of [100, 10, 1]) {
    // One more is placed for the figures.
    const count = Math.max(2, Math.floor(volumes / part)) - 1
    const cluster = grown(Math.max(5, Math.floor(servers / part)), count)
    session.say(`${cluster.configuration.volumes.size} volumes are there`)
    rows.push(measure(cluster))
    if (part === 1) return { rows, largest: cluster }
  }
  throw new Error('the last part is the whole')
}

await runBenchmark(async session => {
  const options = readOptions(process.argv.slice(2), {
    servers: whole(1000, { from: 5, to: SERVERS_MAX }),
    volumes: whole(VOLUMES_MAX, { from: 2, to: VOLUMES_MAX }),
    json: jsonPath(),
  })
  const report = new Report(options.json)
  const { rows, largest } = clusters(session, options)
  const { configuration } = largest
  const perThousand = await perThousandVolumes(configuration)
  const memory = {
    'a configuration, per 1,000 volumes': perThousand.configuration,
    'a mount with it, per 1,000 volumes': perThousand.mount,
    'a client, per TiB of a volume that is read everywhere': await clientPerTiB(),
    'a storage server beside its caches, per TiB it holds': await serverPerTiB(),
  }
  const requests = await ioPaths([grown(3, 1).configuration, configuration])
  const tables = [timesTable(rows), memoryTable(memory), requestsTable({ ...requests })]
  report.give({ rows, memory, requests }, tables.join('\n\n'))
})
