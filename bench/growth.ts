// `npm run bench:growth`: what grows with a cluster, and what must not. Times of one change (to
// decide about it, to tell it, to plan what follows), sizes of messages, memory of every role; and
// the time of a read request, in which nothing of it may be found. The real parts, one process, no
// network. Prints tables; --json FILE keeps the figures. Takes two minutes.
//
//   npm run bench:growth -- [--servers 1000] [--volumes 10000] [--json FILE]   the largest cluster
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { renderTable } from '../src/cli/render/table.js'
import { grown, type Cluster } from './growth/cluster.js'
import { decisions, type Figures } from './growth/decisions.js'
import { ioPaths, type Times } from './growth/io-path.js'
import { clientPerTiB, perThousandVolumes, serverPerTiB } from './growth/memory.js'
import { machine } from './machine.js'

interface Row {
  readonly servers: number
  readonly volumes: number
  readonly shards: number
  readonly figures: Figures
}

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '1000' },
    volumes: { type: 'string', default: '10000' },
    json: { type: 'string' },
  },
})

function measure({ configuration, ledger }: Cluster): Row {
  const { servers, volumes } = configuration
  const shards = [...volumes.values()].reduce((sum, volume) => sum + volume.shards.length, 0)
  const figures = decisions({ configuration, ledger })
  return { servers: servers.size, volumes: volumes.size + 1, shards, figures }
}

function print(rows: readonly Row[]): void {
  const names = Object.keys(rows[0]!.figures)
  const show = (name: string, value: number): string =>
    name.startsWith('bytes') ? value.toLocaleString('en') : value.toFixed(2)
  const table = renderTable(names, [
    { title: 'MILLISECONDS', cell: name => name },
    ...rows.map(({ servers, volumes, shards, figures }) => ({
      title: `${servers} SERVERS, ${volumes} VOLUMES, ${shards} SHARDS`,
      align: 'right' as const,
      cell: (name: string) => show(name, figures[name]!),
    })),
  ])
  process.stdout.write(`${table}\n`)
}

const said = (line: string): unknown => process.stderr.write(`${line}\n`)
const [servers, volumes] = [Number(values.servers), Number(values.volumes)]
const rows: Row[] = []
let largest: Cluster | null = null
for (const part of [100, 10, 1]) {
  // One more is placed for the figures.
  largest = grown(Math.max(5, servers / part), Math.max(2, volumes / part) - 1)
  said(`${largest.configuration.volumes.size} volumes are there`)
  rows.push(measure(largest))
}
print(rows)

const { configuration } = largest!
const memory = {
  ...(await perThousandVolumes(configuration)),
  client: await clientPerTiB(),
  server: await serverPerTiB(),
}
process.stdout.write(
  '\nMEMORY, MiB\n' +
    `a configuration, per 1,000 volumes                      ${memory.configuration.toFixed(2)}\n` +
    `a mount with it, per 1,000 volumes                      ${memory.mount.toFixed(2)}\n` +
    `a client, per TiB of a volume that is read everywhere   ${memory.client.toFixed(2)}\n` +
    `a storage server beside its caches, per TiB it holds    ${memory.server.toFixed(2)}\n`,
)

const requests = await ioPaths([grown(3, 1).configuration, configuration])
const compared = ([small, large]: Times): string =>
  `${small.toFixed(2)} → ${large.toFixed(2)}, ratio ${(large / small).toFixed(2)}`
process.stdout.write(
  '\nMICROSECONDS FOR ONE READ REQUEST, 3 servers and 1 volume → the largest cluster\n' +
    `client   ${compared(requests.client)}\nserver   ${compared(requests.server)}\n`,
)
if (values.json !== undefined) {
  const kept = { machine: machine(), rows, memory, requests }
  writeFileSync(values.json, JSON.stringify(kept, null, 2))
}
process.stdout.write(`\n${machine()}\n`)
