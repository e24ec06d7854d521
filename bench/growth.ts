// `npm run bench:growth`: what a configuration costs as a cluster grows: to decide about a change,
// to write it down, to tell it as a delta, to plan what follows. Pure parts only, one thread, no
// disk and no network. Prints a table; --json FILE keeps the figures.
//
//   npm run bench:growth -- [--servers 1000] [--volumes 4000] [--json FILE]     the largest cluster
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { byteCount, clusterId, incarnation, type PeerId } from '../src/base/brands.js'
import { renderTable } from '../src/cli/render/table.js'
import { apply } from '../src/layout/apply.js'
import type { Change } from '../src/layout/change.js'
import type { Configuration } from '../src/layout/configuration.js'
import { difference, patch } from '../src/layout/delta.js'
import { planMoves } from '../src/layout/movement/plan.js'
import { isRefusal } from '../src/layout/outcome.js'
import { planReturn, planVolume } from '../src/layout/placement/planner.js'
import {
  decodeConfiguration,
  decodeDelta,
  encodeConfiguration,
  encodeDelta,
} from '../src/net/codecs/configuration.js'
import { testPeer } from '../test/helpers/scripted-peers.js'
import { machine } from './machine.js'

const GiB = 2 ** 30
const RUNS = 5

interface Row {
  readonly servers: number
  readonly volumes: number
  readonly shards: number
  /** Milliseconds, the medians, and bytes. */
  readonly figures: Readonly<Record<string, number>>
}

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '1000' },
    volumes: { type: 'string', default: '4000' },
    json: { type: 'string' },
  },
})

function must(configuration: Configuration | null, change: Change): Configuration {
  const outcome = apply(configuration, change)
  if (isRefusal(outcome)) throw new Error(outcome.reason)
  return outcome.configuration
}

function begin(servers: number): Configuration {
  const manager = { id: testPeer(0), addresses: [] }
  let now = must(null, { kind: 'cluster-created', cluster: clusterId('00'.repeat(16)), manager })
  for (let i = 1; i <= servers; i++) {
    const server = {
      ...{ id: testPeer(i), name: `s${i}`, domain: `d${i}`, weight: 100 },
      ...({ capacity: byteCount(1024 * GiB), state: 'up', incarnation: incarnation(1) } as const),
      addresses: [{ host: '127.0.0.1', port: 4000 }],
    }
    now = must(now, { kind: 'server-registered', server })
  }
  return now
}

function volumeChange(configuration: Configuration): Change {
  const name = `v${configuration.nextVolume}`
  const plan = planVolume(configuration, { name, size: 100 * GiB, replicas: 3, minInSync: 2 })
  if (isRefusal(plan)) throw new Error(plan.reason)
  return plan
}

function median(work: () => unknown): number {
  const times: number[] = []
  for (let i = 0; i < RUNS; i++) {
    const began = performance.now()
    work()
    times.push(performance.now() - began)
  }
  return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)]!
}

function measure(before: Configuration): Row['figures'] {
  const create = volumeChange(before)
  const after = must(before, create)
  const delta = encodeDelta(difference(before, after))
  const whole = encodeConfiguration(after)
  const connected = new Map([...after.servers.values()].map(({ id }) => [id, incarnation(1)]))
  const [lost] = after.servers.keys()
  const live = [...after.servers.keys()].filter(id => id !== lost)
  const down: Change = {
    ...{ kind: 'server-down', server: lost!, incarnation: incarnation(1), reason: 'silent', live },
  }
  const without = must(after, down)
  const stay = new Map(connected)
  stay.delete(lost!)
  const nobody: ReadonlySet<PeerId> = new Set()
  const moves = { configuration: without, connected: stay, gone: new Set([lost!]), joining: nobody }
  return {
    'place a volume': median(() => volumeChange(before)),
    'apply it': median(() => must(before, create)),
    'apply server-down': median(() => must(after, down)),
    'encode all': median(() => encodeConfiguration(after)),
    'decode all': median(() => decodeConfiguration(whole)),
    'encode a delta': median(() => encodeDelta(difference(before, after))),
    'take up a delta': median(() => patch(before, decodeDelta(delta))),
    'plan returns': median(() => planReturn(without, stay)),
    'plan moves': median(() => planMoves(moves, nobody)),
    'bytes of all': whole.byteLength,
    'bytes of a delta': delta.byteLength,
  }
}

function grow(servers: number, volumes: number): Row {
  let now = begin(servers)
  for (let i = 1; i < volumes; i++) now = must(now, volumeChange(now))
  const shards = [...now.volumes.values()].reduce((sum, volume) => sum + volume.shards.length, 0)
  return { servers, volumes, shards, figures: measure(now) }
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

const [servers, volumes] = [Number(values.servers), Number(values.volumes)]
const rows = [100, 10, 1].map(part => {
  const row = grow(Math.max(3, servers / part), Math.max(1, volumes / part))
  process.stderr.write(`${row.servers} servers, ${row.volumes} volumes: done\n`)
  return row
})
print(rows)
if (values.json !== undefined) {
  writeFileSync(values.json, JSON.stringify({ machine: machine(), rows }, null, 2))
}
process.stdout.write(`\n${machine()}\n`)
